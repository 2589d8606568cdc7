// What a rule says: whose conversions, on which moments, how the publisher is told and where.

import { useRef, useState } from "react";

import { useChange, useCreate } from "@/api/change";
import { CreateOutboundDocument, type OutboundDrawerQuery, type OutboundMethod, type OutboundMoment, type OutboundPostbackInput, UpdateOutboundDocument } from "@/api/gql/graphql";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Field, Select, Switch, TextArea, TextInput } from "@/parts/field";
import { Form, type FormState, useForm } from "@/parts/form";
import { Picker } from "@/parts/lookup/picker";
import { ShownOnce } from "@/parts/shown-once";
import { toast } from "@/parts/toast";
import { METHOD_TEXT, MOMENT_TEXT, MOMENTS, SECRET } from "./words";

type Rule = NonNullable<OutboundDrawerQuery["outboundPostback"]>;

/** As docs/outbound.md lists them; the server refuses what it does not know. */
const MACROS = [
  "external_transaction_id",
  "sub_id",
  "transaction_id",
  "conversion_id",
  "status",
  "rejection_reason",
  "payout",
  "currency",
  "offer_id",
  "publisher_id",
  "event",
  "converted_at",
] as const;
const UNITS = [
  ["1", "seconds"],
  ["60", "minutes"],
  ["3600", "hours"],
  ["86400", "days"],
] as const;

interface Values {
  name: string;
  publisherId: string | undefined;
  offerId: string | undefined;
  fireOn: OutboundMoment[];
  rejectionReasons: string;
  method: OutboundMethod;
  urlTemplate: string;
  signatureParameter: string;
  delaySeconds: string;
  unit: string;
  enabled: boolean;
}

function valuesOf(rule: Rule | undefined, publisherId?: string): Values {
  const delay = rule?.delaySeconds ?? 0;
  const unit = [...UNITS].reverse().find(([seconds]) => delay > 0 && delay % Number(seconds) === 0)?.[0] ?? "60";
  return {
    name: rule?.name ?? "",
    publisherId: rule ? rule.publisher?.id : publisherId,
    offerId: rule?.offer?.id,
    fireOn: rule?.fireOn ?? ["APPROVED"],
    rejectionReasons: rule?.rejectionReasons.join("\n") ?? "",
    method: rule?.method ?? "GET",
    urlTemplate: rule?.urlTemplate ?? "",
    signatureParameter: rule?.signatureParameter ?? "",
    delaySeconds: String(delay / Number(unit)),
    unit,
    enabled: rule?.enabled ?? true,
  };
}

function inputOf(values: Values): OutboundPostbackInput {
  const reasons = values.rejectionReasons.split("\n").map((line) => line.trim()).filter(Boolean);
  return {
    name: values.name,
    publisherId: values.publisherId ?? null,
    offerId: values.offerId ?? null,
    fireOn: values.fireOn,
    rejectionReasons: values.fireOn.includes("REJECTED") ? reasons : [],
    method: values.method,
    urlTemplate: values.urlTemplate.trim(),
    signatureParameter: values.method === "GET" ? values.signatureParameter.trim() || null : null,
    delaySeconds: Math.round(Number(values.delaySeconds) * Number(values.unit)),
    enabled: values.enabled,
  };
}

export function NewRule({ publisherId, onClose, onMade }: { publisherId: string | undefined; onClose: () => void; onMade: (id: string | undefined) => void }) {
  const create = useCreate(CreateOutboundDocument, (data) => data.outboundPostbackCreate);
  const [made, setMade] = useState<{ id: string | undefined; secret: string } | null>(null);
  const form = useForm(
    valuesOf(undefined, publisherId),
    (values) => create.run({ postback: inputOf(values) }),
    ({ postback, secret }) => {
      toast(`${postback?.name ?? "The rule"} is made.`);
      if (secret) setMade({ id: postback?.id, secret });
      else onMade(postback?.id);
    },
  );
  if (made) return <ShownOnce {...SECRET} text={made.secret} onClose={() => onMade(made.id)} />;
  return (
    <Dialog title="New outbound postback" size="wide" onClose={onClose}>
      <Form form={form} action="Make it" onCancel={onClose}>
        <Fields form={form} />
      </Form>
    </Dialog>
  );
}

export function EditRule({ rule, onClose }: { rule: Rule; onClose: () => void }) {
  const update = useChange(UpdateOutboundDocument, (data) => data.outboundPostbackUpdate);
  const form = useForm(
    valuesOf(rule),
    (values) => update.run({ id: rule.id, version: rule.version, postback: inputOf(values) }),
    () => {
      toast("Saved. What still waits is sent as the rule is now.");
      onClose();
    },
  );
  return (
    <Dialog title={`Edit ${rule.name}`} size="wide" onClose={onClose}>
      <Form form={form} action="Save" onCancel={onClose}>
        <Fields form={form} />
      </Form>
    </Dialog>
  );
}

