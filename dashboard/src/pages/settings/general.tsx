// The settings of the network. Everybody may read them; an administrator changes them.

import { useChange } from "@/api/change";
import { type EmailStorage, GeneralSettingsDocument, type GeneralSettingsQuery, UpdateSettingsDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { CopiedId } from "@/parts/copy";
import { Field, Select, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Moment } from "@/parts/moment";
import { Card, Facts } from "@/parts/page";
import { Loaded, Notice, Skeleton } from "@/parts/states";
import { toast } from "@/parts/toast";
import { ZoneField } from "./zone-field";

type Settings = GeneralSettingsQuery["settings"];

const HOUR_SECONDS = 3600;

export function General() {
  const query = useApi(GeneralSettingsDocument, {});
  const mayEdit = useMay("ADMIN");
  return (
    <Loaded query={query} skeleton={<Skeleton lines={8} />}>
      {({ settings, server }) => (
        <div className="grid gap-5 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] lg:items-start">
          <Card title="The network">
            {mayEdit ? <Editor key={settings.version} settings={settings} /> : <Read settings={settings} />}
          </Card>
          <Card title="This server">
            <Facts
              rows={[
                ["Version", server.version],
                ["Database", server.database],
                ["Started", <Moment at={server.startedAt} />],
                ["Schema", <CopiedId text={server.schemaHash} what="the digest of the schema" />],
              ]}
            />
          </Card>
        </div>
      )}
    </Loaded>
  );
}

function Editor({ settings }: { settings: Settings }) {
  const update = useChange(UpdateSettingsDocument, (data) => data.settingsUpdate);
  const hours = (seconds: number) => String(seconds / HOUR_SECONDS);
  const seconds = (text: string) => Math.round(Number(text) * HOUR_SECONDS);
  const form = useForm(
    {
      timezone: settings.timezone,
      currency: settings.currency ?? "",
      fallbackUrl: settings.fallbackUrl ?? "",
      defaultTokenOverlapSeconds: hours(settings.defaultTokenOverlapSeconds),
      maxTokenOverlapSeconds: hours(settings.maxTokenOverlapSeconds),
      receiptRetentionDays: String(settings.receiptRetentionDays),
      emailStorage: settings.emailStorage,
    },
    (values) =>
      update.run({
        version: settings.version,
        settings: {
          timezone: values.timezone.trim(),
          currency: values.currency.trim().toUpperCase() || null,
          fallbackUrl: values.fallbackUrl.trim() || null,
          emailStorage: values.emailStorage,
          // What nobody touched goes on following the server's configuration.
          ...(seconds(values.defaultTokenOverlapSeconds) === settings.defaultTokenOverlapSeconds ? {} : { defaultTokenOverlapSeconds: seconds(values.defaultTokenOverlapSeconds) }),
          ...(seconds(values.maxTokenOverlapSeconds) === settings.maxTokenOverlapSeconds ? {} : { maxTokenOverlapSeconds: seconds(values.maxTokenOverlapSeconds) }),
          ...(Number(values.receiptRetentionDays) === settings.receiptRetentionDays ? {} : { receiptRetentionDays: Number(values.receiptRetentionDays) }),
        },
      }),
    () => toast("Saved."),
  );
  const { values, set, problem } = form;
  return (
    <Form form={form} action="Save">
      <div className="grid gap-4 sm:grid-cols-2">
        <ZoneField label="Time zone" hint="Whose days reports count." problem={problem("timezone")} value={values.timezone} onChange={(zone) => set("timezone", zone)} />
        <Field label="Currency" optional hint="Of offers that name none: three letters, such as EUR." problem={problem("currency")}>
          {(control) => <TextInput {...control} className="uppercase" maxLength={3} value={values.currency} onChange={(event) => set("currency", event.target.value)} />}
        </Field>
      </div>
      {values.timezone !== settings.timezone && (
        <Notice tone="warn">Figures by day are counted anew in the background. No figure is wrong meanwhile.</Notice>
      )}
      <Field label="Fallback page" optional hint="Where a refused click goes when its offer says nothing." problem={problem("fallbackUrl")}>
        {(control) => <TextInput {...control} type="url" placeholder="https://" value={values.fallbackUrl} onChange={(event) => set("fallbackUrl", event.target.value)} />}
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Overlap of a rotation, in hours" hint="How long the old token works on when nobody says otherwise." problem={problem("defaultTokenOverlapSeconds")}>
          {(control) => (
            <TextInput {...control} inputMode="decimal" className="figures" value={values.defaultTokenOverlapSeconds} onChange={(event) => set("defaultTokenOverlapSeconds", event.target.value)} />
          )}
        </Field>
        <Field label="Longest overlap, in hours" hint="720 at most." problem={problem("maxTokenOverlapSeconds")}>
          {(control) => <TextInput {...control} inputMode="decimal" className="figures" value={values.maxTokenOverlapSeconds} onChange={(event) => set("maxTokenOverlapSeconds", event.target.value)} />}
        </Field>
        <Field label="Receipts are kept, in days" hint="Older ones leave the Postback Log." problem={problem("receiptRetentionDays")}>
          {(control) => <TextInput {...control} inputMode="numeric" className="figures" value={values.receiptRetentionDays} onChange={(event) => set("receiptRetentionDays", event.target.value.replace(/\D/g, ""))} />}
        </Field>
        <Field label="E-mails of buyers" problem={problem("emailStorage")}>
          {(control) => (
            <Select {...control} value={values.emailStorage} onChange={(event) => set("emailStorage", event.target.value as EmailStorage)}>
              <option value="HASHED">Masked, findable by a hash</option>
              <option value="DROPPED">Not kept from now on</option>
            </Select>
          )}
        </Field>
      </div>
    </Form>
  );
}

function Read({ settings }: { settings: Settings }) {
  return (
    <div className="grid gap-4">
      <Facts
        rows={[
          ["Time zone", settings.timezone],
          ["Currency", settings.currency ?? "each offer names its own"],
          ["Fallback page", settings.fallbackUrl ?? "a plain page"],
          ["Overlap of a rotation", `${settings.defaultTokenOverlapSeconds / HOUR_SECONDS} h`],
          ["Longest overlap", `${settings.maxTokenOverlapSeconds / HOUR_SECONDS} h`],
          ["Receipts are kept", `${settings.receiptRetentionDays} days`],
          ["E-mails of buyers", settings.emailStorage === "HASHED" ? "masked, with a keyed hash" : "not kept"],
        ]}
      />
      <p className="text-sm text-faint">Changing them needs the role ADMIN.</p>
    </div>
  );
}
