// Putting a text onto the clipboard. Where the browser does not let us (plain HTTP on another host), the text is shown
// selected instead: nothing is ever said to be copied that was not.

import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";

import { Button, IconButton } from "./button";
import { toast } from "./toast";

const SAID_MILLIS = 2_000;

/** True when it is there. A text that has yet to be fetched is promised at once: Safari forgets the click meanwhile. */
export async function copyText(text: string | Promise<string | null>): Promise<boolean> {
  if (!navigator.clipboard) return false;
  try {
    if (typeof text === "string") {
      await navigator.clipboard.writeText(text);
    } else {
      const promised = text.then((made) => {
        if (made === null) throw new Error("there is nothing to copy");
        return new Blob([made], { type: "text/plain" });
      });
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": promised })]);
    }
    return true;
  } catch {
    return false;
  }
}

/** `text` may be made when it is asked for; null means that it could not be, and whoever makes it has said why. */
export function useCopy(text: string | (() => Promise<string | null>)) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MILLIS);
    return () => clearTimeout(timer);
  }, [isCopied]);

  async function copy(): Promise<void> {
    const made = typeof text === "string" ? text : text();
    const isThere = await copyText(made);
    if ((await made) === null) return;
    if (isThere) setCopied(true);
    else toast("The browser did not let the dashboard write to the clipboard: use Reveal, and copy by hand.", { tone: "bad" });
  }

  return { isCopied, copy };
}

export function CopyButton({
  text,
  label,
  look = "plain",
  size = "normal",
  disabled,
}: {
  text: string | (() => Promise<string | null>);
  label: string;
  look?: "primary" | "plain" | "quiet";
  size?: "normal" | "small";
  disabled?: boolean;
}) {
  const { isCopied, copy } = useCopy(text);
  return (
    <Button look={look} size={size} disabled={disabled} onClick={() => void copy()}>
      {isCopied ? <Check aria-hidden /> : <Copy aria-hidden />}
      <span aria-live="polite">{isCopied ? "Copied" : label}</span>
    </Button>
  );
}

/** Beside a short text, such as an id. */
export function CopyIcon({ text, what }: { text: string; what: string }) {
  const { isCopied, copy } = useCopy(text);
  return (
    <IconButton label={isCopied ? "Copied" : `Copy ${what}`} onClick={() => void copy()}>
      {isCopied ? <Check aria-hidden className="text-good" /> : <Copy aria-hidden />}
    </IconButton>
  );
}

/** An id to read and to copy. */
export function CopiedId({ text, what = "the id" }: { text: string; what?: string }) {
  return (
    <span className="flex items-start gap-1">
      <span className="mono min-w-0 break-all">{text}</span>
      <span className="-my-1 shrink-0">
        <CopyIcon text={text} what={what} />
      </span>
    </span>
  );
}

/** A line or some lines of code that can be copied. */
export function CodeBlock({ text, what }: { text: string; what: string }) {
  return (
    <div className="relative rounded-md border border-line bg-sunken">
      <pre tabIndex={0} aria-label={what} className="mono overflow-x-auto p-3 pr-12 text-sm whitespace-pre-wrap break-all">
        {text}
      </pre>
      <div className="absolute top-1.5 right-1.5">
        <CopyIcon text={text} what={what} />
      </div>
    </div>
  );
}
