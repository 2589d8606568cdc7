// One rule: what it says, whether it gets through, what it would send, and every delivery with its tries.

import { Ellipsis, FlaskConical, KeyRound, Pencil, Power, Trash2 } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { useChange } from "@/api/change";
import { DeleteOutboundDocument, OutboundDrawerDocument, type OutboundDrawerQuery, RotateOutboundSecretDocument, UpdateOutboundDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, IconButton } from "@/parts/button";
import { Confirm } from "@/parts/confirm";
import { Drawer } from "@/parts/drawer";
import { Field, Select } from "@/parts/field";
import { Moment } from "@/parts/moment";
import { Facts } from "@/parts/page";
import { Menu } from "@/parts/popup/menu";
import { ShownOnce } from "@/parts/shown-once";
import { Empty, Loaded, Notice, Skeleton } from "@/parts/states";
import { Tabs } from "@/parts/tabs";
import { toast } from "@/parts/toast";
import { Deliveries } from "./deliveries";
import { Preview } from "./preview";
import { RulePill } from "./rule-pill";
import { delayText, METHOD_TEXT, MOMENT_TEXT, percentText, SECRET } from "./words";

const EditRule = lazy(() => import("./rule-form").then(({ EditRule }) => ({ default: EditRule })));
const TestRule = lazy(() => import("./test-rule").then(({ TestRule }) => ({ default: TestRule })));

type Rule = NonNullable<OutboundDrawerQuery["outboundPostback"]>;

const TABS = [
  ["rule", "Rule"],
  ["deliveries", "Deliveries"],
  ["preview", "Preview"],
] as const;

export function RuleDrawer({ id, onClose }: { id: string; onClose: () => void }) {
  const mayEdit = useMay("MANAGER");
  const query = useApi(OutboundDrawerDocument, { id, mayEdit });
  return (
    <Drawer title={query.data?.outboundPostback?.name ?? "Outbound postback"} subject={id} onClose={onClose}>
      <Loaded query={query} skeleton={<Skeleton lines={8} />}>
        {({ outboundPostback: rule }) => (rule ? <Body rule={rule} onClose={onClose} /> : <Empty title="There is no such outbound postback" />)}
      </Loaded>
    </Drawer>
  );
}

function Body({ rule, onClose }: { rule: Rule; onClose: () => void }) {
  const mayEdit = useMay("MANAGER");
  const [tab, setTab] = useState<(typeof TABS)[number][0]>("rule");
  return (
    <div className="grid gap-5">
      <div className="flex flex-wrap items-center gap-2">
        <RulePill rule={rule} />
        <span className="figures text-sm text-soft">{rule.successRate24h ? `${percentText(rule.successRate24h)} delivered in 24 hours` : "Nothing has ended in 24 hours"}</span>
      </div>
      {rule.deletedAt && <Notice tone="warn">It was deleted, and fires nothing any more.</Notice>}
      {rule.disabledReason && <Notice tone="bad">{rule.disabledReason}</Notice>}
      {rule.failingSince && (
        <Notice tone="warn">
          Every try has failed since <Moment at={rule.failingSince} />. After five days it is switched off.
        </Notice>
      )}
      {mayEdit && !rule.deletedAt && <Actions rule={rule} onClose={onClose} />}
      <Tabs label="Of this rule" value={tab} tabs={mayEdit ? TABS : TABS.slice(0, 2)} onChange={setTab}>
        {tab === "rule" && <What rule={rule} />}
        {tab === "deliveries" && <Deliveries ruleId={rule.id} />}
        {tab === "preview" && <Preview rule={rule} />}
      </Tabs>
    </div>
  );
}

