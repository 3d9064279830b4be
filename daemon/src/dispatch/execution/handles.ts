/** Parts of an execution that this node started, in the shape in which targets show theirs, for those who ask over the wire. */
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { PartHandle } from '../target/target.types.ts';
import type { View } from './view.types.ts';

export function handleOf(view: View, index: number, first: Part): PartHandle {
  const part = () => view.part(index) ?? first;
  return {
    id: view.id,
    index,
    part,
    read: (offset, maxBytes) => view.read(index, offset, maxBytes),
    onChange: (listener) =>
      view.onChange((which) => {
        if (which === index) listener();
      }),
    get ended() {
      return endOf(view, part);
    },
  };
}

function endOf(view: View, part: () => Part): Promise<Part> {
  const { promise, resolve } = Promise.withResolvers<Part>();
  const look = () => {
    if (part().state === 'ended') resolve(part());
  };
  const forget = view.onChange(look);
  look();
  return promise.finally(forget);
}

export function handlesOf(view: View): PartHandle[] {
  return [...view.indexes()].flatMap((index) => {
    const part = view.part(index);
    return part === undefined ? [] : [handleOf(view, index, part)];
  });
}
