// What a rule has told, is telling and will tell; each with its tries, and those that were given up to be sent again.

import { Link } from "@tanstack/react-router";
import { RotateCw } from "lucide-react";
import { useState } from "react";

import { useChange } from "@/api/change";
import { type DeliveryRowFragment, type DeliveryState, OutboundDeliveriesDocument, RetryDeliveryDocument } from "@/api/gql/graphql";
import { useList } from "@/api/query";
import { useMay } from "@/app/session";
import { Button } from "@/parts/button";
import { CodeBlock } from "@/parts/copy";
import { Select } from "@/parts/field";
import { Moment, useNow } from "@/parts/moment";
import { DeliveryPill, TestPill } from "@/parts/pill";
import { Failed, Skeleton } from "@/parts/states";
import { toast } from "@/parts/toast";
import { MOMENT_TEXT } from "./words";

const PAGE = 20;
const LOOK_MILLIS = 10_000;
const NONE = { nodes: [], pageInfo: { hasNextPage: false, endCursor: null } };
const STATES: readonly (readonly [DeliveryState, string])[] = [
  ["GAVE_UP", "Given up"],
  ["RETRYING", "Tried again"],
  ["PENDING", "Waiting"],
  ["SUCCEEDED", "Delivered"],
  ["CANCELLED", "Cancelled"],
];

export function Deliveries({ ruleId }: { ruleId: string }) {
  const mayEdit = useMay("MANAGER");
  const [state, setState] = useState<DeliveryState | "">("");
  const list = useList(
    OutboundDeliveriesDocument,
    { id: ruleId, states: state ? [state] : null, first: PAGE, mayEdit },
    (data) => data.outboundPostback?.deliveries ?? NONE,
    { refetchInterval: LOOK_MILLIS },
  );
  return (
    <div className="grid gap-3">
      <Select aria-label="Which deliveries" isSmall className="max-w-48" value={state} onChange={(event) => setState(STATES.find(([one]) => one === event.target.value)?.[0] ?? "")}>
        <option value="">All deliveries</option>
        {STATES.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </Select>
      {!list.rows && list.error && <Failed error={list.error} onRetry={list.retry} />}
      {!list.rows && !list.error && <Skeleton lines={4} />}
      {list.rows?.length === 0 && <p className="py-6 text-center text-sm text-faint">None.</p>}
      <ul className={list.isStale ? "opacity-60" : ""}>
        {list.rows?.map((delivery) => <DeliveryItem key={delivery.id} delivery={delivery} />)}
      </ul>
      {list.hasMore && (
        <Button size="small" className="justify-self-center" disabled={list.isLoadingMore} onClick={list.loadMore}>
          Load more
        </Button>
      )}
    </div>
  );
}

export function DeliveryItem({ delivery }: { delivery: DeliveryRowFragment }) {
  const mayEdit = useMay("MANAGER");
  const retry = useChange(RetryDeliveryDocument, (data) => data.deliveryRetry);
  const now = useNow();
  const isOver = delivery.state === "GAVE_UP" || delivery.state === "SUCCEEDED";
  const again = async () => {
    const { problems } = await retry.run({ id: delivery.id });
    if (problems.length === 0) toast("It is sent again.");
    for (const { message } of problems) toast(message, { tone: "bad" });
  };
  return (
    <li className="border-b border-line py-2 last:border-0">
      <div className="flex flex-wrap items-center justify-between gap-2 text-sm">
        <span className="flex flex-wrap items-center gap-2">
          <DeliveryPill state={delivery.state} />
          {delivery.isTest && <TestPill />}
          <span>{MOMENT_TEXT[delivery.moment]}</span>
          <span className="text-faint">
            <Moment at={delivery.createdAt} />
          </span>
        </span>
        {mayEdit && isOver && !delivery.isTest && (
          <Button size="small" disabled={retry.isRunning} onClick={() => void again()}>
            <RotateCw aria-hidden />
            Send again
          </Button>
        )}
      </div>
      <p className="text-sm text-faint">
        {delivery.awaitsClick && "Waits for its click, 24 hours at most. "}
        {delivery.nextAttemptAt && (
          <>
            {Date.parse(delivery.nextAttemptAt) > now ? <>Next try <Moment at={delivery.nextAttemptAt} />. </> : "The next try is due. "}
          </>
        )}
        {delivery.conversion && (
          <Link to="/conversions" search={{ conversion: delivery.conversion.id }} className="mono break-all hover:underline">
            {delivery.conversion.transactionId}
          </Link>
        )}
      </p>
      {delivery.attempts.length > 0 && (
        <details className="mt-1 text-sm">
          <summary className="cursor-pointer text-soft select-none">
            {delivery.attempts.length === 1 ? "1 try" : `${delivery.attempts.length} tries`}: {delivery.error ?? `answered ${delivery.responseStatus ?? "nothing"}`}
          </summary>
          <ol className="mt-2 grid gap-3 border-l border-line pl-3">
            {delivery.attempts.map((attempt) => (
              <li key={attempt.number} className="grid gap-1">
                <p>
                  <span className="font-medium">Try {attempt.number}</span>, <Moment at={attempt.at} />, <span className="figures">{attempt.durationMs} ms</span>:{" "}
                  <span className={attempt.error ? "text-bad" : "text-good"}>{attempt.error ?? `answered ${attempt.responseStatus ?? "nothing"}`}</span>
                </p>
                <p className="mono break-all text-faint">{attempt.maskedUrl}</p>
                {attempt.requestBody && <CodeBlock text={attempt.requestBody} what="what was sent" />}
                {attempt.responseBody && <CodeBlock text={attempt.responseBody} what="what was answered" />}
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}
