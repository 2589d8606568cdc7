// Send test: one request to the publisher, marked as a test, and its answer.

import { useState } from "react";

import { useChange } from "@/api/change";
import { type DeliveryRowFragment, type RuleRowFragment, TestOutboundDocument } from "@/api/gql/graphql";
import { Button } from "@/parts/button";
import { Dialog } from "@/parts/dialog";
import { Field, Select } from "@/parts/field";
import { Form, useForm } from "@/parts/form";
import { DeliveryItem } from "./deliveries";
import { sampleText, useSamples } from "./preview";

export function TestRule({ rule, onClose }: { rule: RuleRowFragment; onClose: () => void }) {
  const test = useChange(TestOutboundDocument, (data) => data.outboundPostbackSendTest);
  const samples = useSamples(rule);
  const [sent, setSent] = useState<DeliveryRowFragment | null>(null);
  const form = useForm(
    { conversionId: "" },
    ({ conversionId }) => test.run({ id: rule.id, conversionId: conversionId || null, mayEdit: true }),
    (payload) => setSent(payload.delivery ?? null),
  );
  return (
    <Dialog title={`Send test: ${rule.name}`} onClose={onClose}>
      {sent ? (
        <div className="grid gap-4">
          <ul>
            <DeliveryItem delivery={sent} />
          </ul>
          <div className="flex justify-end gap-2">
            <Button onClick={() => setSent(null)}>Send another</Button>
            <Button look="primary" onClick={onClose}>
              Close
            </Button>
          </div>
        </div>
      ) : (
        <Form form={form} action="Send" busyText="Waiting for the answer…" onCancel={onClose}>
          <p className="text-sm text-soft">One request goes to the publisher’s server, with the header roundtrip-test. It tells of no change.</p>
          <Field label="About" problem={form.problem("conversionId")}>
            {(control) => (
              <Select {...control} value={form.values.conversionId} onChange={(event) => form.set("conversionId", event.target.value)}>
                <option value="">Made-up values</option>
                {samples.data?.conversions.nodes.map((one) => (
                  <option key={one.id} value={one.id}>
                    {sampleText(one)}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </Form>
      )}
    </Dialog>
  );
}
