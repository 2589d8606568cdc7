// The button that says which time a page is about, and changes it.

import { CalendarDays } from "lucide-react";
import { lazy, Suspense } from "react";

import { Button } from "../button";
import { Popup } from "../popup/popup";
import { type Period, periodText, type Usual } from "./period";

const PeriodChoices = lazy(() => import("./period-choices").then(({ PeriodChoices }) => ({ default: PeriodChoices })));

export interface Props {
  period: Period;
  /** What the page shows where its URL says nothing. */
  usual: Usual;
  /** The zone of its days, to be said. */
  zone: string | undefined;
  onChange: (period: Period) => void;
}

export function PeriodPicker({ period, usual, zone, onChange }: Props) {
  const shown = periodText(period, usual);
  return (
    <Popup
      label="Period"
      align="end"
      className="w-64"
      trigger={
        <Button aria-label={`Period: ${shown}`}>
          <CalendarDays aria-hidden />
          {shown}
        </Button>
      }
    >
      {(close) => (
        <Suspense>
          <PeriodChoices
            period={period}
            usual={usual}
            zone={zone}
            onChange={(next) => {
              onChange(next);
              close();
            }}
          />
        </Suspense>
      )}
    </Popup>
  );
}
