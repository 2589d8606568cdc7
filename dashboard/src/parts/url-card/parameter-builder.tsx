// What else a URL carries: parameters that the server knows (it says what each is for), and rows of the sender's own. A
// value is a literal, or the placeholder of the sender's system; the server encodes and warns.

import { Plus, X } from "lucide-react";
import { useState } from "react";

import { UrlParametersDocument } from "@/api/gql/graphql";
import { useApi } from "@/api/query";
import { Button, IconButton } from "../button";
import { TextInput } from "../field";
import { Loaded } from "../states";
import type { CardKind } from "./url-card";

export interface Param {
  /** Tells rows apart while their names change. */
  key: string;
  name: string;
  value: string;
  isOwn: boolean;
}

interface Props {
  kind: CardKind;
  /** What is in the URL anyway. */
  fixed: { name: string; value: string; required: boolean }[];
  params: Param[];
  onChange: (params: Param[]) => void;
}

let lastKey = 0;

function nextKey(): string {
  lastKey += 1;
  return `own ${lastKey}`;
}

export function ParameterBuilder({ kind, fixed, params, onChange }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)} className="rounded-md border border-line">
      <summary className="cursor-pointer px-3 py-2 text-sm font-medium select-none">
        Parameters {params.length > 0 && <span className="text-faint">· {params.length} changed or added</span>}
      </summary>
      {isOpen && (
        <div className="border-t border-line p-3">
          <Builder kind={kind} fixed={fixed} params={params} onChange={onChange} />
        </div>
      )}
    </details>
  );
}

function Builder({ kind, fixed, params, onChange }: Props) {
  const query = useApi(UrlParametersDocument, { kind });
  const put = (key: string, next: Partial<Param> | null) =>
    onChange(
      params.some((param) => param.key === key)
        ? params.flatMap((param) => (param.key !== key ? [param] : next ? [{ ...param, ...next }] : []))
        : [...params, { key, name: key, value: "", isOwn: false, ...next }],
    );
  const own = params.filter((param) => param.isOwn);
  return (
    <Loaded query={query}>
      {({ postbackParameters }) => (
        <div className="grid gap-4">
          <table className="w-full text-sm">
            <thead className="text-left text-xs text-faint">
              <tr>
                <th scope="col" className="pb-1.5 font-medium">
                  Parameter
                </th>
                <th scope="col" className="w-1/2 pb-1.5 font-medium">
                  Value, or the placeholder of their system
                </th>
              </tr>
            </thead>
            <tbody>
              {postbackParameters
                .filter((known) => known.name !== "secure")
                .map((known) => {
                  const chosen = params.find((param) => param.key === known.name);
                  const usual = fixed.find((param) => param.name === known.name);
                  const isIn = chosen !== undefined || (known.required && usual !== undefined);
                  return (
                    <tr key={known.name} className="border-t border-line align-top">
                      <td className="py-2 pr-3">
                        <label className="flex items-start gap-2">
                          <input
                            type="checkbox"
                            className="mt-0.5 size-4 shrink-0 accent-accent"
                            checked={isIn}
                            disabled={known.required}
                            onChange={() => put(known.name, chosen ? null : { value: `{${known.name}}` })}
                          />
                          <span className="min-w-0">
                            <span className="mono break-all">{known.name}</span>
                            <span className="block text-xs text-faint">{known.description}</span>
                          </span>
                        </label>
                      </td>
                      <td className="py-2">
                        {isIn && (
                          <TextInput
                            aria-label={`Value of ${known.name}`}
                            className="mono h-8 text-sm"
                            maxLength={known.maxLength}
                            placeholder={known.example ?? undefined}
                            value={chosen?.value ?? usual?.value ?? ""}
                            onChange={(event) => put(known.name, { value: event.target.value })}
                          />
                        )}
                      </td>
                    </tr>
                  );
                })}
            </tbody>
          </table>
          {own.map((param) => (
            <div key={param.key} className="flex items-center gap-2">
              <TextInput
                aria-label="Name of your own parameter"
                placeholder="name"
                className="mono h-8 text-sm"
                value={param.name}
                onChange={(event) => put(param.key, { name: event.target.value })}
              />
              <TextInput
                aria-label={`Value of ${param.name || "your own parameter"}`}
                placeholder="value"
                className="mono h-8 text-sm"
                value={param.value}
                onChange={(event) => put(param.key, { value: event.target.value })}
              />
              <IconButton label={`Remove ${param.name || "this parameter"}`} onClick={() => put(param.key, null)}>
                <X aria-hidden />
              </IconButton>
            </div>
          ))}
          <div className="flex flex-wrap gap-2">
            <Button size="small" onClick={() => onChange([...params, { key: nextKey(), name: "", value: "", isOwn: true }])}>
              <Plus aria-hidden />
              Add your own
            </Button>
            {params.length > 0 && (
              <Button size="small" look="quiet" onClick={() => onChange([])}>
                Reset
              </Button>
            )}
          </div>
        </div>
      )}
    </Loaded>
  );
}
