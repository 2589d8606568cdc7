// Putting the money of a conversion right. What somebody else changed meanwhile is shown before anything is written
// over it.

import { useEffect, useState } from "react";

import { useChange } from "@/api/change";
import { AmendConversionDocument, type ConversionRowFragment } from "@/api/gql/graphql";
import { queryClient } from "@/api/query";
import { moneyText } from "@/parts/amount";
import { Dialog } from "@/parts/dialog";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Notice } from "@/parts/states";
import { toast } from "@/parts/toast";

type Priced = Pick<ConversionRowFragment, "id" | "version" | "revenue" | "payout" | "purchaseValue">;

const AMOUNTS = [
  ["revenue", "Revenue", "What the advertiser pays."],
  ["payout", "Payout", "What the publisher gets."],
  ["purchaseValue", "Basket", undefined],
] as const;

export function AmendDialog({ conversion, onClose }: { conversion: Priced; onClose: () => void }) {
  const amend = useChange(AmendConversionDocument, (data) => data.conversionAmend);
  /** As whoever types has seen it. */
  const [seen, setSeen] = useState(conversion);
  const [isConflict, setConflict] = useState(false);
  const form = useForm(
    { ...amountsOf(conversion), note: "" },
    async ({ note, ...typed }) => {
      const old = amountsOf(seen);
      const changed = Object.fromEntries(AMOUNTS.map(([name]) => [name, typed[name].trim() === old[name] ? null : typed[name].trim()]));
      const outcome = await amend.run({ id: seen.id, version: seen.version, input: { ...changed, note: note.trim() } });
      if (!outcome.problems.some(({ code }) => code === "CONFLICT_VERSION")) return outcome;
      await queryClient.invalidateQueries();
      setConflict(true);
      return { payload: null, problems: [] };
    },
    ({ change }) => {
      toast(change ? "The amounts are put right." : "They were so already: nothing changed.");
      onClose();
    },
  );
  const { values, set, problem } = form;
  useEffect(() => {
    if (!isConflict || conversion.version === seen.version) return;
    const [old, now] = [amountsOf(seen), amountsOf(conversion)];
    // What was typed stays; what was left as it was follows.
    for (const [name] of AMOUNTS) if (values[name] === old[name]) set(name, now[name]);
    setSeen(conversion);
  }, [isConflict, conversion, seen, values, set]);

  const currency = AMOUNTS.map(([name]) => conversion[name]?.currency).find(Boolean);
  return (
    <Dialog title="Put amounts right" size="small" onClose={onClose}>
      <Form form={form} action="Save" onCancel={onClose}>
        {isConflict && (
          <Notice tone="warn" role="alert">
            Somebody changed it meanwhile: {AMOUNTS.map(([name, text]) => `${text.toLowerCase()} ${seen[name] ? moneyText(seen[name]) : "–"}`).join(", ")} now. What you
            typed is still here; look at it, and save again.
          </Notice>
        )}
        <div className="grid gap-4 sm:grid-cols-3">
          {AMOUNTS.map(([name, text, hint]) => (
            <Field key={name} label={currency ? `${text} (${currency})` : text} hint={hint} problem={problem(name)}>
              {(control) => (
                <TextInput {...control} inputMode="decimal" className="figures text-right" value={values[name]} onChange={(event) => set(name, event.target.value)} />
              )}
            </Field>
          ))}
        </div>
        <Field label="Note" hint="Why; in its history, for people in the network only." problem={problem("note")}>
          {(control) => <TextInput {...control} required value={values.note} onChange={(event) => set("note", event.target.value)} />}
        </Field>
      </Form>
    </Dialog>
  );
}

function amountsOf({ revenue, payout, purchaseValue }: Priced) {
  return { revenue: revenue?.amount ?? "", payout: payout?.amount ?? "", purchaseValue: purchaseValue?.amount ?? "" };
}
