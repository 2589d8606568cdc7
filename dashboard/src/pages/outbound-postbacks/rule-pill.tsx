// Whether a rule fires, and whether it gets through.

import { CircleCheck, Pause, TriangleAlert } from "lucide-react";

import type { RuleRowFragment } from "@/api/gql/graphql";
import { Pill } from "@/parts/pill";

export function RulePill({ rule }: { rule: Pick<RuleRowFragment, "enabled" | "disabledReason" | "failingSince"> }) {
  if (!rule.enabled && rule.disabledReason) {
    return (
      <Pill tone="bad" icon={TriangleAlert}>
        Switched off
      </Pill>
    );
  }
  if (!rule.enabled) return <Pill icon={Pause}>Off</Pill>;
  return rule.failingSince ? (
    <Pill tone="warn" icon={TriangleAlert}>
      Failing
    </Pill>
  ) : (
    <Pill tone="good" icon={CircleCheck}>
      On
    </Pill>
  );
}
