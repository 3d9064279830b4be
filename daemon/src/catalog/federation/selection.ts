/** Selectors of a list or watch over nodes: which are evaluated here, and which are passed on to peers. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import {
  type FieldRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '../../../../protocol/objects/selectors.ts';
import { matchesWhere, parseWhere, type Where } from '../../../../protocol/where/where.ts';
import type { Selectors } from './federation.types.ts';

const NAMESPACE = 'metadata.namespace';
const NAME = 'metadata.name';

export interface FederatedSelection {
  /** True for the namespaces that are selected. */
  covers(namespace: string): boolean;
  /** True if every row in these namespaces is selected. */
  everything: boolean;
  matches(object: ApiObject): boolean;
  /** The selectors for peers, without requirements on the namespace: a peer's name for itself may differ from its name here. */
  forPeers: Selectors;
}

/** Throws BAD_REQUEST if a selector is invalid. */
export function federatedSelection(kind: Kind, selectors: Selectors, only?: string): FederatedSelection {
  const labels = parseLabelSelector(selectors.labelSelector ?? '');
  const all = parseFieldSelector(selectors.fieldSelector ?? '', [NAME, NAMESPACE, ...kind.selectableFields]);
  const namespaces = all.filter(({ path }) => path === NAMESPACE);
  const fields = all.filter(({ path }) => path !== NAMESPACE);
  const text = selectors.where?.trim() ?? '';
  const where = text === '' ? undefined : parseWhere(text, kind);
  if (where !== undefined && mentions(where, NAMESPACE)) {
    throw new DtkdError('BAD_REQUEST', 'an expression cannot select by namespace', {
      next: 'Name the node with -n or a field selector.',
    });
  }
  const looksInside = labels.length > 0 || where !== undefined || fields.some(({ path }) => path !== NAME);
  return {
    covers: (namespace) =>
      (only === undefined || namespace === only) && namespaces.every(({ equal, value }) => (value === namespace) === equal),
    everything: labels.length === 0 && fields.length === 0 && where === undefined,
    matches: (object) =>
      !(looksInside && showsNameOnly(object)) &&
      matchesLabels(labels, object.metadata.labels) &&
      matchesFields(fields, object) &&
      (where === undefined || matchesWhere(where, object)),
    forPeers: {
      ...(labels.length === 0 || selectors.labelSelector === undefined ? {} : { labelSelector: selectors.labelSelector }),
      ...(fields.length === 0 ? {} : { fieldSelector: fields.map(fieldText).join(',') }),
      ...(where === undefined ? {} : { where: text }),
    },
  };
}

/**
 * True for an object that its reader may only discover: it shows its name alone, so only the name can be selected on. Owners do the same.
 */
function showsNameOnly(object: ApiObject): boolean {
  return object.metadata.generation === undefined;
}

function fieldText({ path, equal, value }: FieldRequirement): string {
  return `${path}${equal ? '=' : '!='}${value.replace(/[\\,=]/g, '\\$&')}`;
}

function mentions(where: Where, path: string): boolean {
  switch (where.op) {
    case 'and':
    case 'or':
      return where.terms.some((term) => mentions(term, path));
    case 'not':
      return mentions(where.term, path);
    default:
      return where.path.text === path;
  }
}
