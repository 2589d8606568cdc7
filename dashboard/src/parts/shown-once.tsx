// A secret that the server says once: to be copied before this is closed.

import { Button } from "./button";
import { CodeBlock } from "./copy";
import { Dialog } from "./dialog";
import { Notice } from "./states";

export function ShownOnce({ title, about, text, onClose }: { title: string; about: string; text: string; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="grid gap-4">
        <p className="text-base">{about}</p>
        <CodeBlock text={text} what="it" />
        <Notice tone="warn">It is shown this once. Whoever has it can use it.</Notice>
        <div className="flex justify-end">
          <Button look="primary" onClick={onClose}>
            Done
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
