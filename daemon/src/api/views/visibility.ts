/** How much of an object somebody sees, and what is left of one that shows by name alone: pure. */
import { dtAppKind, OWNER_LABEL } from '../../../../protocol/kinds/dtapp.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { parseFieldSelector } from '../../../../protocol/objects/selectors.ts';
import { type Principal, SELF } from '../../../../protocol/rights/principal.ts';
import type { View, Visibility } from '../../access/access.types.ts';
import type { ListQuery } from '../../store/object-store.types.ts';

/** Fields of a selector that look at nothing but what DISCOVER shows. */
const DISCOVERABLE_FIELDS: readonly string[] = ['metadata.name', 'metadata.namespace'];

/** What DISCOVER shows of an object: kind, name, and what tells one object and its version from another. */
export function redacted({ apiVersion, kind, metadata }: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const shown: ApiObject = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp, generation: 0 },
  };
  // how often it was changed is nobody's business either, though every stored object says it
  Reflect.deleteProperty(shown.metadata, 'generation');
  return shown;
}

/** True for the user of another node. */
export function isRemote(principal: Principal): boolean {
  return principal.type === 'user' && principal.home !== SELF;
}

/**
 * True if a query looks at more than names. Objects that show by name alone are then left out: whether they match would tell what is in
 * them.
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
 * True for a copy that a node makes for itself: members make their own, and an app would count twice. A dtPeer is no copy: it says how its
 * node sees a member, and who was granted dtpeers was granted just that.
 */
function isCopy(query: Pick<ListQuery, 'group' | 'plural'>, object: ApiObject): boolean {
  return query.group === dtAppKind.group && query.plural === dtAppKind.plural && object.metadata.labels?.[OWNER_LABEL] !== undefined;
}

/** What a principal sees of each object that a query selects. `node` is this node: users of others see nothing but what it owns. */
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

/** The object as it shows; undefined if it does not. */
export function shownAs(visibility: Visibility, object: ApiObject): ApiObject | undefined {
  if (visibility === 'full') return object;
  return visibility === 'name' ? redacted(object) : undefined;
}
