/** How one author's epochs descend from one another. Pure. */
import { compareEpochs, type Epoch, MAX_LINEAGE, type Point } from '../../../../protocol/log/log-entry.ts';

/** All of an author's history that one of its states contains: its own epoch, and how far it has each ancestor. */
export interface History {
  head: Point | undefined;
  /** The latest first. */
  lineage: readonly Point[];
}

/** True if the history contains that point. What is older than a full lineage reaches counts as contained. */
export function contains({ head, lineage }: History, point: Point): boolean {
  for (const known of head === undefined ? lineage : [head, ...lineage]) {
    if (compareEpochs(known.epoch, point.epoch) === 0) return known.seq >= point.seq;
  }
  const oldest = lineage.at(-1);
  return lineage.length >= MAX_LINEAGE && oldest !== undefined && compareEpochs(point.epoch, oldest.epoch) < 0;
}

/** True if both share an epoch. Otherwise nothing can be said about what one of them lacks. */
export function related(a: History, b: History): boolean {
  const epochs = new Set(pointsOf(a).map((point) => key(point.epoch)));
  return pointsOf(b).some((point) => epochs.has(key(point.epoch)));
}

/** The lineage of an epoch opened on top of these histories. */
export function joinLineages(...histories: readonly History[]): Point[] {
  const furthest = new Map<string, Point>();
  for (const point of histories.flatMap(pointsOf)) {
    const known = furthest.get(key(point.epoch));
    if (known === undefined || known.seq < point.seq) furthest.set(key(point.epoch), point);
  }
  return [...furthest.values()].sort((a, b) => compareEpochs(b.epoch, a.epoch)).slice(0, MAX_LINEAGE);
}

function pointsOf({ head, lineage }: History): readonly Point[] {
  return head === undefined ? lineage : [head, ...lineage];
}

function key(epoch: Epoch): string {
  return `${epoch.ms}/${epoch.random}`;
}
