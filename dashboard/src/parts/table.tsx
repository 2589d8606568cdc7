// The list of everything: a native table with the columns that somebody wants to see, selection, "load more", J and K,
// and its states in their final heights. Rows that are out of sight of a long list are not in the page.

import { Columns3 } from "lucide-react";
import { lazy, memo, type MouseEvent, type ReactNode, Suspense, useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";

import type { List } from "@/api/query";
import { recall, remember } from "@/app/storage";
import { Button } from "./button";
import { Popup } from "./popup/popup";
import { useShortcuts } from "./shortcuts";
import { Failed, StaleNotice } from "./states";

export interface Column<N> {
  id: string;
  /** Empty over buttons. */
  header: string;
  cell: (row: N) => ReactNode;
  /** Numbers and money stand on the right. */
  align?: "right";
  /** The narrowest screen that has room for it; always shown where it is not said. */
  from?: keyof typeof FROM;
  /** Not shown until somebody asks for it. */
  isExtra?: boolean;
  /** Nobody can hide it. */
  isFixed?: boolean;
}

export interface Selection {
  ids: ReadonlySet<string>;
  change: (ids: ReadonlySet<string>) => void;
}

interface Props<N> {
  /** Under which the choice of columns is remembered. */
  name: string;
  /** What the rows are, for screen readers: "Offers". */
  label: string;
  list: List<N>;
  columns: Column<N>[];
  rowId: (row: N) => string;
  /** What is said when there is no row. */
  empty: ReactNode;
  onOpen?: (row: N) => void;
  /** The row that a drawer shows. */
  openId?: string;
  selection?: Selection;
  /** Beside the choice of columns. */
  toolbar?: ReactNode;
}

const VirtualRows = lazy(() => import("./virtual-rows"));

const ROW_PIXELS = 45;
const SKELETON_ROWS = 8;
/** Shorter lists are rendered whole, so that the browser's own search finds every row. */
const VIRTUAL_FROM_ROWS = 120;
const FROM = { sm: "max-sm:hidden", md: "max-md:hidden", lg: "max-lg:hidden", xl: "max-xl:hidden" };

export function DataTable<N>(props: Props<N>) {
  const { list, columns, rowId, selection, label } = props;
  const [isShown, choose] = useColumnChoice(props.name);
  const rows = list.rows ?? [];
  const shown = useMemo(() => columns.filter(isShown), [columns, isShown]);
  const frame = useRef<HTMLDivElement>(null);
  const span = shown.length + (selection ? 1 : 0);
  useRowKeys(frame, props);
  // The same functions always, so that a row is drawn again only when it says something else.
  const newest = useRef(props);
  newest.current = props;
  const open = useCallback((row: N) => newest.current.onOpen?.(row), []);
  const toggle = useCallback((id: string) => newest.current.selection?.change(toggled(newest.current.selection.ids, id)), []);

  if (!list.rows && list.error) return <Failed error={list.error} onRetry={list.retry} />;
  const row = (index: number) => {
    const one = rows[index];
    if (!one) return null;
    const id = rowId(one);
    return (
      <Row
        key={id}
        id={id}
        row={one}
        index={index}
        columns={shown}
        isOpen={id === props.openId}
        isSelected={selection?.ids.has(id)}
        onOpen={props.onOpen && open}
        onToggle={toggle}
      />
    );
  };
  const allChosen = rows.length > 0 && rows.every((row) => selection?.ids.has(rowId(row)));
  const someChosen = rows.some((row) => selection?.ids.has(rowId(row)));

  return (
    <div>
      {(props.toolbar || rows.length > 0) && (
        <div className="flex items-start justify-between gap-2 border-b border-line px-3 py-2 sm:px-4">
          <div className="flex min-w-0 grow flex-wrap items-center gap-2">{props.toolbar}</div>
          <ColumnChoice columns={columns} isShown={isShown} onChange={choose} />
        </div>
      )}
      {list.rows && list.error && (
        <div className="px-4 pt-3">
          <StaleNotice error={list.error} onRetry={list.retry} />
        </div>
      )}
      {list.rows?.length === 0 ? (
        props.empty
      ) : (
        <div ref={frame} className={`overflow-x-auto ${list.isStale ? "opacity-60" : ""}`}>
          <table aria-label={label} aria-busy={!list.rows || list.isStale} aria-rowcount={rows.length + 1} className="w-full text-sm">
            <thead>
              <tr className="border-b border-line bg-sunken/60 text-left text-xs text-faint">
                {selection && (
                  <th scope="col" className="w-10 py-2 pl-4">
                    <RowCheck
                      label="Select all rows shown"
                      checked={allChosen}
                      isMixed={someChosen && !allChosen}
                      onChange={() => selection.change(allChosen ? new Set() : new Set(rows.map(rowId)))}
                    />
                  </th>
                )}
                {shown.map((column) => (
                  <th key={column.id} scope="col" className={`${cellClass(column)} py-2 font-medium whitespace-nowrap`}>
                    {column.header}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {!list.rows && <SkeletonRows span={span} />}
              {rows.length > VIRTUAL_FROM_ROWS ? (
                <Suspense fallback={<SkeletonRows span={span} />}>
                  <VirtualRows frame={frame} count={rows.length} rowPixels={ROW_PIXELS} span={span} row={row} />
                </Suspense>
              ) : (
                rows.map((_, index) => row(index))
              )}
            </tbody>
          </table>
        </div>
      )}
      {list.hasMore && (
        <div className="flex justify-center border-t border-line p-3">
          <Button onClick={list.loadMore} disabled={list.isLoadingMore}>
            {list.isLoadingMore ? "Loading…" : "Load more"}
          </Button>
        </div>
      )}
    </div>
  );
}

interface RowProps<N> {
  id: string;
  row: N;
  index: number;
  columns: Column<N>[];
  isOpen: boolean;
  /** Undefined where nothing can be selected. */
  isSelected: boolean | undefined;
  onOpen: ((row: N) => void) | undefined;
  onToggle: (id: string) => void;
}

const Row = memo(function Row<N>({ id, row, index, columns, isOpen, isSelected, onOpen, onToggle }: RowProps<N>) {
  return (
    <tr
      tabIndex={-1}
      data-row={id}
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      onClick={(event) => {
        if (onOpen && isRowItself(event)) onOpen(row);
      }}
      className={
        "h-[45px] border-b border-line last:border-0 -outline-offset-2 " +
        (onOpen ? "cursor-pointer hover:bg-hover " : "") +
        (isOpen || isSelected ? "bg-accent-soft" : "")
      }
    >
      {isSelected !== undefined && (
        <td className="w-10 pl-4">
          <RowCheck label="Select this row" checked={isSelected} onChange={() => onToggle(id)} />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.id} className={`${cellClass(column)} py-1.5`}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}) as <N>(props: RowProps<N>) => ReactNode;

function cellClass<N>({ align, from }: Column<N>): string {
  return `px-3 first:pl-4 last:pr-4 ${align === "right" ? "text-right" : ""} ${from ? FROM[from] : ""}`;
}

/** Not a control in the row, nor a menu that belongs to it and stands elsewhere in the page. */
function isRowItself({ target, currentTarget }: MouseEvent<HTMLElement>): boolean {
  if (!(target instanceof Element) || !currentTarget.contains(target)) return false;
  return target.closest("a, button, input, label, select") === null;
}

function toggled(ids: ReadonlySet<string>, id: string): Set<string> {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return next;
}

function SkeletonRows({ span }: { span: number }) {
  return Array.from({ length: SKELETON_ROWS }, (_, row) => (
    <tr key={row} aria-hidden className="h-[45px] border-b border-line last:border-0">
      {Array.from({ length: span }, (_, cell) => (
        <td key={cell} className="px-4">
          <div className={`skeleton h-3.5 ${(row + cell) % 3 ? "w-3/5" : "w-4/5"}`} />
        </td>
      ))}
    </tr>
  ));
}

function RowCheck({
  label,
  checked,
  isMixed = false,
  onChange,
}: {
  label: string;
  checked: boolean;
  isMixed?: boolean;
  onChange: () => void;
}) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={checked}
      ref={(box) => {
        if (box) box.indeterminate = isMixed;
      }}
      onChange={onChange}
      className="size-4 align-middle accent-accent"
    />
  );
}

/** J and K walk, Enter opens, X selects. */
function useRowKeys<N>(frame: React.RefObject<HTMLDivElement | null>, props: Props<N>): void {
  const { list, rowId, onOpen, openId, selection } = props;
  const current = (): string | undefined => {
    const focused = document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
    return focused ?? openId;
  };
  const walk = (step: number) => {
    const rows = list.rows ?? [];
    const at = rows.findIndex((row) => rowId(row) === current());
    const next = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
    if (!next) return;
    const element = frame.current?.querySelector<HTMLElement>(`[data-row="${CSS.escape(rowId(next))}"]`);
    element?.scrollIntoView({ block: "nearest" });
    element?.focus();
    if (openId) onOpen?.(next);
  };
  const found = () => list.rows?.find((row) => rowId(row) === current());
  useShortcuts([
    { key: "j", text: "Next row", run: () => walk(1) },
    { key: "k", text: "Row before", run: () => walk(-1) },
    ...(onOpen
      ? [
          {
            key: "o",
            text: "Open the row (Enter does too)",
            run: () => {
              const row = found();
              if (row) onOpen(row);
            },
          },
        ]
      : []),
    ...(selection
      ? [
          {
            key: "x",
            text: "Select the row",
            run: () => {
              const id = current();
              if (id) selection.change(toggled(selection.ids, id));
            },
          },
        ]
      : []),
  ]);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element || !onOpen) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Enter" || !(event.target instanceof HTMLElement)) return;
      const id = event.target.dataset.row;
      const row = id && list.rows?.find((one) => rowId(one) === id);
      if (row) onOpen(row);
    };
    element.addEventListener("keydown", onKey);
    return () => element.removeEventListener("keydown", onKey);
  });
}

