// What stands around every page: the menu, the palette, the shortcuts, the messages. On a narrow screen the menu is
// behind a button.

import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { LogOut, Menu as MenuIcon, Monitor, Moon, Search, Sun, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";

import { signOut } from "@/api/session";
import { queryClient } from "@/api/query";
import { Button, IconButton } from "@/parts/button";
import { Loaded, Skeleton } from "@/parts/states";
import { ShortcutHelp } from "@/parts/shortcuts";
import { toast, Toasts } from "@/parts/toast";
import type { Destination } from "@/parts/lookup/palette";
import { BRAND_ICON as BrandIcon, MENU, type MenuItem } from "./menu";
import { useOperator } from "./session";
import { type ThemeChoice, useTheme } from "./theme";

const Palette = lazy(() => import("@/parts/lookup/palette").then(({ Palette }) => ({ default: Palette })));

const PAGES: Destination[] = MENU.flatMap(({ title, items }) =>
  items.map(({ text, to }) => ({ key: to, kind: "Page", text: title && title !== text ? `${title} › ${text}` : text, to })),
);

export function Shell() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isPaletteOpen, setPaletteOpen] = usePalette();
  const closeMenu = useRef<HTMLButtonElement>(null);
  useEffect(() => setMenuOpen(false), [path]);
  useEffect(() => {
    if (isMenuOpen) closeMenu.current?.focus();
  }, [isMenuOpen]);
  useFocusOnArrival(path);
  return (
    <div className="lg:grid lg:grid-cols-[15.5rem_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded focus:bg-accent focus:px-3 focus:py-2 focus:text-on-accent"
      >
        Skip to the page
      </a>
      <header data-print="hide" className="sticky top-0 z-20 flex h-13 items-center gap-2 border-b border-line bg-surface px-3 lg:hidden">
        <IconButton label="Menu" size="square" aria-expanded={isMenuOpen} onClick={() => setMenuOpen(!isMenuOpen)}>
          <MenuIcon aria-hidden />
        </IconButton>
        <Brand />
        <IconButton label="Search everything" size="square" className="ml-auto" onClick={() => setPaletteOpen(true)}>
          <Search aria-hidden />
        </IconButton>
      </header>
      {isMenuOpen && <div className="fixed inset-0 z-30 bg-(--scrim) lg:hidden" onClick={() => setMenuOpen(false)} />}
      <div
        data-print="hide"
        onKeyDown={(event) => {
          if (event.key === "Escape") setMenuOpen(false);
        }}
        className={
          "fixed inset-y-0 left-0 z-40 flex w-72 max-w-[85vw] flex-col border-r border-line bg-surface lg:sticky lg:top-0 lg:z-0 lg:h-dvh lg:w-auto lg:max-w-none " +
          (isMenuOpen ? "" : "max-lg:hidden")
        }
      >
        <div className="flex h-13 items-center justify-between px-4">
          <Brand />
          <IconButton label="Close the menu" className="lg:hidden" ref={closeMenu} onClick={() => setMenuOpen(false)}>
            <X aria-hidden />
          </IconButton>
        </div>
        <div className="px-3 pb-2">
          <button
            type="button"
            onClick={() => setPaletteOpen(true)}
            className="flex h-8 w-full items-center gap-2 rounded-md border border-line-strong bg-surface px-2.5 text-sm text-faint hover:bg-hover"
          >
            <Search aria-hidden className="size-4" />
            <span className="grow text-left">Search</span>
            <kbd className="mono rounded border border-line bg-sunken px-1 text-xs">{isMac() ? "⌘ K" : "Ctrl K"}</kbd>
          </button>
        </div>
        <nav aria-label="Menu" className="grow overflow-y-auto px-3 py-1">
          {MENU.map(({ title, items }) => (
            <div key={title ?? items[0]?.to} className="pb-3">
              {title && <p className="px-2 pt-1 pb-1 text-xs font-medium text-faint">{title}</p>}
              <ul className="grid gap-px">
                {items.map((item) => (
                  <li key={item.to}>
                    <MenuLink item={item} isHere={isHere(item, path)} />
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </nav>
        <Person />
      </div>
      <main id="main" tabIndex={-1} className="min-w-0">
        <Outlet />
      </main>
      <Toasts />
      <ShortcutHelp />
      {isPaletteOpen && (
        <Suspense>
          <Palette pages={PAGES} onClose={() => setPaletteOpen(false)} />
        </Suspense>
      )}
    </div>
  );
}

/** The longest path of the menu that the page lies under. */
function isHere(item: MenuItem, path: string): boolean {
  const below = MENU.flatMap(({ items }) => items).filter(({ to }) => path === to || path.startsWith(`${to}/`));
  const longest = below.reduce((best, one) => (one.to.length > best.length ? one.to : best), "");
  return item.to === longest;
}

function MenuLink({ item: { text, to, icon: Icon }, isHere }: { item: MenuItem; isHere: boolean }) {
  return (
    <Link
      to={to}
      aria-current={isHere ? "page" : undefined}
      className={
        "flex items-center gap-2.5 rounded-md px-2 py-1.5 text-sm " +
        (isHere ? "bg-accent-soft font-medium text-accent-ink" : "text-soft hover:bg-hover hover:text-ink")
      }
    >
      <Icon aria-hidden className="size-4 shrink-0" />
      {text}
    </Link>
  );
}

export function Brand() {
  return (
    <span className="flex items-center gap-2 font-semibold tracking-tight">
      <span className="grid size-6 place-items-center rounded-md bg-accent text-on-accent">
        <BrandIcon aria-hidden className="size-4" />
      </span>
      Roundtrip
    </span>
  );
}

function Person() {
  const operator = useOperator();
  const leave = async () => {
    queryClient.clear();
    await signOut().catch(() => toast("You are signed out here, but the server could not be told.", { tone: "bad" }));
  };
  return (
    <div className="grid gap-2 border-t border-line p-3">
      <Loaded query={{ data: operator ?? undefined, error: null, retry: () => undefined }} skeleton={<Skeleton lines={1} />}>
        {({ name, email, role }) => (
          <div className="flex items-center justify-between gap-2">
            <div className="min-w-0">
              <p className="truncate text-sm font-medium" title={email}>
                {name}
              </p>
              <p className="text-xs text-faint">{role.charAt(0) + role.slice(1).toLowerCase()}</p>
            </div>
            <div className="flex shrink-0 items-center">
              <ThemeButton />
              <IconButton label="Sign out" onClick={() => void leave()}>
                <LogOut aria-hidden />
              </IconButton>
            </div>
          </div>
        )}
      </Loaded>
    </div>
  );
}

const NEXT: Record<ThemeChoice, { next: ThemeChoice; text: string; Icon: typeof Sun }> = {
  system: { next: "light", text: "Theme: as the system", Icon: Monitor },
  light: { next: "dark", text: "Theme: light", Icon: Sun },
  dark: { next: "system", text: "Theme: dark", Icon: Moon },
};

function ThemeButton() {
  const { choice, choose } = useTheme();
  const { next, text, Icon } = NEXT[choice];
  return (
    <IconButton label={text} onClick={() => choose(next)}>
      <Icon aria-hidden />
    </IconButton>
  );
}

/** Ctrl K works while typing too. */
function usePalette(): [boolean, (open: boolean) => void] {
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        setOpen(true);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return [isOpen, setOpen];
}

/** A page that is gone to by a link gets the focus, as a new document would; not the first one. */
function useFocusOnArrival(path: string): void {
  const last = useRef(path);
  useEffect(() => {
    if (last.current === path) return;
    last.current = path;
    window.scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [path]);
}

function isMac(): boolean {
  return /mac/i.test(navigator.platform);
}

/** For whatever fails while a page is drawn: a page of our own instead of a blank one. */
export function Crashed({ error }: { error: unknown }) {
  return (
    <div role="alert" className="grid justify-items-center gap-3 px-4 py-16 text-center">
      <p className="text-lg font-semibold">This page stopped working</p>
      <p className="mono max-w-xl text-sm break-words text-soft">{error instanceof Error ? error.message : String(error)}</p>
      <Button onClick={() => location.reload()}>Load it again</Button>
    </div>
  );
}
