// One request: what became of it, every check that it went through, what exactly was wrong, and what to do about it.

import { Link } from "@tanstack/react-router";
import { RotateCw } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { ReceiptDrawerDocument, type ReceiptDrawerQuery } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { Checks, words } from "@/parts/checks";
import { CodeBlock, CopiedId, CopyButton } from "@/parts/copy";
import { Drawer } from "@/parts/drawer";
import { localText, Moment } from "@/parts/moment";
import { Facts } from "@/parts/page";
import { TestPill, VerdictPill } from "@/parts/pill";
import { Empty, Loaded, Notice, Skeleton } from "@/parts/states";
import { KIND_TEXT, millisText } from "./columns";

const ReplayOne = lazy(() => import("./replay").then(({ ReplayOne }) => ({ default: ReplayOne })));

type Receipt = NonNullable<ReceiptDrawerQuery["receipt"]>;

export function ReceiptDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const personal = useMay("MANAGER");
  const query = useApi(ReceiptDrawerDocument, { id, personal });
  return (
    <Drawer title="Receipt" subject={id} onClose={onClose}>
      <Loaded query={query} skeleton={<Skeleton lines={9} />}>
        {({ receipt }) =>
          receipt ? <Body receipt={receipt} /> : <Empty title="There is no such receipt">It may be older than receipts are kept.</Empty>
        }
      </Loaded>
    </Drawer>
  );
}

function Body({ receipt }: { receipt: Receipt }) {
  return (
    <div className="grid gap-6">
      <div className="grid gap-3">
        <div className="flex flex-wrap items-center gap-2">
          <VerdictPill verdict={receipt.verdict} />
          {receipt.isTest && <TestPill />}
          <span className="text-sm font-medium">{words(receipt.code)}</span>
        </div>
        <p className="text-sm break-words">{receipt.explanation}</p>
        {receipt.suggestedFix && <Notice tone="warn">{receipt.suggestedFix}</Notice>}
        <Actions receipt={receipt} />
      </div>
      <section className="grid gap-2.5">
        <h3 className="text-sm font-semibold">Checks</h3>
        <Checks checks={receipt.checks} />
      </section>
      {receipt.params && (
        <section className="grid gap-2.5">
          <h3 className="text-sm font-semibold">Parameters</h3>
          <Params receipt={receipt} />
        </section>
      )}
      <section className="grid gap-2.5">
        <h3 className="text-sm font-semibold">Request</h3>
        <Request receipt={receipt} />
      </section>
      {receipt.responseBody && (
        <section className="grid gap-2.5">
          <h3 className="text-sm font-semibold">What was answered</h3>
          <CodeBlock text={pretty(receipt.responseBody)} what="the answer" />
        </section>
      )}
    </div>
  );
}

function Actions({ receipt }: { receipt: Receipt }) {
  const mayReplay = useMay("MANAGER");
  const [isReplaying, setReplaying] = useState(false);
  return (
    <div className="flex flex-wrap items-center gap-2">
      {mayReplay && receipt.verdict === "REFUSED" && (
        <Button size="small" onClick={() => setReplaying(true)}>
          <RotateCw aria-hidden />
          Check again
        </Button>
      )}
      {isReplaying && (
        <Suspense>
          <ReplayOne id={receipt.id} onClose={() => setReplaying(false)} />
        </Suspense>
      )}
      {receipt.maskedUrl && <CopyButton size="small" label="Copy as curl, without the secret" text={curlOf(receipt)} />}
      {receipt.conversion && (
        <Link to="/conversions" search={{ conversion: receipt.conversion.id }} className="text-sm text-accent-ink hover:underline">
          Open the conversion
        </Link>
      )}
      {receipt.duplicateOf && (
        <Link to="/postback-log" search={{ receipt: receipt.duplicateOf.id }} className="text-sm text-accent-ink hover:underline">
          The request that it repeats
        </Link>
      )}
      {receipt.replayOf && (
        <Link to="/postback-log" search={{ receipt: receipt.replayOf.id }} className="text-sm text-accent-ink hover:underline">
          Sent again from this request
        </Link>
      )}
    </div>
  );
}

