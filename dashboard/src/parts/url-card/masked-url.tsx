// A URL to look at: host, names and values told apart, placeholders marked, the secret's mask as it came.

interface Piece {
  text: string;
  className: string;
}

const FAINT = "text-faint";

export function MaskedUrl({ text }: { text: string }) {
  return (
    <p className="mono p-3 text-sm leading-6 break-all" data-testid="url">
      {pieces(text).map(({ text: piece, className }, index) => (
        <span key={index} className={className}>
          {piece}
        </span>
      ))}
    </p>
  );
}

function pieces(text: string): Piece[] {
  const mark = text.indexOf("?");
  if (mark < 0) return [{ text, className: "" }];
  const pairs = text.slice(mark + 1).split("&");
  return [
    { text: text.slice(0, mark), className: "font-medium" },
    ...pairs.flatMap((pair, index): Piece[] => {
      const equals = pair.indexOf("=");
      const name = equals < 0 ? pair : pair.slice(0, equals);
      const value = equals < 0 ? "" : pair.slice(equals + 1);
      return [
        { text: index === 0 ? "?" : "&", className: FAINT },
        { text: name, className: name === "secure" ? "font-medium text-accent-ink" : "text-soft" },
        { text: equals < 0 ? "" : "=", className: FAINT },
        { text: value, className: isPlaceholder(value) ? "rounded bg-warn-soft px-0.5 text-warn" : "" },
      ];
    }),
  ];
}

function isPlaceholder(value: string): boolean {
  return /[{[%#].*[}\]%#]/.test(value);
}
