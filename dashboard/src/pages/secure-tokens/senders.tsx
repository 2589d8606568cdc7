// Who still sends with a token: its requests of the last seven days by the network that they came from. That is who
// must be told before it ends.

import { useState } from "react";

import { TokenSendersDocument, type TokenSendersQuery } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { countText } from "@/parts/amount";
import { Moment } from "@/parts/moment";
import { Loaded, Notice, Skeleton } from "@/parts/states";

type Request = TokenSendersQuery["receipts"]["nodes"][number];

const DAYS = 7;
const SHOWN_MAX = 5;

interface Sender {
  network: string;
  agent: string;
  offers: string[];
  requests: number;
  lastAt: string;
}

export function Senders({ tokenId }: { tokenId: string }) {
  // Fixed while the dialog is open: a question that changes with the clock would never be answered from the cache.
  const [since] = useState(() => new Date(Date.now() - DAYS * 86_400_000).toISOString());
  const query = useApi(TokenSendersDocument, { tokenIds: [tokenId], since });
  return (
    <Loaded query={query} skeleton={<Skeleton lines={2} />}>
      {({ receipts }) => {
        const senders = bySender(receipts.nodes);
        if (senders.length === 0) return <Notice tone="good">Nobody has used it in the last {DAYS} days.</Notice>;
        return (
          <div className="grid gap-2">
            <p className="text-sm font-medium">
              Who uses it: {receipts.pageInfo.hasNextPage ? "the newest 200" : countText(receipts.nodes.length)} requests of the last {DAYS} days
            </p>
            <ul className="grid gap-1.5">
              {senders.slice(0, SHOWN_MAX).map((sender) => (
                <li key={sender.network + sender.agent} className="rounded-md border border-line bg-sunken px-3 py-2 text-sm">
                  <div className="flex flex-wrap items-baseline justify-between gap-x-3">
                    <span className="mono">{sender.network}</span>
                    <span className="text-faint">
                      {countText(sender.requests)} ×, last <Moment at={sender.lastAt} />
                    </span>
                  </div>
                  <p className="truncate text-xs text-faint" title={sender.agent}>
                    {[sender.agent, ...sender.offers].filter(Boolean).join(" · ")}
                  </p>
                </li>
              ))}
            </ul>
            {senders.length > SHOWN_MAX && <p className="text-sm text-faint">and {senders.length - SHOWN_MAX} more</p>}
          </div>
        );
      }}
    </Loaded>
  );
}

function bySender(requests: Request[]): Sender[] {
  const senders = new Map<string, Sender>();
  for (const { remoteIp, userAgent, offer, receivedAt } of requests) {
    const [network, agent] = [remoteIp ?? "an unknown network", userAgent ?? ""];
    const key = `${network} ${agent}`;
    // The newest request comes first.
    const sender = senders.get(key) ?? { network, agent, offers: [], requests: 0, lastAt: receivedAt };
    sender.requests += 1;
    if (offer && !sender.offers.includes(offer.name)) sender.offers.push(offer.name);
    senders.set(key, sender);
  }
  return [...senders.values()].sort((one, other) => other.requests - one.requests);
}
