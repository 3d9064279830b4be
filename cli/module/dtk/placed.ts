/** Components of an assembly, with their names in DTK and here. Pure. */
import type { ComponentRef } from './names.ts';

export interface Placed {
  /** Its name here. */
  part: string;
  type: string;
  /** Its name as written, without the title. */
  written: string;
  title: string | undefined;
  node: string | undefined;
}

/** The components that a reference matches. Without a node it matches any node, without a title any title. */
export function matching<T extends Placed>(ref: ComponentRef, placed: readonly T[]): T[] {
  return placed.filter(
    ({ written, title, node }) =>
      written === ref.component && (ref.title === undefined || ref.title === title) && (ref.node === undefined || ref.node === node),
  );
}
