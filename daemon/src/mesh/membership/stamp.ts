/** Orders statements of one root about one subject: by the root's clock at signing, then by id. */
export interface Stamp {
  time: number;
  id: string;
}

export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time - b.time;
  return compareText(a.id, b.id);
}

/** Compares by code units: the same on every machine, unlike a locale's order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
