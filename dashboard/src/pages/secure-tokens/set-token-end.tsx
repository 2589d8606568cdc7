// Another end for a token: later, when a sender needs more time, or earlier.

import { useChange } from "@/api/change";
import { SetTokenEndDocument, type TokenRowFragment } from "@/api/gql/graphql";
import { Dialog } from "@/parts/dialog";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { toast } from "@/parts/toast";
import { Senders } from "./senders";

const DAY_MILLIS = 86_400_000;

export function SetTokenEnd({ token, onClose }: { token: TokenRowFragment; onClose: () => void }) {
  const change = useChange(SetTokenEndDocument, (data) => data.secureTokenSetEnd);
  const start = token.retiringUntil ? Date.parse(token.retiringUntil) : Date.now() + DAY_MILLIS;
  const form = useForm(
    { retiringUntil: inputText(start) },
    async ({ retiringUntil }) => {
      const at = new Date(retiringUntil);
      if (Number.isNaN(at.getTime())) {
        return { payload: null, problems: [{ code: "REQUIRED" as const, message: "Say when it ends.", field: ["retiringUntil"] }] };
      }
      return change.run({ id: token.id, version: token.version, retiringUntil: at.toISOString() });
    },
    () => {
      toast("Its end is changed.");
      onClose();
    },
  );
  return (
    <Dialog title={`When ${token.label ?? token.hint} ends`} size="small" onClose={onClose}>
      <Form form={form} action="Change its end" onCancel={onClose}>
        <Field
          label="From then on it is refused"
          hint={`In your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`}
          problem={form.problem("retiringUntil")}
        >
          {(control) => (
            <TextInput
              {...control}
              type="datetime-local"
              value={form.values.retiringUntil}
              onChange={(event) => form.set("retiringUntil", event.target.value)}
            />
          )}
        </Field>
        <Senders tokenId={token.id} />
      </Form>
    </Dialog>
  );
}

/** As `datetime-local` wants it: local time, without a zone. */
function inputText(millis: number): string {
  const local = new Date(millis - new Date(millis).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
