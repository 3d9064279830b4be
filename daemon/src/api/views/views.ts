/** What a principal sees of a kind, determined at the start of each list or watch. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Access, View } from '../../access/access.types.ts';
import type { LocalStore } from '../../store/local-store.types.ts';
import type { ListQuery } from '../../store/object-store.types.ts';
import { askFor } from './refusals.ts';
import type { ViewHistory } from './view-history.ts';
import { isRemote } from './visibility.ts';

/** The parts of the API that lists and watches need. */
export interface Views {
  store: LocalStore;
  access: Pick<Access, 'view'>;
  views: ViewHistory;
  node: { name: string };
}

/**
 * The present view. Throws FORBIDDEN for a user of another node who may see nothing of the kind, so that "you may not" does not
 * look like "there is none"; a user of this node gets an empty list.
 */
export function viewOf(
  api: Pick<Views, 'access' | 'node'>,
  principal: Principal,
  { group, plural }: Pick<ListQuery, 'group' | 'plural'>,
): View {
  const view = api.access.view(principal, group, plural);
  if (view !== 'none' || !isRemote(principal)) return view;
  throw new DtkdError('FORBIDDEN', `${plural} of ${api.node.name} are visible here only with a grant`, {
    next: askFor(api.node.name, principal, 'READ', { group, plural }),
  });
}