type Choosable = Pick<Column<never>, "id" | "isFixed" | "isExtra">;

/** Which columns are shown, and a way to show or hide one. What differs from the usual is remembered. */
function useColumnChoice(name: string) {
  const key = `columns.${name}`;
  const [chosen, setChosen] = useState<ReadonlyMap<string, boolean>>(() => {
    const kept = recall(key)?.split(",") ?? [];
    return new Map(kept.filter(Boolean).map((entry) => [entry.slice(1), entry.startsWith("+")]));
  });
  const isShown = useCallback(({ id, isFixed, isExtra }: Choosable) => isFixed || (chosen.get(id) ?? !isExtra), [chosen]);
  const choose = (id: string, on: boolean) => {
    const next = new Map(chosen).set(id, on);
    setChosen(next);
    remember(key, [...next].map(([one, isOn]) => (isOn ? "+" : "-") + one).join(","));
  };
  return [isShown, choose] as const;
}

function ColumnChoice<N>({
  columns,
  isShown,
  onChange,
}: {
  columns: Column<N>[];
  isShown: (column: Choosable) => boolean;
  onChange: (id: string, on: boolean) => void;
}) {
  const choosable = columns.filter((column) => !column.isFixed && column.header);
  if (choosable.length < 2) return null;
  return (
    <Popup
      label="Columns"
      align="end"
      trigger={
        <Button look="quiet" size="small" className="h-8 max-sm:hidden">
          <Columns3 aria-hidden />
          Columns
        </Button>
      }
    >
      {() =>
        choosable.map((column) => (
          <label key={column.id} className="flex items-center gap-2.5 rounded px-2 py-1.5 text-sm hover:bg-hover">
            <input type="checkbox" className="size-4 accent-accent" checked={isShown(column)} onChange={(event) => onChange(column.id, event.target.checked)} />
            {column.header}
          </label>
        ))
      }
    </Popup>
  );
}
