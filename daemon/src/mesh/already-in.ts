import { DtkdError } from '../../../protocol/errors.ts';
import type { DomainView } from './mesh.types.ts';

/** The error for creating or joining a domain when this node is in one of that name. Advises to leave only where nothing is lost by it. */
export function alreadyIn({ name, holdsRoot, state }: Pick<DomainView, 'name' | 'holdsRoot' | 'state'>): DtkdError {
  const next =
    state === 'Removed'
      ? `This node was removed from it; to forget it: dtkd domain leave ${name}.`
      : holdsRoot
        ? `To let other nodes join it: dtkd domain invite ${name}.`
        : `See "dtkd domain show ${name}", or choose another name: a node cannot be in two domains with one name.`;
  return new DtkdError('ALREADY_EXISTS', `this node is already in a domain named "${name}"`, { next });
}
