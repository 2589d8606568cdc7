// The list of everything: a native table with the columns that somebody wants to see, selection, "load more", J and K,
// and its states in their final heights. Rows that are out of sight of a long list are not in the page.

import {
  type ColumnDef,
  flexRender,
  getCoreRowModel,
  type RowData,
  useReactTable,
  type VisibilityState,
} from "@tanstack/react-table";
import { Columns3 } from "lucide-react";
import { lazy, type MouseEvent, type ReactNode, Suspense, useLayoutEffect, useRef, useState } from "react";

import type { List } from "@/api/query";
import { recall, remember } from "@/app/storage";
import { Button } from "./button";
import { Popup } from "./popup/popup";
import { useShortcuts } from "./shortcuts";
import { Failed, StaleNotice } from "./states";

declare module "@tanstack/react-table" {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the parameters must be those of the original
  interface ColumnMeta<TData extends RowData, TValue> {
    /** Numbers and money stand on the right. */
    align?: "right";
    /** The narrowest screen that has room for it; always shown where it is not said. */
    from?: "sm" | "md" | "lg" | "xl";
    /** Not shown until somebody asks for it. */
    isExtra?: boolean;
  }
}

export type Column<N> = ColumnDef<N> & { id: string };

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

/** The same array each time: the table takes another one for other rows. */
const NO_ROWS: unknown[] = [];
const ROW_PIXELS = 45;
const SKELETON_ROWS = 8;
/** Shorter lists are rendered whole, so that the browser's own search finds every row. */
const VIRTUAL_FROM_ROWS = 120;
const FROM = { sm: "max-sm:hidden", md: "max-md:hidden", lg: "max-lg:hidden", xl: "max-xl:hidden" };

export function DataTable<N>(props: Props<N>) {
  const { list, columns, rowId, selection, label } = props;
  const [visibility, setVisibility] = useColumnChoice(props.name, columns);
  const rows = list.rows ?? (NO_ROWS as N[]);
  const table = useReactTable({
    data: rows,
    columns,
    getRowId: rowId,
    getCoreRowModel: getCoreRowModel(),
    // There are no pages: to go back to the first one would only render again.
    autoResetPageIndex: false,
    state: { columnVisibility: visibility },
    onColumnVisibilityChange: setVisibility,
  });
  const frame = useRef<HTMLDivElement>(null);
  const visible = table.getRowModel().rows;
  const span = table.getVisibleLeafColumns().length + (selection ? 1 : 0);
  useRowKeys(frame, props);

  if (!list.rows && list.error) return <Failed error={list.error} onRetry={list.retry} />;
  const row = (index: number) => {
    const one = visible[index];
    if (!one) return null;
    const isOpen = one.id === props.openId;
    return (
      <tr
        key={one.id}
        tabIndex={-1}
        data-row={one.id}
        aria-rowindex={index + 2}
        aria-selected={selection ? selection.ids.has(one.id) : undefined}
        onClick={(event) => {
          if (props.onOpen && isRowItself(event)) props.onOpen(one.original);
        }}
        className={
          "h-[45px] border-b border-line last:border-0 -outline-offset-2 " +
          (props.onOpen ? "cursor-pointer hover:bg-hover " : "") +
          (isOpen || selection?.ids.has(one.id) ? "bg-accent-soft" : "")
        }
      >
        {selection && (
          <td className="w-10 pl-4">
            <RowCheck
              label="Select this row"
              checked={selection.ids.has(one.id)}
              onChange={() => selection.change(toggled(selection.ids, one.id))}
            />
          </td>
        )}
        {one.getVisibleCells().map((cell) => (
          <td key={cell.id} className={`${cellClass(cell.column.columnDef)} py-1.5`}>
            {flexRender(cell.column.columnDef.cell, cell.getContext())}
          </td>
        ))}
      </tr>
    );
  };
  const allChosen = rows.length > 0 && rows.every((row) => selection?.ids.has(rowId(row)));
  const someChosen = rows.some((row) => selection?.ids.has(rowId(row)));

  return (
    <div>
      <div className="flex items-start justify-between gap-2 border-b border-line px-3 py-2 sm:px-4">
        <div className="flex min-w-0 grow flex-wrap items-center gap-2">{props.toolbar}</div>
        <ColumnChoice columns={columns} visibility={visibility} onChange={setVisibility} />
      </div>
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
              {table.getHeaderGroups().map((group) => (
                <tr key={group.id} className="border-b border-line bg-sunken/60 text-left text-xs text-faint">
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
                  {group.headers.map((header) => (
                    <th key={header.id} scope="col" className={`${cellClass(header.column.columnDef)} py-2 font-medium whitespace-nowrap`}>
                      {flexRender(header.column.columnDef.header, header.getContext())}
                    </th>
                  ))}
                </tr>
              ))}
            </thead>
            <tbody>
              {!list.rows && <SkeletonRows span={span} />}
              {visible.length > VIRTUAL_FROM_ROWS ? (
                <Suspense fallback={<SkeletonRows span={span} />}>
                  <VirtualRows frame={frame} count={visible.length} rowPixels={ROW_PIXELS} span={span} row={row} />
                </Suspense>
              ) : (
                visible.map((_, index) => row(index))
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

function cellClass<N>(column: ColumnDef<N>): string {
  const { align, from } = column.meta ?? {};
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
    const rows = list.rows ?? (NO_ROWS as N[]);
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

function useColumnChoice<N>(name: string, columns: Column<N>[]) {
  const key = `columns.${name}`;
  const [visibility, setVisibility] = useState<VisibilityState>(() => {
    const usual = Object.fromEntries(columns.map((column) => [column.id, !column.meta?.isExtra]));
    const kept = recall(key)?.split(",") ?? [];
    const changes = kept.filter(Boolean).map((entry) => [entry.slice(1), entry.startsWith("+")] as const);
    return { ...usual, ...Object.fromEntries(changes.filter(([id]) => id in usual)) };
  });
  const change = (next: VisibilityState | ((old: VisibilityState) => VisibilityState)) => {
    const chosen = typeof next === "function" ? next(visibility) : next;
    setVisibility(chosen);
    remember(key, Object.entries(chosen).map(([id, on]) => (on ? "+" : "-") + id).join(","));
  };
  return [visibility, change] as const;
}

function ColumnChoice<N>({
  columns,
  visibility,
  onChange,
}: {
  columns: Column<N>[];
  visibility: VisibilityState;
  onChange: (next: VisibilityState) => void;
}) {
  const choosable = columns.filter((column) => column.enableHiding !== false && typeof column.header === "string" && column.header);
  if (choosable.length < 2) return null;
  return (
    <Popup
      label="Columns"
      align="end"
      trigger={
        <Button look="quiet" size="small" className="max-sm:hidden">
          <Columns3 aria-hidden />
          Columns
        </Button>
      }
    >
      {() =>
        choosable.map((column) => (
          <label key={column.id} className="flex items-center gap-2.5 rounded px-2 py-1.5 text-sm hover:bg-hover">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={visibility[column.id] !== false}
              onChange={(event) => onChange({ ...visibility, [column.id]: event.target.checked })}
            />
            {column.header as string}
          </label>
        ))
      }
    </Popup>
  );
}
