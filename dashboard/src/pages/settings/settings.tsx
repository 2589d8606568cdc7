// Settings: of the network, of whoever is signed in, of the people and programs that may use it, and the API to try.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import { Page } from "@/parts/page";
import { Skeleton } from "@/parts/states";
import { Tabs } from "@/parts/tabs";
import { General } from "./general";

const You = lazy(() => import("./you").then(({ You }) => ({ default: You })));
const Operators = lazy(() => import("./operators").then(({ Operators }) => ({ default: Operators })));
const ApiKeys = lazy(() => import("./api-keys").then(({ ApiKeys }) => ({ default: ApiKeys })));
const Explorer = lazy(() => import("./explorer").then(({ Explorer }) => ({ default: Explorer })));

const TABS = [
  ["general", "General"],
  ["you", "You"],
  ["operators", "Operators"],
  ["keys", "API keys"],
  ["explorer", "API explorer"],
] as const;

export function SettingsPage() {
  const search = useSearch({ from: "/shell/settings" });
  const navigate = useNavigate({ from: "/settings" });
  const tab = search.tab ?? "general";
  return (
    <Page title="Settings" about="Of the network, and of who may use it.">
      <Tabs label="Settings" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: next === "general" ? {} : { tab: next } })}>
        <Suspense fallback={<Skeleton lines={6} />}>
          {tab === "general" && <General />}
          {tab === "you" && <You />}
          {tab === "operators" && <Operators />}
          {tab === "keys" && <ApiKeys />}
          {tab === "explorer" && <Explorer />}
        </Suspense>
      </Tabs>
    </Page>
  );
}
