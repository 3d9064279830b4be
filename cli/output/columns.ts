import { escapeControls } from './escape.ts';

/** The gap between columns. */
const GAP = '   ';

/** Pads cells so that columns line up; the last cell of a row is not padded. `widths` carries over to later calls. */
export function alignColumns(rows: readonly (readonly string[])[], widths: number[] = []): string[] {
  const safe = rows.map((row) => row.map(escapeControls));
  for (const row of safe) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, width(cell));
    });
  }
  return safe.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - width(cell))))
      .join(GAP)
      .trimEnd(),
  );
}

function width(text: string): number {
  return [...text].length;
}
