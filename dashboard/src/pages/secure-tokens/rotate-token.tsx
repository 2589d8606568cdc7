// A rotation: how long the old secret works on, who must be told meanwhile, and then the new URLs, once.

import { useState } from "react";

import { useCreate } from "@/api/change";
import { RotateTokenDocument, type RotateTokenMutation, type TokenRowFragment } from "@/api/gql/graphql";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Field, Select, Switch, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { localText } from "@/parts/moment";
import { Notice } from "@/parts/states";
import { NewUrls } from "./new-urls";
import { Senders } from "./senders";

type Rotated = NonNullable<RotateTokenMutation["secureTokenRotate"]>;

const OVERLAPS = [
  ["0", "Now: the old one stops at once"],
  ["3600", "In 1 hour"],
  ["86400", "In 24 hours"],
  ["604800", "In 7 days"],
] as const;

export function RotateToken({ token, onClose }: { token: TokenRowFragment; onClose: () => void }) {
  const rotate = useCreate(RotateTokenDocument, (data) => data.secureTokenRotate);
  const [rotated, setRotated] = useState<Rotated | null>(null);
  const form = useForm(
    { overlapSeconds: "86400", label: token.label ?? "", force: false },
    ({ overlapSeconds, label, force }) =>
      rotate.run({
        id: token.id,
        version: token.version,
        input: { overlapSeconds: Number(overlapSeconds), label: label.trim() || null, force },
      }),
    setRotated,
  );
  if (rotated) return <Done rotated={rotated} offerId={token.offer?.id} onClose={onClose} />;
  const isHard = form.values.overlapSeconds === "0";
  return (
    <Dialog title={`Rotate ${token.label ?? token.hint}`} onClose={onClose}>
      <Form form={form} action={isHard ? "Rotate, and stop the old one" : "Rotate"} busyText="Rotating…" onCancel={onClose}>
        <p className="text-sm text-soft">
          A new secret is made. The old one works on until its end, so that senders have time to change their URLs.
        </p>
        <Field label="The old one ends" problem={form.problem("overlapSeconds")}>
          {(control) => (
            <Select {...control} value={form.values.overlapSeconds} onChange={(event) => form.set("overlapSeconds", event.target.value)}>
              {OVERLAPS.map(([seconds, text]) => (
                <option key={seconds} value={seconds}>
                  {text}
                </option>
              ))}
            </Select>
          )}
        </Field>
        {isHard && (
          <Notice tone="bad" role="status">
            Every sender that still has the old URL is refused from this moment on.
          </Notice>
        )}
        <Senders tokenId={token.id} />
        <Field label="Name of the new one" optional problem={form.problem("label")}>
          {(control) => <TextInput {...control} value={form.values.label} onChange={(event) => form.set("label", event.target.value)} />}
        </Field>
        {form.rest.some(({ code }) => code === "ROTATION_OPEN") && (
          <Switch
            label="Rotate again all the same"
            hint="An earlier rotation is not over: three secrets of this scope will work at once."
            checked={form.values.force}
            onChange={(on) => form.set("force", on)}
          />
        )}
      </Form>
    </Dialog>
  );
}

function Done({ rotated, offerId, onClose }: { rotated: Rotated; offerId: string | undefined; onClose: () => void }) {
  const until = rotated.previousToken?.retiringUntil;
  return (
    <Dialog title="The new secret" onClose={onClose} size="wide">
      <div className="grid gap-4">
        <Notice tone="good" role="status">
          {until && Date.parse(until) > Date.now() ? `Both work until ${localText(until)}. Send the new URL to the advertiser before that.` : "The old one is refused from now on."}
        </Notice>
        <NewUrls secret={rotated.secret} capabilities={rotated.token?.capabilities ?? []} offerId={offerId} warnings={rotated.warnings} />
        <div className="flex justify-end">
          <Button look="primary" onClick={onClose}>
            Done
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
