/** Actions about rights: `whoami`, `can`, `rules`, and a new token for a user. */
import { isRecord } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { kindByAnyName } from '../../../protocol/kinds/index.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import { type ApiObject, objectName } from '../../../protocol/objects/objects.ts';
import { actNamed, CAPABILITY_VERBS, type CapabilityVerb } from '../../../protocol/rights/capability.ts';
import { displayOf, type Principal, SELF } from '../../../protocol/rights/principal.ts';
import type { ObjectStore } from '../store/object-store.types.ts';
import type { Access, Asked, Decision } from './access.types.ts';
import type { Directory } from './directory.ts';
import type { FactBook } from './fact-book.ts';
import type { AccessAction, AccessActionRequest, AccessMesh } from './ports.ts';
import { modelOf, RESOURCES } from './scope.ts';
import { allows } from './standing.ts';
import type { UserTokens } from './user-tokens.ts';

/** Limit on resources examined with the same name in one model; they differ in type. */
const MAX_NAMESAKES = 8;

export interface ActionParts {
  store: ObjectStore;
  node: { name: string };
  directory: Directory;
  mesh: Pick<AccessMesh, 'domains'>;
  book: FactBook;
  now(): number;
  access: Pick<Access, 'decide' | 'rules'>;
}

export function accessActions(parts: ActionParts): ReadonlyMap<string, AccessAction> {
  const tellWho: AccessAction = async ({ principal }) => whoami(parts, principal);
  const tellRight: AccessAction = (request) => can(parts, request);
  const tellRules: AccessAction = async ({ principal }) => parts.access.rules(principal);
  for (const action of [tellWho, tellRight, tellRules]) action.open = 'anybody';
  return new Map([
    ['whoami', tellWho],
    ['can', tellRight],
    ['rules', tellRules],
  ]);
}

export function userActions(tokens: UserTokens): ReadonlyMap<string, AccessAction> {
  const token: AccessAction = async ({ principal, method, name }) => {
    if (method !== 'POST') throw new DtkdError('METHOD_NOT_ALLOWED', 'use POST to make a new token');
    // A token gives all that the user was granted, so no right on the User object may be enough to make one.
    if (principal.type !== 'operator' && !(principal.home === SELF && principal.name === name)) {
      throw new DtkdError('FORBIDDEN', `${principal.display} may not make a token for another user`, {
        next: 'Ask the operator of this node.',
      });
    }
    return { token: await tokens.rotate(name, principal.type === 'user' ? principal.uid : undefined) };
  };
  token.verb = 'READ';
  return new Map([[`${userKind.group}/${userKind.plural}/token`, token]]);
}

function whoami({ node, mesh }: ActionParts, principal: Principal): unknown {
  if (principal.type === 'operator') return { name: principal.name, type: 'operator', node: node.name, display: displayOf(principal) };
  const { name, uid, home, display } = principal;
  // others know a user of this node by the node's keys: grants made under an earlier key give nothing
  const known = home === SELF ? { keys: mesh.domains().map(({ self }) => self) } : { home };
  return { name, type: 'user', node: display.slice(display.lastIndexOf('@') + 1), display, uid, ...known };
}

async function can(parts: ActionParts, request: AccessActionRequest): Promise<unknown> {
  const { who, verb, what } = question(request);
  const asker = request.principal;
  const asked = await askedAbout(parts, asker, verb, what);
  const ofSelf = who === undefined || who === displayOf(asker);
  // checked before looking anybody up, since a failed lookup names users and nodes
  if (asker.type !== 'operator' && !ofSelf) {
    const decision = parts.access.decide(asker, { ...asked, verb: 'MANAGE' });
    if (!decision.allowed) {
      throw new DtkdError('FORBIDDEN', `only users who may MANAGE it can ask what others may do: ${decision.reason}`, {
        next: 'Ask about yourself, or ask the operator of this node.',
      });
    }
  }
  const about = ofSelf ? asker : await parts.directory.principal(who, asker);
  const decision = parts.access.decide(about, asked);
  return { who: displayOf(about), verb, what, ...(decision.allowed ? decision : explained(parts, about, asked, decision)) };
}

