// A picture of figures over time, and the same figures as a table for whoever would rather read. The drawing is loaded
// when the first chart is shown.

import { lazy, Suspense, useState } from "react";

import { Choice } from "../field";

export type ChartColour = "accent" | "good" | "warn" | "bad" | "faint";

export interface Series {
  name: string;
  /** One for each time; null where there is no figure. */
  values: (number | null)[];
  colour: ChartColour;
  /** Bars stand on top of each other in the order of the series. */
  kind: "bars" | "line";
  /** A line of another period, for comparison. */
  isDashed?: boolean;
}

export interface ChartProps {
  /** What it shows, as one sentence. */
  label: string;
  /** Unix seconds, ascending: where each bucket begins. */
  times: number[];
  series: Series[];
  /** How a time is written on the axis and in the table, in the zone of the report. */
  timeText: (seconds: number) => string;
  valueText?: (value: number) => string;
  /** Pixels. */
  height?: number;
}

const Canvas = lazy(() => import("./canvas"));

export function Chart(props: ChartProps) {
  const { label, times, series, timeText, valueText = (value) => value.toLocaleString(), height = 220 } = props;
  const [view, setView] = useState<"chart" | "table">("chart");
  return (
    <figure className="grid gap-3">
      <figcaption className="flex flex-wrap items-center justify-between gap-2">
        <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-soft">
          {series.map((one) => (
            <li key={one.name} className="flex items-center gap-1.5">
              <span aria-hidden className={`size-2.5 rounded-xs ${DOTS[one.colour]}`} />
              {one.name}
            </li>
          ))}
        </ul>
        <Choice
          label={`${label}: show as`}
          value={view}
          onChange={setView}
          options={[
            ["chart", "Chart"],
            ["table", "Table"],
          ]}
        />
      </figcaption>
      {view === "chart" ? (
        <div role="img" aria-label={label} style={{ height }}>
          <Suspense fallback={<div className="skeleton h-full" />}>
            <Canvas {...props} height={height} />
          </Suspense>
        </div>
      ) : (
        <div tabIndex={0} role="group" aria-label={label} className="overflow-auto" style={{ maxHeight: height }}>
          <table className="figures w-full text-sm">
            <thead className="sticky top-0 bg-surface text-left text-xs text-faint">
              <tr>
                <th scope="col" className="py-1 pr-3 font-medium">
                  Time
                </th>
                {series.map((one) => (
                  <th key={one.name} scope="col" className="py-1 pl-3 text-right font-medium">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, index) => (
                <tr key={time} className="border-t border-line">
                  <th scope="row" className="py-1 pr-3 text-left font-normal">
                    {timeText(time)}
                  </th>
                  {series.map((one) => {
                    const value = one.values[index] ?? null;
                    return (
                      <td key={one.name} className="py-1 pl-3 text-right">
                        {value === null ? "–" : valueText(value)}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </figure>
  );
}

const DOTS: Record<ChartColour, string> = {
  accent: "bg-accent",
  good: "bg-good",
  warn: "bg-warn",
  bad: "bg-bad",
  faint: "bg-faint",
};
