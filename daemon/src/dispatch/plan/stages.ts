/** Stages while a command is expanded: blocks that run one after another or side by side. Pure. */
import type { Stage } from './plan.types.ts';

/** A stage with its targets, before its place in the plan is known. */
export interface OpenStage<T> {
  threads: number;
  keepGoing: boolean;
  title: string;
  items: T[];
  /** How many stages, from this one on, end with a failure in it: 1 for this one only, Infinity for all. */
  skips: number;
}

export type Block<T> = OpenStage<T>[];

/** Blocks one after another. A failure in an `ignored` block ends only that block; in any other it ends all that follows. */
export function inSequence<T>(blocks: readonly { block: Block<T>; ignored: boolean }[]): Block<T> {
  return blocks.flatMap(({ block, ignored }) => (ignored ? contained(block) : block));
}

/** Limits the effect of a failure in a block to that block. */
function contained<T>(block: Block<T>): Block<T> {
  return block.map((stage, at) => ({ ...stage, skips: Math.min(stage.skips, block.length - at) }));
}

/**
 * Blocks side by side: their first stages together, then their second ones, and so on. A failure in a stage ends as many stages as the
 * block there with the largest `skips` says; the rest of the stage is still started only if all of its blocks keep going.
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

/** A block in its final form: indexes instead of lengths, and without stages that have no targets. */
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