/** Mentions a capability granted to an earlier user of the same name: judged by the name alone, it seems to be this user's. */
function explained({ book, now }: ActionParts, about: Principal, asked: Asked, refused: Refused): Refused {
  if (about.type !== 'user') return refused;
  for (const grant of book.grantsToNamesakes(about)) {
    if (!allows(grant, asked.verb, asked, book, now())) continue;
    return {
      ...refused,
      reason: `${refused.reason}; capability ${grant.name} was granted to an earlier user ${about.display}: grant it again`,
    };
  }
  return refused;
}

type Refused = Extract<Decision, { allowed: false }>;

interface Question {
  who: string | undefined;
  verb: CapabilityVerb;
  what: string;
}

/** Parses `can/WHO/VERB/KIND/…`, `can?who=&verb=&what=`, or the same as a body. Without `who`, the question is about the asker. */
function question({ rest, query, body }: AccessActionRequest): Question {
  const [who, verb, ...what] = rest;
  const given = isRecord(body) ? body : {};
  const text = (name: string, fromPath: string | undefined): string | undefined => {
    const value = fromPath ?? query.get(name) ?? given[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const asked = text('verb', verb)?.toUpperCase() ?? '';
  const known = CAPABILITY_VERBS.find((each) => each === asked);
  if (known === undefined) {
    throw new DtkdError('BAD_REQUEST', `"${asked.slice(0, 80)}" is not a verb`, { next: `Use one of ${CAPABILITY_VERBS.join(', ')}.` });
  }
  const about = text('what', what.length === 0 ? undefined : what.join('/'));
  if (about === undefined) {
    throw new DtkdError('BAD_REQUEST', 'the object or kind is missing', {
      next: 'Write it like resource/web/front1, model/web, or resources.',
    });
  }
  return { who: text('who', who), verb: known, what: about };
}

/** The object that `kind/name` or `resource/MODEL/NAME` refers to; only its kind and name if there is none that the asker may know of. */
async function askedAbout({ store, node, access }: ActionParts, asker: Principal, verb: CapabilityVerb, what: string): Promise<Asked> {
  const [kindName = '', ...path] = what.split('/');
  const act = actNamed(kindName);
  if (act !== undefined && path.length === 0) return { verb, group: DTKD_GROUP, plural: act, name: node.name };
  const kind = kindByAnyName(kindName);
  if (kind === undefined) {
    throw new DtkdError('BAD_REQUEST', `there is no kind "${kindName.slice(0, 80)}"`, { next: 'See "dtkd api-resources" for the kinds.' });
  }
  const name = path.at(-1) ?? '';
  const model = path.length === 2 && kind === resourceKind ? path[0] : undefined;
  if (path.length > 2 || (path.length === 2 && model === undefined)) {
    throw new DtkdError('BAD_REQUEST', `"${what.slice(0, 200)}" names no object`, {
      next: 'Write it like resource/web/front1 or model/web.',
    });
  }
  const about = { verb, group: kind.group, plural: kind.plural, name };
  if (name === '') return about;
  const seen = (await candidates(store, kind, node.name, name, model)).filter((object) => {
    const asked: Asked = { ...about, verb: 'DISCOVER', name: object.metadata.name, object };
    return access.decide(asker, asked).allowed;
  });
  if (seen.length > 1) {
    throw new DtkdError('AMBIGUOUS', `${seen.length} resources of model ${model} are called "${name.slice(0, 80)}"`, {
      next: `Ask about one of ${seen.map(({ metadata }) => `resource/${metadata.name}`).join(', ')}.`,
    });
  }
  const [object] = seen;
  return object === undefined ? about : { ...about, name: object.metadata.name, object };
}

async function candidates(store: ObjectStore, kind: Kind, node: string, name: string, model: string | undefined): Promise<ApiObject[]> {
  const namespace = kind.scope === 'Cluster' ? '' : node;
  const named = objectName.safeParse(name).success
    ? await store.get({ group: kind.group, plural: kind.plural, namespace, name })
    : undefined;
  if (model === undefined) return named === undefined ? [] : [named];
  if (named !== undefined && modelOf(RESOURCES, name, named) === model) return [named];
  const quoted = (text: string) => text.replace(/[\\,=]/g, '\\$&');
  const { items } = await store.list({
    group: kind.group,
    plural: kind.plural,
    namespace,
    fieldSelector: `spec.model=${quoted(model)},spec.name=${quoted(name)}`,
    limit: MAX_NAMESAKES,
  });
  return items;
}
