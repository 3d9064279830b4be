/** Orders statements of one root about one thing: by the root's own clock as it signed them, then by id. */
export interface Stamp {
  time: number;
  id: string;
}

export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time - b.time;
  return compareText(a.id, b.id);
}

/** By code units: the same on every machine, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
