// A revocation: at once, for good. Says first whom it hits.

import { useState } from "react";

import { useChange } from "@/api/change";
import { RevokeTokenDocument, type TokenRowFragment } from "@/api/gql/graphql";
import { Confirm } from "@/parts/confirm";
import { Field, TextInput } from "@/parts/field";
import { toast } from "@/parts/toast";
import { Senders } from "./senders";

export function RevokeToken({ token, onClose }: { token: TokenRowFragment; onClose: () => void }) {
  const revoke = useChange(RevokeTokenDocument, (data) => data.secureTokenRevoke);
  const [reason, setReason] = useState("");
  const name = token.label ?? token.hint;
  return (
    <Confirm
      title={`Revoke ${name}?`}
      action="Revoke it now"
      isReady={reason.trim() !== ""}
      run={() => revoke.run({ id: token.id, reason: reason.trim() })}
      onDone={() => {
        toast(`${name} is revoked: it is refused everywhere.`);
        onClose();
      }}
      onClose={onClose}
    >
      <p>
        Every request with it is refused from this moment on, and its text is deleted. This cannot be taken back; to give senders time,
        rotate it instead.
      </p>
      <Senders tokenId={token.id} />
      <Field label="Why" hint="For the audit trail.">
        {(control) => <TextInput {...control} value={reason} onChange={(event) => setReason(event.target.value)} />}
      </Field>
    </Confirm>
  );
}
