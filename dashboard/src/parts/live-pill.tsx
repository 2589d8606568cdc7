// Whether what a page shows follows what happens, by colour, icon and word.

import { Radio, WifiOff } from "lucide-react";

import type { StreamPhase } from "@/api/follow";
import { Pill } from "./pill";

export function LivePill({ phase }: { phase: StreamPhase }) {
  return (
    <span role="status">
      {phase === "live" && (
        <Pill tone="good" icon={Radio}>
          Live
        </Pill>
      )}
      {phase === "broken" && (
        <Pill tone="warn" icon={WifiOff}>
          Not live: connecting again
        </Pill>
      )}
    </span>
  );
}
