// After a token was made: its text, and the URLs that it now stands in.

import { useState } from "react";

import type { TokenCapability } from "@/api/gql/graphql";
import { CodeBlock } from "@/parts/copy";
import { Notice } from "@/parts/states";
import { Tabs } from "@/parts/tabs";
import { type CardKind, UrlCard } from "@/parts/url-card/url-card";

const KINDS: readonly { kind: CardKind; text: string; needs: TokenCapability }[] = [
  { kind: "CONVERSION", text: "Conversion", needs: "CONVERT" },
  { kind: "REJECTION", text: "Rejection", needs: "REJECT" },
  { kind: "CLICKLESS", text: "Clickless", needs: "CLICKLESS" },
];

interface Props {
  secret: string | null | undefined;
  capabilities: TokenCapability[];
  offerId: string | undefined;
  warnings: string[];
}

export function NewUrls({ secret, capabilities, offerId, warnings }: Props) {
  const shown = KINDS.filter(({ needs }) => capabilities.includes(needs));
  const [kind, setKind] = useState<CardKind | undefined>(shown[0]?.kind);
  return (
    <div className="grid gap-4">
      {warnings.map((warning) => (
        <Notice key={warning} tone="warn">
          {warning}
        </Notice>
      ))}
      {secret && (
        <div className="grid gap-1.5">
          <p className="text-sm font-medium">The secret</p>
          <CodeBlock text={secret} what="the secret" />
        </div>
      )}
      {kind && (
        <Tabs label="URLs with the new secret" value={kind} tabs={shown.map((one) => [one.kind, one.text] as const)} onChange={setKind}>
          <UrlCard key={kind} kind={kind} offerId={offerId} />
        </Tabs>
      )}
    </div>
  );
}
