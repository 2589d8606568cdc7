// The list of conversions as a CSV file.

import { useCreate } from "@/api/change";
import { type ConversionFilter, ExportConversionsDocument } from "@/api/gql/graphql";
import { ExportDialog } from "@/parts/job/export-dialog";

export function ExportConversions({ filter, about, onClose }: { filter: ConversionFilter; about: string; onClose: () => void }) {
  const { run } = useCreate(ExportConversionsDocument, (data) => data.conversionsExport);
  return <ExportDialog name="conversions" about={about} start={() => run({ filter, columns: null })} onClose={onClose} />;
}
