// The drawing itself, by uPlot: redrawn when data, width or theme change. Only `chart.tsx` uses it.

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { useTheme } from "@/app/theme";
import type { ChartColour, ChartProps, Series } from "./chart";

const VARIABLES: Record<ChartColour, string> = {
  accent: "--accent",
  good: "--good",
  warn: "--warn",
  bad: "--bad",
  faint: "--ink-faint",
};

/** No line stands for half a conversion. */
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 10 }, (_, power) => step * 10 ** power)).sort((one, other) => one - other);

export default function Canvas(props: ChartProps & { height: number }) {
  const frame = useRef<HTMLDivElement>(null);
  const { isDark } = useTheme();
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const plot = new uPlot(options(props, element.clientWidth), data(props), element);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: props.height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [props, isDark]);
  return <div ref={frame} className="min-w-0" />;
}

/** Bars stand on each other: each is drawn from the bottom to its own top, the highest first. */
function data({ times, series }: ChartProps): uPlot.AlignedData {
  const bars = series.filter((one) => one.kind === "bars");
  const lines = series.filter((one) => one.kind === "line");
  const tops = bars.map((_, index) =>
    times.map((_, at) => bars.slice(0, index + 1).reduce((sum, one) => sum + (one.values[at] ?? 0), 0)),
  );
  return [times, ...tops.reverse(), ...lines.map((one) => one.values)] as uPlot.AlignedData;
}

function options(props: ChartProps, width: number): uPlot.Options {
  const { times, series, height, timeText, valueText = (value: number) => value.toLocaleString() } = {
    ...props,
    height: props.height ?? 220,
  };
  const bars = series.filter((one) => one.kind === "bars").reverse();
  const lines = series.filter((one) => one.kind === "line");
  const faint = token("--ink-faint");
  const line = { stroke: token("--line"), width: 1 };
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: bars.length === 0 } },
    scales: { x: { time: false, range: () => room(times) }, y: { range: (_, __, max) => [0, Math.max(max * 1.1, 4)] } },
    axes: [
      {
        stroke: faint,
        grid: { show: false },
        ticks: { show: false },
        size: 24,
        space: 70,
        splits: (plot) => ticks(times, plot.width),
        values: (_, splits) => splits.map(timeText),
        font: "11px Inter, system-ui, sans-serif",
      },
      {
        stroke: faint,
        grid: line,
        ticks: { show: false },
        size: 52,
        incrs: WHOLE,
        values: (_, splits) => splits.map(valueText),
        font: "11px Inter, system-ui, sans-serif",
      },
    ],
    series: [{}, ...bars.map(bar), ...lines.map(curve)],
  };
}

function bar({ colour }: Series): uPlot.Series {
  return { fill: token(VARIABLES[colour]), stroke: "transparent", width: 0, paths: uPlot.paths.bars?.({ size: [0.7, 40], radius: 0.12 }), points: { show: false } };
}

function curve({ colour, isDashed }: Series): uPlot.Series {
  return { stroke: token(VARIABLES[colour]), width: 2, dash: isDashed ? [4, 4] : undefined, points: { show: false } };
}

/** Half a bucket more on both sides, so that the first and the last bar are whole. */
function room(times: number[]): [number, number] {
  const [first = 0, last = 0] = [times[0], times[times.length - 1]];
  const half = times.length > 1 ? (last - first) / (times.length - 1) / 2 : 1800;
  return [first - half, last + half];
}

/** As many labels as have room, at real buckets. */
function ticks(times: number[], width: number): number[] {
  const room = Math.max(Math.floor(width / 90), 2);
  const step = Math.max(Math.ceil(times.length / room), 1);
  return times.filter((_, index) => index % step === 0);
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