function What({ rule }: { rule: Rule }) {
  return (
    <Facts
      rows={[
        ["Publisher", rule.publisher?.name ?? "any"],
        ["Offer", rule.offer?.name ?? "any"],
        ["Fires on", rule.fireOn.map((moment) => MOMENT_TEXT[moment]).join(", ")],
        ...(rule.fireOn.includes("REJECTED") ? ([["Reasons", rule.rejectionReasons.join("; ") || "every reason"]] as const) : []),
        ["Events", rule.eventNumbers.length > 0 ? rule.eventNumbers.map((number) => (number === 0 ? "the conversion" : `event ${number}`)).join(", ") : "every"],
        ["Sent", delayText(rule.delaySeconds)],
        ["Method", METHOD_TEXT[rule.method]],
        ["URL", <span className="mono break-all">{rule.urlTemplate ?? rule.maskedUrl}</span>],
        ["Signature in", rule.method === "GET" ? (rule.signatureParameter ?? "not signed") : "the header webhook-signature"],
        ["Signing secret", <span className="mono">{rule.signingHint}</span>],
        ...(rule.previousKeyUntil ? ([["Older secret ends", <Moment at={rule.previousKeyUntil} />]] as const) : []),
        ["Changed", <Moment at={rule.updatedAt} />],
      ]}
    />
  );
}

function Actions({ rule, onClose }: { rule: Rule; onClose: () => void }) {
  const [open, setOpen] = useState<"edit" | "test" | "rotate" | "delete" | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const update = useChange(UpdateOutboundDocument, (data) => data.outboundPostbackUpdate);
  const close = () => setOpen(null);
  const turn = async () => {
    const { problems } = await update.run({ id: rule.id, version: rule.version, postback: { enabled: !rule.enabled } });
    if (problems.length === 0) toast(rule.enabled ? "It is off." : "It is on.");
    for (const { message } of problems) toast(message, { tone: "bad" });
  };
  return (
    <div className="flex flex-wrap gap-2">
      <Button size="small" onClick={() => setOpen("edit")}>
        <Pencil aria-hidden />
        Edit
      </Button>
      <Button size="small" onClick={() => setOpen("test")}>
        <FlaskConical aria-hidden />
        Send test
      </Button>
      <Menu
        trigger={
          <IconButton label="More actions">
            <Ellipsis aria-hidden />
          </IconButton>
        }
        items={[
          { text: rule.enabled ? "Switch off" : "Switch on", icon: <Power aria-hidden />, onSelect: () => void turn() },
          { text: "New signing secret", icon: <KeyRound aria-hidden />, onSelect: () => setOpen("rotate") },
          { text: "Delete", icon: <Trash2 aria-hidden />, isDanger: true, onSelect: () => setOpen("delete") },
        ]}
      />
      <Suspense>
        {open === "edit" && <EditRule rule={rule} onClose={close} />}
        {open === "test" && <TestRule rule={rule} onClose={close} />}
        {open === "rotate" && <Rotate rule={rule} onClose={close} onDone={setSecret} />}
        {open === "delete" && <Delete rule={rule} onClose={close} onDone={onClose} />}
        {secret && <ShownOnce {...SECRET} text={secret} onClose={() => setSecret(null)} />}
      </Suspense>
    </div>
  );
}

function Rotate({ rule, onClose, onDone }: { rule: Rule; onClose: () => void; onDone: (secret: string | null) => void }) {
  const rotate = useChange(RotateOutboundSecretDocument, (data) => data.outboundPostbackSecretRotate);
  const [overlap, setOverlap] = useState("86400");
  return (
    <Confirm
      title="Make a new signing secret?"
      action="Make it"
      look="primary"
      run={() => rotate.run({ id: rule.id, overlapSeconds: Number(overlap) })}
      onDone={({ secret }) => {
        onClose();
        onDone(secret ?? null);
      }}
      onClose={onClose}
    >
      <p>Until the old one ends both sign, so that the publisher has time to change.</p>
      <Field label="The old one ends">
        {(control) => (
          <Select {...control} value={overlap} onChange={(event) => setOverlap(event.target.value)}>
            <option value="0">Now</option>
            <option value="86400">In 24 hours</option>
            <option value="604800">In 7 days</option>
          </Select>
        )}
      </Field>
    </Confirm>
  );
}

function Delete({ rule, onClose, onDone }: { rule: Rule; onClose: () => void; onDone: () => void }) {
  const remove = useChange(DeleteOutboundDocument, (data) => data.outboundPostbackDelete);
  return (
    <Confirm
      title={`Delete ${rule.name}?`}
      action="Delete"
      run={() => remove.run({ id: rule.id })}
      onDone={() => {
        toast(`${rule.name} is deleted.`);
        onDone();
      }}
      onClose={onClose}
    >
      <p>It fires nothing any more, and what it still had to send is cancelled. What it has sent stays in the histories.</p>
    </Confirm>
  );
}
