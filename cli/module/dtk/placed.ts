/** Components of an assembly, as DTK refers to them and as they are called here: pure. */
import type { ComponentRef } from './names.ts';

export interface Placed {
  /** As it is called here. */
  part: string;
  type: string;
  /** As it is written, without its title. */
  written: string;
  title: string | undefined;
  node: string | undefined;
}

/** Those that a reference means: without a node on any, without a title with any. */
export function matching<T extends Placed>(ref: ComponentRef, placed: readonly T[]): T[] {
  return placed.filter(
    ({ written, title, node }) =>
      written === ref.component && (ref.title === undefined || ref.title === title) && (ref.node === undefined || ref.node === node),
  );
}
