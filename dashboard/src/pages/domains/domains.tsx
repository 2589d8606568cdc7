// Domains: hosts of the network's own for links and pixels, each with the DNS records that it needs, expected against
// found.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { CircleCheck, CircleX, Ellipsis, Plus, RefreshCw } from "lucide-react";
import { useState } from "react";

import { useChange, useCreate } from "@/api/change";
import {
  CreateDomainDocument,
  DeleteDomainDocument,
  DomainsPageDocument,
  type DomainsPageQuery,
  SetDefaultDomainDocument,
  SetDomainEnabledDocument,
  VerifyDomainDocument,
} from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { useMay } from "@/app/session";
import { Button, IconButton } from "@/parts/button";
import { Confirm } from "@/parts/confirm";
import { CopyIcon } from "@/parts/copy";
import { Dialog } from "@/parts/dialog";
import { Field, TextInput } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { Menu } from "@/parts/popup/menu";
import { MaybeMoment } from "@/parts/moment";
import { Card, Page } from "@/parts/page";
import { DomainPill, Pill } from "@/parts/pill";
import { Empty, Loaded, Notice, Skeleton } from "@/parts/states";
import { toast } from "@/parts/toast";

type Domain = DomainsPageQuery["trackingDomains"][number];
type DnsRecord = Domain["dnsRecords"][number];

export function Domains() {
  const { create } = useSearch({ from: "/shell/offers/domains" });
  const navigate = useNavigate({ from: "/offers/domains" });
  const mayEdit = useMay("ADMIN");
  const query = useApi(DomainsPageDocument, {});
  const setCreate = (create: true | undefined) => void navigate({ search: { create }, replace: true });
  const add = mayEdit && (
    <Button look="primary" onClick={() => setCreate(true)}>
      <Plus aria-hidden />
      Add a domain
    </Button>
  );
  return (
    <Page title="Domains" about="Hosts of your own for tracking links. Image pixels work on them only." actions={add}>
      {!mayEdit && <Notice>Adding and changing domains needs the role ADMIN.</Notice>}
      <Loaded query={query} skeleton={<Card><Skeleton lines={5} /></Card>}>
        {({ trackingDomains }) =>
          trackingDomains.length === 0 ? (
            <Card>
              <Empty title="No domain yet" action={add || undefined}>
                Add a host such as <span className="mono">go.example.com</span>, set two records in its zone, and have them checked here.
              </Empty>
            </Card>
          ) : (
            trackingDomains.map((domain) => <DomainCard key={domain.id} domain={domain} mayEdit={mayEdit} />)
          )
        }
      </Loaded>
      {create && mayEdit && <NewDomain onClose={() => setCreate(undefined)} />}
    </Page>
  );
}

