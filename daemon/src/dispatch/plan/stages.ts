/**
 * Stages while a command is expanded: blocks that follow one another, or run side by side. Pure.
 */
import type { Stage } from './plan.types.ts';

/** A stage with its targets, before it has a place. `stops`: a failure ends the block that it is in. */
export interface OpenStage<T> {
  threads: number;
  keepGoing: boolean;
  title: string;
  items: T[];
  /** Stages from this one on that are left out after a failure: 1 for none but itself, Infinity for all. */
  skips: number;
}

export type Block<T> = OpenStage<T>[];

/** One after another. A failure in a block that `ignored` names ends that block only; in another, all that comes after. */
export function inSequence<T>(blocks: readonly { block: Block<T>; ignored: boolean }[]): Block<T> {
  return blocks.flatMap(({ block, ignored }) => (ignored ? contained(block) : block));
}

/** A failure within it has no consequence beyond it. */
function contained<T>(block: Block<T>): Block<T> {
  return block.map((stage, at) => ({ ...stage, skips: Math.min(stage.skips, block.length - at) }));
}

/**
 * Side by side: the first stages together, then the second, and so on. A failure in one ends what comes after, unless each of those that have a stage there
 * goes on.
 */
export function sideBySide<T>(blocks: readonly Block<T>[], title: string): Block<T> {
  const longest = Math.max(0, ...blocks.map((block) => block.length));
  return Array.from({ length: longest }, (_none, at) => {
    const here = blocks.flatMap((block) => block.slice(at, at + 1));
    return {
      threads: here.reduce((sum, { threads }) => sum + threads, 0),
      keepGoing: here.every(({ keepGoing }) => keepGoing),
      title: here.length === 1 && here[0] !== undefined ? here[0].title : title,
      items: here.flatMap(({ items }) => items),
      skips: Math.max(...here.map(({ skips }) => skips)),
    };
  });
}

/** The block as it is planned: places instead of lengths, and without stages that have nothing to do. */
export function closed<T>(block: Block<T>): { stages: Stage[]; items: { stage: number; item: T }[] } {
  const places: number[] = [];
  let place = 0;
  for (const { items } of block) {
    places.push(place);
    if (items.length > 0) place += 1;
  }
  const kept = block.flatMap((stage, at) => (stage.items.length === 0 ? [] : [{ stage, at }]));
  return {
    stages: kept.map(({ stage: { threads, keepGoing, title, skips }, at }) => ({
      threads,
      keepGoing,
      title,
      afterFailure: places[at + skips] ?? place,
    })),
    items: kept.flatMap(({ stage, at }) => stage.items.map((item) => ({ stage: places[at] ?? 0, item }))),
  };
}
