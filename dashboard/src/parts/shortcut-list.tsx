// `?`: every key that does something on this page, and the switch that turns them off. Only `shortcuts.tsx` loads it.

import { Dialog } from "./dialog";
import { Switch } from "./field";
import { shortcutsNow, useEnabled } from "./shortcuts";

export function ShortcutList({ onClose }: { onClose: () => void }) {
  const [isOn, setOn] = useEnabled();
  return (
    <Dialog title="Keyboard shortcuts" size="small" onClose={onClose}>
      <div className="grid gap-4">
        <table className="w-full text-sm">
          <tbody>
            <Row keys="Ctrl K" text="Search everything" />
            {shortcutsNow().map((one) => (
              <Row key={one.key} keys={one.key.length === 1 ? one.key.toUpperCase() : one.key} text={one.text} />
            ))}
          </tbody>
        </table>
        <Switch
          label="Single keys do things"
          hint="Switch off if they get in the way of your browser or a screen reader. Ctrl K stays."
          checked={isOn}
          onChange={setOn}
        />
      </div>
    </Dialog>
  );
}

function Row({ keys, text }: { keys: string; text: string }) {
  return (
    <tr className="border-b border-line last:border-0">
      <td className="py-1.5">{text}</td>
      <td className="py-1.5 text-right">
        <kbd className="mono rounded border border-line-strong bg-sunken px-1.5 py-0.5">{keys}</kbd>
      </td>
    </tr>
  );
}
