/** Parts of an execution that this node started, in the form in which targets show theirs, for members that ask over the wire. */
import { decodeCbor } from '../../../../../protocol/encoding/cbor.ts';
import type { ExecutionFields } from '../../../../../protocol/kinds/execution.ts';
import { planHeader } from '../../../../../protocol/orders/order.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { ordersAgain } from '../../plan/freeze.ts';
import type { PartHandle } from '../../target/target.types.ts';
import type { View } from './view.types.ts';

export function handleOf(view: View, index: number, first: Part): PartHandle {
  const part = () => explained(view, view.part(index) ?? first);
  return {
    id: view.id,
    index,
    part,
    read: (offset, maxBytes) => view.read(index, offset, maxBytes),
    onChange: (listener) => {
      let paused = isPaused(view);
      return view.onChange((which) => {
        const was = paused;
        paused = isPaused(view);
        if (which === index || paused !== was) listener();
      });
    },
    get ended() {
      return endOf(view, part);
    },
  };
}

/** Members that ask see parts, not the execution: so a pause is given as the reason why a part waits. */
function explained(view: View, part: Part): Part {
  if (part.state !== 'waiting' || !isPaused(view)) return part;
  return { ...part, paused: true, reason: 'it is paused: resume it on the node that started it, or abort it' };
}

/** A pause shows once it is durable, as it does to followers here. */
function isPaused(view: View): boolean {
  return view.phase() === 'Paused' && view.resting();
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

/** All parts, with their orders, which say what each was to do. */
export function handlesOf(view: View, { header: text, targets }: ExecutionFields['spec']): { header: Uint8Array; handles: PartHandle[] } {
  const header = Uint8Array.from(Buffer.from(text, 'base64'));
  const { root } = decodeCbor(header, planHeader, 'the header of a plan');
  const order = ordersAgain(header, root, targets);
  const handles = [...view.indexes()].flatMap((index) => {
    const part = view.part(index);
    if (part === undefined) return [];
    // assigned, not spread: `ended` is a getter
    return [order === undefined ? handleOf(view, index, part) : Object.assign(handleOf(view, index, part), { order: order(index) })];
  });
  return { header, handles };
}
