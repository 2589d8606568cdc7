// The API explorer: the schema to read, and a place to write a document and to see its answer. Ours, so that nothing is
// loaded from anywhere else; it asks as whoever is signed in, and a mutation that is run here is done.

import { getIntrospectionQuery, type IntrospectionQuery, parse, print } from "graphql";
import { buildClientSchema } from "graphql/utilities/buildClientSchema";
import { validate } from "graphql/validation/validate";
import type { GraphQLSchema } from "graphql";
import { Play, WandSparkles } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";

import { sentence } from "@/api/change";
import { ask } from "@/api/client";
import { type ApiError, asApiError } from "@/api/errors";
import { Button } from "@/parts/button";
import { CodeBlock, CopyButton } from "@/parts/copy";
import { Field, TextArea } from "@/parts/field";
import { Card } from "@/parts/page";
import { Failed, Notice, Skeleton } from "@/parts/states";
import { SchemaBrowser } from "./schema-browser";

const FIRST = `query Newest {
  conversions(first: 5) {
    nodes {
      id
      status
      convertedAt
      offer {
        name
      }
    }
  }
}`;

export function Explorer() {
  const { schema, error, retry } = useSchema();
  const [query, setQuery] = useState(FIRST);
  if (error) return <Failed error={error} onRetry={retry} />;
  if (!schema) return <Skeleton lines={8} />;
  return (
    <div className="grid gap-5 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)] lg:items-start">
      <Desk schema={schema} query={query} setQuery={setQuery} />
      <Card title="Schema" isFlush>
        <SchemaBrowser schema={schema} onTake={setQuery} />
      </Card>
    </div>
  );
}

function useSchema(): { schema: GraphQLSchema | null; error: ApiError | null; retry: () => void } {
  const [schema, setSchema] = useState<GraphQLSchema | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setError(null);
    ask<IntrospectionQuery>({ query: getIntrospectionQuery({ inputValueDeprecation: false }) }, stop.signal)
      .then(({ data, errors }) => {
        if (data) setSchema(buildClientSchema(data));
        else setError(asApiError(new Error(errors?.[0]?.message ?? "The schema did not come")));
      })
      .catch((failure: unknown) => {
        if (!stop.signal.aborted) setError(asApiError(failure));
      });
    return () => stop.abort();
  }, [attempt]);
  return { schema, error, retry: () => setAttempt(attempt + 1) };
}

function Desk({ schema, query, setQuery }: { schema: GraphQLSchema; query: string; setQuery: (query: string) => void }) {
  const [variables, setVariables] = useState("{}");
  const [answer, setAnswer] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const faults = useMemo(() => faultsOf(schema, query), [schema, query]);
  const isMutation = /^\s*mutation\b/m.test(query);
  const form = useRef<HTMLFormElement>(null);

  async function run() {
    setProblem(null);
    let values: unknown;
    try {
      values = JSON.parse(variables || "{}");
    } catch {
      setProblem("The variables are not JSON.");
      return;
    }
    setBusy(true);
    try {
      setAnswer(JSON.stringify(await ask({ query, variables: values }), null, 2));
    } catch (error) {
      setProblem(sentence(asApiError(error)));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Card title="Document" about="Asked as you, with your role. Ctrl Enter runs it.">
      <form
        ref={form}
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy) void run();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.current?.requestSubmit();
        }}
      >
        <Field label="GraphQL" problem={faults[0]}>
          {(control) => <TextArea {...control} rows={14} spellCheck={false} className="mono text-sm" value={query} onChange={(event) => setQuery(event.target.value)} />}
        </Field>
        <Field label="Variables" hint="JSON.">
          {(control) => <TextArea {...control} rows={3} spellCheck={false} className="mono text-sm" value={variables} onChange={(event) => setVariables(event.target.value)} />}
        </Field>
        {isMutation && <Notice tone="warn">A mutation that you run here is done.</Notice>}
        {problem && (
          <Notice tone="bad" role="alert">
            {problem}
          </Notice>
        )}
        <div className="flex flex-wrap gap-2">
          <Button type="submit" look="primary" disabled={isBusy}>
            <Play aria-hidden />
            {isBusy ? "Running…" : "Run"}
          </Button>
          <Button disabled={faults.length > 0} onClick={() => setQuery(print(parse(query)))}>
            <WandSparkles aria-hidden />
            Tidy
          </Button>
          <CopyButton look="quiet" label="Copy as curl" text={curlOf(query, variables)} />
        </div>
      </form>
      {answer !== null && (
        <div aria-live="polite" className="mt-5 grid gap-2 border-t border-line pt-4">
          <h3 className="text-sm font-semibold">Answer</h3>
          <CodeBlock text={answer} what="the answer" />
        </div>
      )}
    </Card>
  );
}

function faultsOf(schema: GraphQLSchema, query: string): string[] {
  try {
    return validate(schema, parse(query)).map(({ message }) => message);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** With a variable of the shell where the key goes. */
function curlOf(query: string, variables: string): string {
  const body = `{"query":${JSON.stringify(query)},"variables":${variables || "{}"}}`;
  return `curl ${location.origin}/graphql -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '${body.replaceAll("'", "'\\''")}'`;
}