/** In single quotes, so that a shell takes every byte as it is. */
function curlOf({ httpMethod, maskedUrl }: Receipt): string {
  return `curl -X ${httpMethod} '${(maskedUrl ?? "").replaceAll("'", "'\\''")}'`;
}

interface Said {
  field?: unknown;
  warnings?: { field?: unknown; message?: unknown }[];
}

/** What the answer says about single parameters. */
function remarksOf(body: string | null | undefined): { wrong: string | null; warned: Map<string, string> } {
  const warned = new Map<string, string>();
  let said: Said;
  try {
    said = JSON.parse(body ?? "{}") as Said;
  } catch {
    return { wrong: null, warned };
  }
  for (const { field, message } of said.warnings ?? []) {
    if (typeof field === "string" && typeof message === "string") warned.set(field, message);
  }
  return { wrong: typeof said.field === "string" ? said.field : null, warned };
}

function Params({ receipt }: { receipt: Receipt }) {
  const { wrong, warned } = remarksOf(receipt.responseBody);
  const params = receipt.params ?? [];
  const isMissing = wrong !== null && !params.some(({ key }) => key === wrong);
  return (
    <table className="w-full text-sm">
      <thead className="sr-only">
        <tr>
          <th scope="col">Parameter</th>
          <th scope="col">Value</th>
        </tr>
      </thead>
      <tbody>
        {isMissing && (
          <tr className="border-b border-line bg-bad-soft">
            <th scope="row" className="mono px-2 py-1.5 text-left font-normal text-bad">
              {wrong}
            </th>
            <td className="px-2 py-1.5 text-bad">This is what was wrong; its value is not kept.</td>
          </tr>
        )}
        {params.map(({ key, value }, index) => {
          const isWrong = key === wrong;
          const remark = warned.get(key);
          return (
            <tr key={`${key} ${index}`} className={`border-b border-line align-top last:border-0 ${isWrong ? "bg-bad-soft" : ""}`}>
              <th scope="row" className={`mono w-2/5 px-2 py-1.5 text-left font-normal break-all ${isWrong ? "text-bad" : "text-soft"}`}>
                {key}
              </th>
              <td className="px-2 py-1.5">
                <span className="mono break-all whitespace-pre-wrap">{value}</span>
                {isWrong && <span className="block text-bad">This is what was wrong.</span>}
                {remark && <span className="block text-warn">{remark}</span>}
              </td>
            </tr>
          );
        })}
        {params.length === 0 && !isMissing && (
          <tr>
            <td className="py-1.5 text-faint">None.</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function Request({ receipt }: { receipt: Receipt }) {
  return (
    <Facts
      rows={[
        [
          "Received",
          <>
            <Moment at={receipt.receivedAt} /> <span className="text-faint">({localText(receipt.receivedAt)})</span>
          </>,
        ],
        ["For", KIND_TEXT[receipt.kind]],
        ["Sent to", <span className="mono break-all">{`${receipt.httpMethod} ${receipt.host}${receipt.path}`}</span>],
        ["Answered", <span className="figures">{`${receipt.httpStatus}, after ${millisText(receipt.latencyMicros)}`}</span>],
        ["Offer", receipt.offer?.name ?? "–"],
        ["Publisher", receipt.publisher?.name ?? "–"],
        ["Token", receipt.token ? `${receipt.token.label ?? "Token"} (${receipt.token.hint})` : "none was verified"],
        ...(receipt.remoteIp ? ([["Sender’s network", <span className="mono">{receipt.remoteIp}</span>]] as const) : []),
        ...(receipt.userAgent ? ([["Sender", receipt.userAgent]] as const) : []),
        ["Request id", <CopiedId text={receipt.requestId} />],
        ["Receipt", <CopiedId text={receipt.id} />],
      ]}
    />
  );
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
