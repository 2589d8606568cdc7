// A new token: for all offers or one, what its senders may do, and from where.

import { useState } from "react";

import { useCreate } from "@/api/change";
import { CreateTokenDocument, type CreateTokenMutation, type TokenCapability, type TokenScope } from "@/api/gql/graphql";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Choice, Field, Switch, TextArea, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Picker } from "@/parts/lookup/picker";
import { Notice } from "@/parts/states";
import { NewUrls } from "./new-urls";

type Created = NonNullable<CreateTokenMutation["secureTokenCreate"]>;

const CAPABILITIES: readonly (readonly [TokenCapability, string, string])[] = [
  ["CONVERT", "Report conversions", "With the transaction id of a click."],
  ["REJECT", "Reject conversions", "With a reason."],
  ["STATUS", "Change the status of conversions", "Approve and set back, too."],
  ["CLICKLESS", "Report conversions without a click", "Whoever has it can make conversions up: give it only to whom you trust."],
];

interface Props {
  offerId: string | undefined;
  scope: TokenScope | undefined;
  onClose: () => void;
}

export function CreateToken({ offerId, scope, onClose }: Props) {
  const create = useCreate(CreateTokenDocument, (data) => data.secureTokenCreate);
  const [created, setCreated] = useState<Created | null>(null);
  const form = useForm(
    {
      scope: scope ?? (offerId ? "OFFER" : "GLOBAL") as TokenScope,
      offerId,
      label: "",
      capabilities: ["CONVERT", "REJECT"] as TokenCapability[],
      allowedSourceIps: "",
      lenientStatus: false,
      importedSecret: "",
    },
    (values) =>
      create.run({
        input: {
          scope: values.scope,
          offerId: values.scope === "OFFER" ? (values.offerId ?? null) : null,
          label: values.label.trim() || null,
          capabilities: values.capabilities,
          allowedSourceIps: values.allowedSourceIps.split(/\s+/).filter(Boolean),
          lenientStatus: values.lenientStatus,
          importedSecret: values.importedSecret.trim() || null,
        },
      }),
    setCreated,
  );
  const { values, set, problem } = form;
  if (created) {
    return (
      <Dialog title="The new token" onClose={onClose} size="wide">
        <div className="grid gap-4">
          <NewUrls
            secret={created.secret}
            capabilities={values.capabilities}
            offerId={values.scope === "OFFER" ? values.offerId : undefined}
            warnings={created.warnings}
          />
          <div className="flex justify-end">
            <Button look="primary" onClick={onClose}>
              Done
            </Button>
          </div>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="New token" onClose={onClose}>
      <Form form={form} action="Create the token" busyText="Creating…" onCancel={onClose}>
        <Field label="Name" optional hint="Such as the advertiser that it is for." problem={problem("label")}>
          {(control) => <TextInput {...control} value={values.label} onChange={(event) => set("label", event.target.value)} />}
        </Field>
        <div className="grid gap-1.5">
          <p className="text-sm font-medium">Good for</p>
          <div>
            <Choice
              label="Good for"
              value={values.scope}
              onChange={(next) => set("scope", next)}
              options={[
                ["GLOBAL", "All offers"],
                ["OFFER", "One offer"],
              ]}
            />
          </div>
        </div>
        {values.scope === "OFFER" && (
          <Field label="Offer" problem={problem("offerId")}>
            {(control) => <Picker noun="offer" {...control} value={values.offerId} onChange={(id) => set("offerId", id)} />}
          </Field>
        )}
        <div role="group" aria-label="What its senders may do" className="grid gap-3">
          <p className="text-sm font-medium">What its senders may do</p>
          {CAPABILITIES.map(([capability, text, hint]) => (
            <Switch
              key={capability}
              label={text}
              hint={hint}
              checked={values.capabilities.includes(capability)}
              onChange={(on) =>
                set("capabilities", on ? [...values.capabilities, capability] : values.capabilities.filter((one) => one !== capability))
              }
            />
          ))}
          {problem("capabilities") && <Notice tone="bad">{problem("capabilities")}</Notice>}
        </div>
        <details className="rounded-md border border-line">
          <summary className="cursor-pointer px-3 py-2 text-sm font-medium select-none">More</summary>
          <div className="grid gap-4 border-t border-line p-3">
            <Field label="Only from these addresses or networks" optional hint="One a line; none lets all in." problem={problem("allowedSourceIps")}>
              {(control) => (
                <TextArea {...control} className="mono" rows={2} value={values.allowedSourceIps} onChange={(event) => set("allowedSourceIps", event.target.value)} />
              )}
            </Field>
            <Switch
              label="Answer 200 to refusals"
              hint="For senders that switch themselves off after errors: ok is then false in the body."
              checked={values.lenientStatus}
              onChange={(on) => set("lenientStatus", on)}
            />
            <Field label="Take over a secret of another system" optional hint="As weak as that system made it." problem={problem("importedSecret")}>
              {(control) => (
                <TextInput {...control} className="mono" value={values.importedSecret} onChange={(event) => set("importedSecret", event.target.value)} />
              )}
            </Field>
          </div>
        </details>
      </Form>
    </Dialog>
  );
}
