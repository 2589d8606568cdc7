// Send test: a test click and a request about it, through every check. It is marked as a test and is in no figure.

import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { useChange } from "@/api/change";
import { type PostbackKind, SendTestDocument, type SendTestMutation } from "@/api/gql/graphql";
import { Button } from "../button";
import { Dialog } from "../dialog";
import { Field, Select } from "../field";
import { Form, useForm } from "../form";
import { Picker } from "../lookup/picker";
import { Notice } from "../states";
import { Explained } from "./check-url";

type Tested = NonNullable<SendTestMutation["postbackSendTest"]>;

const KINDS = [
  ["CONVERSION", "A conversion"],
  ["REJECTION", "A conversion, and its rejection"],
  ["IMAGE_PIXEL", "A conversion by image pixel"],
  ["STATUS", "A conversion, and a change of its status"],
] as const satisfies readonly (readonly [PostbackKind, string])[];

interface Props {
  /** Chosen already, where the page is about one. */
  offerId?: string;
  onClose: () => void;
}

export function SendTest({ offerId, onClose }: Props) {
  const send = useChange(SendTestDocument, (data) => data.postbackSendTest);
  const [tested, setTested] = useState<Tested | null>(null);
  const form = useForm(
    { offerId: offerId as string | undefined, publisherId: undefined as string | undefined, kind: "CONVERSION" as PostbackKind },
    ({ offerId: offer, publisherId, kind }) => send.run({ kind, offerId: offer ?? "", publisherId: publisherId ?? null, params: null }),
    setTested,
  );
  return (
    <Dialog title="Send test" onClose={onClose}>
      {tested ? (
        <Done tested={tested} onAgain={() => setTested(null)} onClose={onClose} />
      ) : (
        <Form form={form} action="Send" busyText="Sending…" onCancel={onClose}>
          <p className="text-sm text-soft">Makes a test click and reports it, through every check. It is marked as a test and counts in no figure.</p>
          <Field label="What is reported" problem={form.problem("kind")}>
            {(control) => (
              <Select {...control} value={form.values.kind} onChange={(event) => form.set("kind", event.target.value as PostbackKind)}>
                {KINDS.map(([kind, text]) => (
                  <option key={kind} value={kind}>
                    {text}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          {offerId === undefined && (
            <Field label="Offer" problem={form.problem("offerId")}>
              {(control) => <Picker {...control} noun="offer" value={form.values.offerId} onChange={(id) => form.set("offerId", id)} />}
            </Field>
          )}
          <Field label="Publisher" optional hint="Else the first that may promote the offer." problem={form.problem("publisherId")}>
            {(control) => <Picker {...control} noun="publisher" isOptional value={form.values.publisherId} onChange={(id) => form.set("publisherId", id)} />}
          </Field>
        </Form>
      )}
    </Dialog>
  );
}

function Done({ tested: { receipt, conversion }, onAgain, onClose }: { tested: Tested; onAgain: () => void; onClose: () => void }) {
  return (
    <div className="grid gap-4">
      {receipt ? <Explained explanation={receipt} /> : <Notice tone="warn">It was sent, and its receipt is not there yet.</Notice>}
      <div className="flex flex-wrap items-center justify-end gap-2 border-t border-line pt-4">
        {conversion && (
          <Link to="/conversions" search={{ conversion: conversion.id, tests: true }} onClick={onClose} className="mr-auto text-sm text-accent-ink hover:underline">
            Open the conversion
          </Link>
        )}
        <Button onClick={onAgain}>Send another</Button>
        <Button look="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </div>
  );
}
