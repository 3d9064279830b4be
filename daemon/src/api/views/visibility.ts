/** How much of an object a principal sees, and the redacted form of an object that only shows its name. Pure. */
import { dtAppKind, OWNER_LABEL } from '../../../../protocol/kinds/dtapp.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { parseFieldSelector } from '../../../../protocol/objects/selectors.ts';
import { type Principal, SELF } from '../../../../protocol/rights/principal.ts';
import type { View, Visibility } from '../../access/access.types.ts';
import type { ListQuery } from '../../store/object-store.types.ts';

/** Selector fields that reveal nothing beyond what DISCOVER shows. */
const DISCOVERABLE_FIELDS: readonly string[] = ['metadata.name', 'metadata.namespace'];

/** What DISCOVER shows of an object: kind, name, and what distinguishes one object and its version from another. */
export function redacted({ apiVersion, kind, metadata }: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const shown: ApiObject = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp, generation: 0 },
  };
  // the type demands a generation, but it would reveal how often the object was changed
  Reflect.deleteProperty(shown.metadata, 'generation');
  return shown;
}

/** True for a user of another node. */
export function isRemote(principal: Principal): boolean {
  return principal.type === 'user' && principal.home !== SELF;
}

/**
 * True if a query looks at more than names. Objects that only show their name are then left out: a match would reveal what they
 * contain.
 */
function looksInside({ labelSelector = '', fieldSelector = '', where = '' }: ListQuery): boolean {
  if (labelSelector.trim() !== '' || where.trim() !== '') return true;
  try {
    parseFieldSelector(fieldSelector, DISCOVERABLE_FIELDS);
    return false;
  } catch {
    return true;
  }
}

/**
 * True for a copy of an app that this node made for itself. Members make their own copies, so the app would be listed twice. A
 * dtPeer is not a copy: it says how its node sees a member, and a grant on dtpeers is a grant on just that.
 */
function isCopy(query: Pick<ListQuery, 'group' | 'plural'>, object: ApiObject): boolean {
  return query.group === dtAppKind.group && query.plural === dtAppKind.plural && object.metadata.labels?.[OWNER_LABEL] !== undefined;
}

/** What a principal sees of each object that a query selects. `node` is this node: users of other nodes see only what it owns. */
export function visibilityIn(query: ListQuery, view: View, principal: Principal, node: string): (object: ApiObject) => Visibility {
  if (view === 'none') return () => 'hidden';
  const inside = looksInside(query);
  const remote = isRemote(principal);
  return (object) => {
    if (remote && (object.metadata.namespace !== node || isCopy(query, object))) return 'hidden';
    const visibility = view === 'all' ? 'full' : view(object);
    return visibility === 'name' && inside ? 'hidden' : visibility;
  };
}

/** The object as it is shown; undefined if it is hidden. */
export function shownAs(visibility: Visibility, object: ApiObject): ApiObject | undefined {
  if (visibility === 'full') return object;
  return visibility === 'name' ? redacted(object) : undefined;
}
