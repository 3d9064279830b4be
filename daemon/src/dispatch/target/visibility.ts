/** Who may see a part, and for how long, and who may end it. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Decide } from '../dispatch.types.ts';
import { asked } from './about.ts';
import type { RowFacts } from './journal-row.ts';
import type { PartHandle } from './target.types.ts';

/** True for this node's operator, for the user that started it, and for those that may READ what it is about. */
export function mayRead({ principal: starter, about }: RowFacts, principal: Principal, decide: Decide, node: string): boolean {
  if (principal.type === 'operator') return true;
  const own =
    starter.type === 'user' && starter.home === principal.home && starter.name === principal.name && starter.uid === principal.uid;
  return own || decide(principal, asked(about, node, 'READ')).allowed;
}

/** Allowed for those that may EXECUTE what it is about. */
export function mayEnd({ about }: RowFacts, principal: Principal, decide: Decide, node: string): ReturnType<Decide> {
  return decide(principal, asked(about, node, 'EXECUTE'));
}

/** A handle whose `part` and `read` throw FORBIDDEN once its user may no longer see the part. */
export function asLongAs(maySee: () => boolean, handle: PartHandle): PartHandle {
  const seen = (): PartHandle => {
    if (maySee()) return handle;
    throw new DtkdError('FORBIDDEN', 'your right to see this execution has ended');
  };
  const { id, index, order } = handle;
  return {
    id,
    index,
    ...(order === undefined ? {} : { order }),
    part: () => seen().part(),
    read: async (offset, maxBytes) => seen().read(offset, maxBytes),
    onChange: (listener) => handle.onChange(listener),
    get ended() {
      return handle.ended;
    },
  };
}