function DomainCard({ domain, mayEdit }: { domain: Domain; mayEdit: boolean }) {
  const [isDeleting, setDeleting] = useState(false);
  const [isDisabling, setDisabling] = useState(false);
  const verify = useChange(VerifyDomainDocument, (data) => data.trackingDomainVerify);
  const setDefault = useChange(SetDefaultDomainDocument, (data) => data.trackingDomainSetDefault);
  const setEnabled = useChange(SetDomainEnabledDocument, (data) => data.trackingDomainSetEnabled);
  const remove = useChange(DeleteDomainDocument, (data) => data.trackingDomainDelete);
  const isOn = domain.state === "ACTIVE" || domain.state === "FAILING";

  const told = async (work: Promise<{ payload: unknown; problems: { message: string }[] }>, text: string) => {
    const { payload, problems } = await work;
    if (payload) toast(text);
    else toast(problems.map(({ message }) => message).join(" "), { tone: "bad" });
  };

  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-2">
          <span className="mono">{domain.hostname}</span>
          <DomainPill state={domain.state} />
          {domain.isDefault && <Pill tone="accent">Default</Pill>}
        </span>
      }
      actions={
        mayEdit && (
          <>
            <Button size="small" disabled={verify.isRunning} onClick={() => void told(verify.run({ id: domain.id }), "The records are checked.")}>
              <RefreshCw aria-hidden className={verify.isRunning ? "animate-spin" : ""} />
              {verify.isRunning ? "Checking…" : "Check now"}
            </Button>
            <Menu
              trigger={
                <IconButton label={`Actions of ${domain.hostname}`}>
                  <Ellipsis aria-hidden />
                </IconButton>
              }
              items={[
                {
                  text: "Make it the default",
                  isDisabled: domain.isDefault || !isOn,
                  onSelect: () => void told(setDefault.run({ id: domain.id }), `Links are built on ${domain.hostname} from now on.`),
                },
                domain.state === "DISABLED"
                  ? {
                      text: "Switch on",
                      onSelect: () => void told(setEnabled.run({ id: domain.id, enabled: true }), `${domain.hostname} is on again.`),
                    }
                  : { text: "Switch off…", isDanger: true, onSelect: () => setDisabling(true) },
                { text: "Remove…", isDanger: true, isDisabled: isOn, onSelect: () => setDeleting(true) },
              ]}
            />
          </>
        )
      }
      isFlush
    >
      {domain.failure && (
        <div className="px-5 pt-4">
          <Notice tone={domain.state === "FAILING" ? "bad" : "warn"}>{domain.failure}</Notice>
        </div>
      )}
      {domain.dnsRecords.length > 0 && <Records records={domain.dnsRecords} isChecked={Boolean(domain.lastCheckedAt)} />}
      <p className="border-t border-line px-5 py-2.5 text-sm text-faint">
        Last checked: <MaybeMoment at={domain.lastCheckedAt} />
      </p>
      {isDisabling && (
        <Confirm
          title={`Switch ${domain.hostname} off?`}
          action="Switch it off"
          run={() => setEnabled.run({ id: domain.id, enabled: false })}
          onDone={() => {
            setDisabling(false);
            toast(`${domain.hostname} is off.`, { undo: () => void setEnabled.run({ id: domain.id, enabled: true }) });
          }}
          onClose={() => setDisabling(false)}
        >
          <p>Every link and pixel on it is refused from this moment on, those that are out there too.</p>
        </Confirm>
      )}
      {isDeleting && (
        <Confirm
          title={`Remove ${domain.hostname}?`}
          action="Remove it"
          run={() => remove.run({ id: domain.id })}
          onDone={() => {
            setDeleting(false);
            toast(`${domain.hostname} is removed.`);
          }}
          onClose={() => setDeleting(false)}
        >
          <p>It would have to be added and verified again. What came in on it stays.</p>
        </Confirm>
      )}
    </Card>
  );
}

function Records({ records, isChecked }: { records: DnsRecord[]; isChecked: boolean }) {
  return (
    <ul>
      {records.map((record) => (
        <li key={record.type + record.name} className="grid gap-2 border-b border-line px-5 py-3.5 text-sm last:border-0">
          <p className="flex items-center gap-2 font-medium">
            {isChecked &&
              (record.ok ? (
                <CircleCheck aria-label="As it must be" className="size-4 text-good" />
              ) : (
                <CircleX aria-label="Not as it must be" className="size-4 text-bad" />
              ))}
            {record.type} record
          </p>
          <dl className="grid grid-cols-[4.5rem_minmax(0,1fr)] items-center gap-x-3 gap-y-1">
            <dt className="text-faint">Name</dt>
            <dd className="flex items-center gap-1">
              <span className="mono break-all">{record.name}</span>
              <CopyIcon text={record.name} what="the name" />
            </dd>
            <dt className="text-faint">Expected</dt>
            <dd className="flex items-center gap-1">
              <span className="mono break-all">{record.value}</span>
              <CopyIcon text={record.value} what="the value" />
            </dd>
            {isChecked && (
              <>
                <dt className="text-faint">Found</dt>
                <dd className={`mono break-all ${record.ok ? "text-good" : "text-bad"}`}>{record.found.join(", ") || "nothing"}</dd>
              </>
            )}
          </dl>
        </li>
      ))}
    </ul>
  );
}

function NewDomain({ onClose }: { onClose: () => void }) {
  const create = useCreate(CreateDomainDocument, (data) => data.trackingDomainCreate);
  const form = useForm({ hostname: "" }, (values) => create.run(values), ({ domain }) => {
    toast(`${domain?.hostname ?? "The domain"} is added. Set its records, then check them.`);
    onClose();
  });
  return (
    <Dialog title="Add a domain" size="small" onClose={onClose}>
      <Form form={form} action="Add it" busyText="Adding…" onCancel={onClose}>
        <Field label="Host name" hint="A host that is used for nothing else, such as go.example.com." problem={form.problem("hostname")}>
          {(control) => (
            <TextInput {...control} className="mono" spellCheck={false} value={form.values.hostname} onChange={(event) => form.set("hostname", event.target.value)} />
          )}
        </Field>
      </Form>
    </Dialog>
  );
}
