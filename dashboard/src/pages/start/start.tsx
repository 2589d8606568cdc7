// From nothing to the first recorded conversion: a list that ticks itself, because it looks at what is there.

import { ArrowRight, Check } from "lucide-react";
import { useState } from "react";

import { StartProgressDocument, type StartProgressQuery } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, LinkButton } from "@/parts/button";
import { Card, Page } from "@/parts/page";
import { Loaded, Notice } from "@/parts/states";
import { Workspace } from "./workspace";

const LOOK_MILLIS = 4_000;

interface Step {
  title: string;
  text: string;
  isDone: boolean;
  action: React.ReactNode;
}

export function Start() {
  const mayEdit = useMay("ADMIN");
  const [isOpen, setOpen] = useState(false);
  const query = useApi(StartProgressDocument, {}, { refetchInterval: LOOK_MILLIS });
  return (
    <Page title="Getting started" about="The way to the first conversion. The list ticks itself.">
      <Card isFlush>
        <Loaded query={query}>{(data) => <Checklist steps={steps(data, mayEdit && (() => setOpen(true)))} />}</Loaded>
      </Card>
      {isOpen && query.data && <Workspace settings={query.data.settings} onClose={() => setOpen(false)} />}
    </Page>
  );
}

/** `openWorkspace` is false for whoever may not change it. */
function steps(data: StartProgressQuery, openWorkspace: false | (() => void)): Step[] {
  const { settings, advertisers, publishers, offers, secureTokens, receipts, conversions } = data;
  const offer = offers.nodes[0];
  return [
    {
      title: "Say your time zone and currency",
      text: "Whose days reports count, and what offers are paid in that say nothing else.",
      isDone: Boolean(settings.currency),
      action: openWorkspace && (
        <Button size="small" onClick={openWorkspace}>
          Set
        </Button>
      ),
    },
    {
      title: "Add an advertiser",
      text: "Who pays for results, and whose server reports them.",
      isDone: advertisers.nodes.length > 0,
      action: <LinkButton to="/advertisers" search={{ create: true }} size="small">Add</LinkButton>,
    },
    {
      title: "Add a publisher",
      text: "Who sends visitors, and is paid for what becomes of them.",
      isDone: publishers.nodes.length > 0,
      action: <LinkButton to="/publishers" search={{ create: true }} size="small">Add</LinkButton>,
    },
    {
      title: "Create an offer",
      text: "What publishers promote: where visitors land, what a conversion brings and costs.",
      isDone: offers.nodes.length > 0,
      action: <LinkButton to="/offers" search={{ create: true }} size="small">Create</LinkButton>,
    },
    {
      title: "Create a secure token",
      text: "The secret in every Postback URL: only who has it can report a conversion.",
      isDone: secureTokens.nodes.length > 0,
      action: <LinkButton to="/offers/secure-tokens" search={{ create: true }} size="small">Create</LinkButton>,
    },
    {
      title: "Copy the Postback URL, and send it to the advertiser",
      text: "They fire it when somebody buys. You can fire it yourself, with the transaction id of a test click.",
      isDone: receipts.nodes.length > 0,
      action: offer ? (
        <LinkButton to="/offers/$offerId" params={{ offerId: offer.id }} search={{ url: "conversion" }} size="small">
          Open {offer.name}
        </LinkButton>
      ) : (
        <LinkButton to="/offers/tracking-links" size="small">Open</LinkButton>
      ),
    },
    {
      title: "See the first conversion arrive",
      text: "A tracking link, a click, a postback: this page looks for it every few seconds.",
      isDone: conversions.nodes.length > 0,
      action: <LinkButton to="/offers/tracking-links" size="small">Make a tracking link</LinkButton>,
    },
  ];
}

function Checklist({ steps }: { steps: Step[] }) {
  const done = steps.filter((step) => step.isDone).length;
  const next = steps.find((step) => !step.isDone);
  return (
    <div>
      <div className="flex items-center gap-3 border-b border-line px-5 py-3">
        <progress
          aria-label="Steps done"
          value={done}
          max={steps.length}
          className="h-1.5 grow overflow-hidden rounded-full [&::-moz-progress-bar]:bg-good [&::-webkit-progress-bar]:bg-line [&::-webkit-progress-value]:bg-good"
        />
        <p role="status" className="figures text-sm text-soft">
          {done} of {steps.length}
        </p>
      </div>
      <ol>
        {steps.map((step, index) => (
          <li key={step.title} className="flex items-start gap-x-4 border-b border-line px-5 py-3.5 last:border-0">
            <span
              className={
                "figures grid size-6 shrink-0 place-items-center rounded-full text-xs font-semibold " +
                (step.isDone ? "bg-good-soft text-good" : "border border-line-strong text-soft")
              }
            >
              {step.isDone ? <Check aria-hidden className="size-4" /> : index + 1}
              <span className="sr-only">{step.isDone ? "Done" : ""}</span>
            </span>
            <div className="flex min-w-0 grow flex-wrap items-center gap-x-4 gap-y-2">
              <div className="min-w-0 grow basis-60">
                <p className={`text-base font-medium ${step.isDone ? "text-faint" : ""}`}>{step.title}</p>
                <p className="text-sm text-faint">{step.text}</p>
              </div>
              {!step.isDone && step.action}
            </div>
          </li>
        ))}
      </ol>
      {!next && (
        <div className="p-5">
          <Notice tone="good" role="status">
            <span className="flex flex-wrap items-center gap-2">
              The round trip is made. <ArrowRight aria-hidden className="size-4" /> From here on, Offers shows what comes in.
            </span>
          </Notice>
        </div>
      )}
    </div>
  );
}
