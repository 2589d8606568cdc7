// The list of the log as a CSV file.

import { useCreate } from "@/api/change";
import { ExportReceiptsDocument, type ReceiptFilter } from "@/api/gql/graphql";
import { ExportDialog } from "@/parts/job/export-dialog";

export function ExportReceipts({ filter, onClose }: { filter: ReceiptFilter; onClose: () => void }) {
  const { run } = useCreate(ExportReceiptsDocument, (data) => data.receiptsExport);
  const about = "Every request that the list holds now, with its answer.";
  return <ExportDialog name="postback-log" about={about} start={() => run({ filter })} onClose={onClose} />;
}
