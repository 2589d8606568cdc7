// The schema to read: every operation with what it is for, its types one click away, and a document to begin with.

import {
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from "graphql";
import { ChevronLeft } from "lucide-react";
import { useState } from "react";

import { Button } from "@/parts/button";
import { TextInput } from "@/parts/field";

type Root = "query" | "mutation" | "subscription";
interface Operation {
  root: Root;
  field: GraphQLField<unknown, unknown>;
}

const SHOWN_MAX = 60;

export function SchemaBrowser({ schema, onTake }: { schema: GraphQLSchema; onTake: (document: string) => void }) {
  const [search, setSearch] = useState("");
  const [trail, setTrail] = useState<string[]>([]);
  const name = trail[trail.length - 1];
  const type = name === undefined ? undefined : schema.getType(name);
  const open = (next: string) => setTrail([...trail, next]);
  if (type) {
    return (
      <div className="grid gap-3 p-4">
        <Button size="small" look="quiet" className="justify-self-start" onClick={() => setTrail(trail.slice(0, -1))}>
          <ChevronLeft aria-hidden />
          Back
        </Button>
        <TypeView type={type} onOpen={open} />
      </div>
    );
  }
  const word = search.trim().toLowerCase();
  const found = operationsOf(schema).filter(({ field }) => `${field.name} ${field.description ?? ""}`.toLowerCase().includes(word));
  return (
    <div>
      <div className="border-b border-line p-3">
        <TextInput aria-label="Search the operations" placeholder="Search the operations" className="h-8 text-sm" value={search} onChange={(event) => setSearch(event.target.value)} />
      </div>
      <ul className="max-h-[40rem] overflow-y-auto" tabIndex={0} aria-label="Operations">
        {found.slice(0, SHOWN_MAX).map((operation) => (
          <li key={`${operation.root} ${operation.field.name}`} className="grid gap-1 border-b border-line px-4 py-2.5 text-sm last:border-0">
            <div className="flex items-baseline justify-between gap-3">
              <span className="min-w-0">
                <span className="mono font-medium break-all">{operation.field.name}</span> <TypeLink of={operation.field.type} onOpen={open} />
              </span>
              {operation.root !== "subscription" && (
                <Button size="small" onClick={() => onTake(documentOf(operation))} aria-label={`Use ${operation.field.name}`}>
                  Use
                </Button>
              )}
            </div>
            <p className="text-faint">
              {operation.root === "query" ? "" : `${operation.root}. `}
              {operation.field.description}
            </p>
            {operation.field.args.length > 0 && (
              <details>
                <summary className="cursor-pointer text-soft select-none">
                  {operation.field.args.length === 1 ? "1 argument" : `${operation.field.args.length} arguments`}
                </summary>
                <div className="pt-1.5">
                  <Rows rows={operation.field.args} onOpen={open} />
                </div>
              </details>
            )}
          </li>
        ))}
      </ul>
      {found.length > SHOWN_MAX && <p className="border-t border-line px-4 py-2 text-xs text-faint">{found.length - SHOWN_MAX} more: search for a part of the name.</p>}
      {found.length === 0 && <p className="px-4 py-8 text-center text-sm text-faint">No operation is called so.</p>}
    </div>
  );
}

function operationsOf(schema: GraphQLSchema): Operation[] {
  const roots: (readonly [Root, ReturnType<GraphQLSchema["getQueryType"]>])[] = [
    ["query", schema.getQueryType()],
    ["mutation", schema.getMutationType()],
    ["subscription", schema.getSubscriptionType()],
  ];
  const all = roots.flatMap(([root, type]) => Object.values(type?.getFields() ?? {}).map((field) => ({ root, field })));
  return all.sort((one, other) => one.field.name.localeCompare(other.field.name));
}

function TypeLink({ of: type, onOpen }: { of: { toString(): string } & Parameters<typeof getNamedType>[0]; onOpen: (name: string) => void }) {
  const named = getNamedType(type);
  if (!named) return null;
  return (
    <button type="button" className="mono text-accent-ink hover:underline" onClick={() => onOpen(named.name)}>
      {type?.toString()}
    </button>
  );
}

function Rows({ rows, onOpen }: { rows: readonly { name: string; description?: string | null; type: Parameters<typeof getNamedType>[0] & { toString(): string } }[]; onOpen: (name: string) => void }) {
  return (
    <dl className="grid gap-1 border-l border-line pl-3">
      {rows.map(({ name, description, type }) => (
        <div key={name}>
          <dt>
            <span className="mono">{name}</span> <TypeLink of={type} onOpen={onOpen} />
          </dt>
          {description && <dd className="text-faint">{description}</dd>}
        </div>
      ))}
    </dl>
  );
}

function TypeView({ type, onOpen }: { type: GraphQLNamedType; onOpen: (name: string) => void }) {
  return (
    <div className="grid gap-2 text-sm">
      <h3 className="mono text-base font-semibold">{type.name}</h3>
      {type.description && <p className="text-soft">{type.description}</p>}
      {(isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) && <Rows rows={Object.values(type.getFields())} onOpen={onOpen} />}
      {isEnumType(type) && (
        <dl className="grid gap-1">
          {type.getValues().map(({ name, description }) => (
            <div key={name}>
              <dt className="mono">{name}</dt>
              {description && <dd className="text-faint">{description}</dd>}
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

/** A document with what has to be sent as variables, and the plain fields of what comes back. */
function documentOf({ root, field }: Operation): string {
  const needed = field.args.filter(isRequiredArgument);
  const declared = needed.map(({ name, type }) => `$${name}: ${type.toString()}`).join(", ");
  const passed = needed.map(({ name }) => `${name}: $${name}`).join(", ");
  const title = field.name.charAt(0).toUpperCase() + field.name.slice(1);
  return `${root} ${title}${declared && `(${declared})`} {\n  ${field.name}${passed && `(${passed})`}${selection(getNamedType(field.type), 2)}\n}`;
}

function selection(type: GraphQLNamedType, depth: number): string {
  if (!isObjectType(type) && !isInterfaceType(type)) return "";
  const indent = "  ".repeat(4 - depth);
  const fields = Object.values(type.getFields()).filter(({ args }) => !args.some(isRequiredArgument));
  const plain = fields.filter((field) => isLeafType(getNamedType(field.type))).map((field) => `${indent}${field.name}`);
  const lists = depth > 0 ? fields.filter(({ name }) => name === "nodes" || name === "userErrors" || name === "pageInfo") : [];
  const inner = lists.map((field) => `${indent}${field.name}${selection(getNamedType(field.type), depth - 1)}`);
  const all = [...inner, ...plain];
  return all.length > 0 ? ` {\n${all.join("\n")}\n${"  ".repeat(3 - depth)}}` : "";
}
