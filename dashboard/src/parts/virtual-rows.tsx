// The rows of a long list that are near what is seen, with room for the others. Only `table.tsx` loads it.

import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, type RefObject, useLayoutEffect, useState } from "react";

interface Props {
  /** What holds the table. */
  frame: RefObject<HTMLElement | null>;
  count: number;
  rowPixels: number;
  /** How many columns there are. */
  span: number;
  row: (index: number) => ReactNode;
}

export default function VirtualRows({ frame, count, rowPixels, span, row }: Props) {
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    if (frame.current) setMargin(frame.current.getBoundingClientRect().top + window.scrollY);
  }, [frame]);
  const virtualizer = useWindowVirtualizer({ count, estimateSize: () => rowPixels, overscan: 12, scrollMargin: margin });
  const items = virtualizer.getVirtualItems();
  const [first, last] = [items[0], items[items.length - 1]];
  return (
    <>
      <Gap pixels={first ? first.start - margin : 0} span={span} />
      {items.map((item) => row(item.index))}
      <Gap pixels={last ? virtualizer.getTotalSize() - (last.end - margin) : 0} span={span} />
    </>
  );
}

function Gap({ pixels, span }: { pixels: number; span: number }) {
  if (pixels <= 0) return null;
  return (
    <tr aria-hidden>
      <td colSpan={span} style={{ height: pixels }} />
    </tr>
  );
}
