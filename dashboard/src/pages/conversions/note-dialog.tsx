// A note in a conversion's history.

import { useChange } from "@/api/change";
import { AddConversionNoteDocument } from "@/api/gql/graphql";
import { Dialog } from "@/parts/dialog";
import { Field, TextArea } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { toast } from "@/parts/toast";

export function NoteDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const add = useChange(AddConversionNoteDocument, (data) => data.conversionNoteAdd);
  const form = useForm(
    { note: "" },
    ({ note }) => add.run({ id, note }),
    () => {
      toast("Noted.");
      onClose();
    },
  );
  return (
    <Dialog title="Add a note" size="small" onClose={onClose}>
      <Form form={form} action="Add" onCancel={onClose}>
        <Field label="Note" hint="In its history, for people in the network only." problem={form.problem("note")}>
          {(control) => <TextArea {...control} autoFocus value={form.values.note} onChange={(event) => form.set("note", event.target.value)} />}
        </Field>
      </Form>
    </Dialog>
  );
}
