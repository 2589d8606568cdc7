// Whose days reports count, and the currency of offers that name none: asked once, at the beginning.

import { useChange } from "@/api/change";
import { SetWorkspaceDocument, type StartProgressQuery } from "@/api/gql/graphql";
import { Dialog } from "@/parts/dialog";
import { Field, Select, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { toast } from "@/parts/toast";

type Settings = StartProgressQuery["settings"];

export function Workspace({ settings, onClose }: { settings: Settings; onClose: () => void }) {
  const set = useChange(SetWorkspaceDocument, (data) => data.settingsUpdate);
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zones = [...new Set([here, "UTC", ...Intl.supportedValuesOf("timeZone")])];
  const form = useForm(
    { timezone: settings.currency ? settings.timezone : here, currency: settings.currency ?? "" },
    ({ timezone, currency }) => {
      if (currency.trim() === "") {
        const problem = { code: "REQUIRED" as const, message: "Say a currency, such as EUR.", field: ["currency"] };
        return Promise.resolve({ payload: null, problems: [problem] });
      }
      return set.run({ version: settings.version, settings: { timezone, currency: currency.trim().toUpperCase() } });
    },
    () => {
      toast("Your workspace is set.");
      onClose();
    },
  );
  return (
    <Dialog title="Your workspace" size="small" onClose={onClose}>
      <Form form={form} action="Save" onCancel={onClose}>
        <Field label="Time zone" hint="Whose days and hours reports count." problem={form.problem("timezone")}>
          {(control) => (
            <Select {...control} value={form.values.timezone} onChange={(event) => form.set("timezone", event.target.value)}>
              {zones.map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </Select>
          )}
        </Field>
        <Field label="Currency" hint="Of offers that name none." problem={form.problem("currency")}>
          {(control) => (
            <TextInput
              {...control}
              className="mono max-w-32 uppercase"
              maxLength={3}
              placeholder="EUR"
              value={form.values.currency}
              onChange={(event) => form.set("currency", event.target.value)}
            />
          )}
        </Field>
      </Form>
    </Dialog>
  );
}