function Fields({ form: { values, set, problem } }: { form: FormState<Values> }) {
  return (
    <>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Name" problem={problem("name")}>
          {(control) => <TextInput {...control} value={values.name} onChange={(event) => set("name", event.target.value)} />}
        </Field>
        <Field label="Method" problem={problem("method")} hint={values.method === "GET" ? "Everything is in the URL." : "Every field is in the body, and it is signed."}>
          {(control) => (
            <Select {...control} value={values.method} onChange={(event) => set("method", event.target.value as OutboundMethod)}>
              {Object.entries(METHOD_TEXT).map(([method, text]) => (
                <option key={method} value={method}>
                  {text}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Publisher" optional problem={problem("publisherId")}>
          {(control) => <Picker {...control} noun="publisher" isOptional placeholder="Any publisher" value={values.publisherId} onChange={(id) => set("publisherId", id)} />}
        </Field>
        <Field label="Offer" optional problem={problem("offerId")}>
          {(control) => <Picker {...control} noun="offer" isOptional placeholder="Any offer" value={values.offerId} onChange={(id) => set("offerId", id)} />}
        </Field>
      </div>
      <Moments form={{ values, set, problem }} />
      <UrlField form={{ values, set, problem }} />
      <div className="grid gap-4 sm:grid-cols-2">
        <div className="grid grid-cols-[1fr_8rem] items-start gap-2">
          <Field label="Sent after" hint="30 days at most." problem={problem("delaySeconds")}>
            {(control) => <TextInput {...control} inputMode="numeric" className="figures" value={values.delaySeconds} onChange={(event) => set("delaySeconds", event.target.value.replace(/[^\d.]/g, ""))} />}
          </Field>
          <div className="mt-6.5">
            <Select aria-label="Unit of the delay" value={values.unit} onChange={(event) => set("unit", event.target.value)}>
              {UNITS.map(([seconds, text]) => (
                <option key={seconds} value={seconds}>
                  {text}
                </option>
              ))}
            </Select>
          </div>
        </div>
        {values.method === "GET" && (
          <Field label="Parameter of the signature" optional hint="Else the URL is not signed." problem={problem("signatureParameter")}>
            {(control) => <TextInput {...control} className="mono" placeholder="sig" value={values.signatureParameter} onChange={(event) => set("signatureParameter", event.target.value)} />}
          </Field>
        )}
      </div>
      <Switch label="It fires" hint="Off: nothing is sent, and what waits goes on waiting." checked={values.enabled} onChange={(on) => set("enabled", on)} />
    </>
  );
}

type Part = { form: Pick<FormState<Values>, "values" | "set" | "problem"> };

function Moments({ form: { values, set, problem } }: Part) {
  const has = (moment: OutboundMoment) => values.fireOn.includes(moment);
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <fieldset className="grid content-start gap-2">
        <legend className="mb-1.5 text-sm font-medium">Fires when a conversion is</legend>
        {MOMENTS.map((moment) => (
          <Switch
            key={moment}
            label={MOMENT_TEXT[moment]}
            checked={has(moment)}
            onChange={(on) => set("fireOn", on ? [...values.fireOn, moment] : values.fireOn.filter((one) => one !== moment))}
          />
        ))}
        {problem("fireOn") && <p className="text-sm text-bad">{problem("fireOn")}</p>}
      </fieldset>
      {has("REJECTED") && (
        <Field label="Only for these reasons" optional hint="One a line; none means every reason." problem={problem("rejectionReasons")}>
          {(control) => <TextArea {...control} rows={3} value={values.rejectionReasons} onChange={(event) => set("rejectionReasons", event.target.value)} />}
        </Field>
      )}
    </div>
  );
}

/** The URL, with the macros to be put where the cursor is. */
function UrlField({ form: { values, set, problem } }: Part) {
  const box = useRef<HTMLTextAreaElement>(null);
  const put = (macro: string) => {
    const element = box.current;
    const text = `{${macro}}`;
    const [from, to] = element ? [element.selectionStart, element.selectionEnd] : [values.urlTemplate.length, values.urlTemplate.length];
    set("urlTemplate", values.urlTemplate.slice(0, from) + text + values.urlTemplate.slice(to));
    element?.focus();
  };
  return (
    <div className="grid gap-2">
      <Field label="URL of the publisher" hint="https. A GET carries {external_transaction_id} or a sub id, or the publisher cannot tell which click it is." problem={problem("urlTemplate")}>
        {(control) => (
          <TextArea {...control} ref={box} rows={3} spellCheck={false} className="mono text-sm" placeholder="https://publisher.example/postback?click={external_transaction_id}&payout={payout}" value={values.urlTemplate} onChange={(event) => set("urlTemplate", event.target.value)} />
        )}
      </Field>
      <div className="flex flex-wrap gap-1.5" role="group" aria-label="Put in a macro">
        {MACROS.map((macro) => (
          <Button key={macro} size="small" className="mono h-6 px-1.5 text-xs" onClick={() => put(macro)}>
            {`{${macro}}`}
          </Button>
        ))}
      </div>
    </div>
  );
}
