/**
 * Reviews whether the caller may do something with objects. This node decides about its own objects; the owner is asked about those
 * of another node.
 */
import { KINDS, kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { REVIEWS, type ResourceAttributes } from '../../../../protocol/kinds/review.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Decision } from '../../access/access.types.ts';
import { RIGHT_FOR } from '../../access/rules.ts';
import { allowsDeleteCollection } from '../discovery/discovery.ts';
import { type Api, type ApiContext, namespaceOf } from '../request/request.ts';
import { askOwner } from './asking-owner.ts';
import type { Verdict } from './review.types.ts';

const OBJECT_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const READING: readonly string[] = ['get', 'list', 'watch'];

interface Question {
  kind: Kind;
  verb: string;
  right: CapabilityVerb;
  /** Empty if no particular namespace is meant. */
  namespace: string;
  name: string;
}

export async function reviewResource(api: Api, c: ApiContext, asked: ResourceAttributes): Promise<Verdict> {
  const { verb, group, resource } = asked;
  if (resource === '*' || group === '*') return reviewEvery(api, c, asked);
  if (asked.subresource !== '' && asked.subresource !== '*') return reviewSubresource(api, c, asked);
  const isReview = REVIEWS.some((review) => review.group === group && review.plural === resource);
  if (isReview && verb === 'create') return { allowed: true, reason: 'anybody may ask about themselves' };
  const kind = kindByPlural(group, resource);
  if (kind === undefined) return no(`there is no kind "${resource}"${group === '' ? '' : ` in ${group}`}`);
  return reviewKind(api, c, kind, asked);
}

/** Reviews one verb, or all of them for `*`, and returns the first that is not allowed. */
async function reviewKind(api: Api, c: ApiContext, kind: Kind, asked: ResourceAttributes): Promise<Verdict> {
  const namespace = kind.scope === 'Cluster' || asked.namespace === '' ? '' : namespaceOf(api, asked.namespace);
  const name = kind.plural === 'namespaces' ? namespaceOf(api, asked.name) : asked.name;
  let last = no(`"${asked.verb}" is not a verb`);
  for (const verb of asked.verb === '*' ? verbsOf(kind) : [asked.verb.toLowerCase()]) {
    const right = RIGHT_FOR.get(verb) ?? OWN_VERBS.get(verb);
    if (right === undefined) return no(`"${asked.verb}" is not a verb; there are ${[...RIGHT_FOR.keys(), ...OWN_VERBS.keys()].join(', ')}`);
    if (RIGHT_FOR.has(verb) && !verbsOf(kind).includes(verb)) return no(`${kind.plural} can only be used to ${verbsOf(kind).join(', ')}`);
    last = await reviewOne(api, c, { kind, verb, right, namespace, name });
    if (!last.allowed) return last;
  }
  return last;
}

/** Rights for which Kubernetes clients have no verb. */
const OWN_VERBS: ReadonlyMap<string, CapabilityVerb> = new Map([
  ['discover', 'DISCOVER'],
  ['read', 'READ'],
  ['manage', 'MANAGE'],
  ['request', 'REQUEST'],
  ['execute', 'EXECUTE'],
]);

function verbsOf(kind: Kind): string[] {
  return [...kind.verbs, ...(allowsDeleteCollection(kind) ? ['deletecollection'] : [])];
}

async function reviewOne(api: Api, c: ApiContext, question: Question): Promise<Verdict> {
  const { kind, verb, right, namespace, name } = question;
  const elsewhere = namespace !== '' && namespace !== api.node.name;
  // shared kinds have replicas here
  if (elsewhere && !(kind.shared && READING.includes(verb))) return askOwner(api, c, { namespace, kind, right, name });
  const object = await knownObject(api, c, question);
  const decision = api.access.decide(c.get('principal'), {
    verb: right,
    group: kind.group,
    plural: kind.plural,
    name,
    ...(object === undefined ? {} : { object }),
  });
  return verdictOf(decision);
}

export function verdictOf(decision: Decision): Verdict {
  return decision.allowed ? { allowed: true, reason: decision.because } : no(decision.reason);
}

/** The object that the question names, if the caller may know of it. */
async function knownObject(api: Api, c: ApiContext, { kind, namespace, name }: Question): Promise<ApiObject | undefined> {
  if (!OBJECT_NAME.test(name)) return undefined;
  const { group, plural } = kind;
  const object = await api.store.get({ group, plural, namespace: kind.scope === 'Cluster' ? '' : namespace || api.node.name, name });
  if (object === undefined) return undefined;
  return api.access.decide(c.get('principal'), { verb: 'DISCOVER', group, plural, name, object }).allowed ? object : undefined;
}

/** Reviews every kind (of a group), and returns the first that is not allowed. */
async function reviewEvery(api: Api, c: ApiContext, asked: ResourceAttributes): Promise<Verdict> {
  const kinds = KINDS.filter(
    (kind) =>
      (asked.group === '*' || asked.group === kind.group || asked.resource === '*') &&
      (asked.resource === '*' || asked.resource === kind.plural) &&
      (asked.verb === '*' || verbsOf(kind).includes(asked.verb)),
  );
  let last = no('there are no such kinds');
  for (const kind of kinds) {
    last = await reviewKind(api, c, kind, asked);
    if (!last.allowed) return last;
  }
  return last;
}

/** Reviews a subresource, which needs one right on its object for every verb. */
async function reviewSubresource(api: Api, c: ApiContext, asked: ResourceAttributes): Promise<Verdict> {
  const kind = kindByPlural(asked.group, asked.resource);
  const action = api.extensions.subresources.get(`${asked.group}/${asked.resource}/${asked.subresource}`);
  if (kind === undefined || action === undefined) return no(`${asked.resource} have no subresource "${asked.subresource}"`);
  const namespace = asked.namespace === '' ? '' : namespaceOf(api, asked.namespace);
  if (namespace !== '' && namespace !== api.node.name && action.verb === undefined) {
    return no(`"${kind.plural}/${asked.subresource}" is for users of that node only`);
  }
  return reviewOne(api, c, { kind, verb: asked.verb, right: action.verb ?? 'MANAGE', namespace, name: asked.name });
}

function no(reason: string): Verdict {
  return { allowed: false, reason };
}
