// What a rule would send about a real conversion. Nothing is sent.

import { useState } from "react";

import { OutboundPreviewDocument, OutboundSamplesDocument, type RuleRowFragment } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { CodeBlock } from "@/parts/copy";
import { Field, Select } from "@/parts/field";
import { localText } from "@/parts/moment";
import { Empty, Loaded } from "@/parts/states";
import { METHOD_TEXT } from "./words";

interface Sample {
  id: string;
  transactionId: string;
  status: string;
  convertedAt: string;
}

/** The newest conversions that the rule is about. */
export function useSamples(rule: RuleRowFragment) {
  return useApi(OutboundSamplesDocument, {
    filter: { publisherIds: rule.publisher ? [rule.publisher.id] : null, offerIds: rule.offer ? [rule.offer.id] : null, includeTests: true },
  });
}

export function sampleText({ transactionId, status, convertedAt }: Sample): string {
  return `${localText(convertedAt)}, ${status.toLowerCase()}, ${transactionId.slice(0, 12)}…`;
}

export function Preview({ rule }: { rule: RuleRowFragment }) {
  const samples = useSamples(rule);
  const [chosen, setChosen] = useState<string>();
  return (
    <Loaded query={samples}>
      {({ conversions: { nodes } }) => {
        const conversionId = chosen ?? nodes[0]?.id;
        if (!conversionId) return <Empty title="No conversion yet">It shows what is sent once there is a conversion that the rule is about.</Empty>;
        return (
          <div className="grid gap-4">
            <Field label="Conversion">
              {(control) => (
                <Select {...control} value={conversionId} onChange={(event) => setChosen(event.target.value)}>
                  {nodes.map((one) => (
                    <option key={one.id} value={one.id}>
                      {sampleText(one)}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
            <Message ruleId={rule.id} conversionId={conversionId} />
          </div>
        );
      }}
    </Loaded>
  );
}

function Message({ ruleId, conversionId }: { ruleId: string; conversionId: string }) {
  const query = useApi(OutboundPreviewDocument, { id: ruleId, conversionId });
  return (
    <Loaded query={query}>
      {({ outboundPostbackPreview: message }) =>
        message ? (
          <div className={`grid gap-3 ${query.isStale ? "opacity-60" : ""}`}>
            <p className="text-sm text-soft">{METHOD_TEXT[message.method]}, before it is signed:</p>
            <CodeBlock text={message.url} what="the URL" />
            {message.body && <CodeBlock text={message.body} what="the body" />}
          </div>
        ) : (
          <Empty title="This conversion is not there any more" />
        )
      }
    </Loaded>
  );
}
