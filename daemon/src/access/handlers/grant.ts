/**
 * Creates and revokes Capabilities and Shares: resolves the recipient to a key and a uid, checks the scope, and ties a user's grant to the
 * right that it rests on.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { capabilityKind, capabilitySchema } from '../../../../protocol/kinds/capability.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { shareKind, shareSchema } from '../../../../protocol/kinds/share.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { CapabilityVerb, GrantScope } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { judgeGranting, wantedOf } from '../delegation.ts';
import type { Directory, Resolved } from '../directory.ts';
import type { FactBook } from '../fact-book.ts';
import type { Grant } from '../facts.types.ts';
import { TRUST_PREFIX } from '../grants.ts';
import type { Handler, HandlerContext } from '../ports.ts';
import { kindText, MODELS, RESOURCES } from '../scope.ts';

const GRANT_KINDS = [capabilityKind, shareKind].map(({ group, plural }) => kindText(group, plural));

export interface GrantParts {
  store: ObjectStore;
  node: { name: string };
  now: () => number;
  book: FactBook;
  directory: Directory;
}

export function capabilityHandler(parts: GrantParts): Handler {
  return {
    async create(object, { principal }) {
      const { spec } = parsed(capabilitySchema.safeParse(object), 'Capability');
      const checked = checkedSpec(object, spec, parts.now());
      const isTrust = spec.to.startsWith(TRUST_PREFIX);
      const who = isTrust
        ? await parts.directory.trust(spec.to.slice(TRUST_PREFIX.length), 'spec.to', principal)
        : await parts.directory.user(spec.to, 'spec.to', principal);
      const { display, ...subject } = who;
      return {
        ...withoutServerFields(object),
        spec: { ...spec, ...checked, to: isTrust ? TRUST_PREFIX + display : display },
        subject: { ...subject, kind: isTrust ? 'Trust' : 'User' },
        ...standing(parts, principal, object),
      };
    },
    delete: (object, context) => revoke(parts, object, context),
  };
}

export function shareHandler(parts: GrantParts): Handler {
  return {
    async create(object, { principal }) {
      const { spec } = parsed(shareSchema.safeParse(object), 'Share');
      if (spec.verbs.includes('MANAGE')) {
        throw refuse('spec.verbs', 'MANAGE cannot be shared', 'Grant it: dtkd grant trust:TRUST@NODE MANAGE --on …');
      }
      const checked = checkedSpec(object, spec, parts.now());
      const given = spec.trust.startsWith(TRUST_PREFIX) ? spec.trust.slice(TRUST_PREFIX.length) : spec.trust;
      const { display, ...subject }: Resolved = await parts.directory.trust(given, 'spec.trust', principal);
      return {
        ...withoutServerFields(object),
        spec: { ...spec, ...checked, trust: display },
        subject,
        ...standing(parts, principal, object),
      };
    },
  };
}

/** The grantor and the capability that the grant rests on; empty for the operator. Throws FORBIDDEN. */
function standing({ book, now, directory }: GrantParts, principal: Principal, object: ApiObject): Pick<ApiObject, string> {
  if (principal.type === 'operator') return {};
  const granting = judgeGranting(principal, wantedOf(object), book, now());
  if (!granting.allowed) {
    throw new DtkdError('FORBIDDEN', granting.reason, {
      next: 'Grant only rights that you have together with MANAGE, and only on what you have them on.',
    });
  }
  return { grantor: directory.grantor(principal), ...(granting.parent === undefined ? {} : { parent: granting.parent }) };
}

/** The verbs in order, and the scope with its kind in full. Throws INVALID or BAD_REQUEST. */
function checkedSpec(
  object: ApiObject,
  { on, expires }: { on: GrantScope; expires?: string | undefined },
  now: number,
): { verbs: readonly CapabilityVerb[]; on: GrantScope } {
  const { verbs, scope } = wantedOf(object);
  if (object.metadata.finalizers !== undefined) {
    throw refuse('metadata.finalizers', 'a grant cannot have finalizers: nothing may delay its revocation', 'Leave the finalizers out.');
  }
  if (on.model !== undefined && ![RESOURCES, MODELS, '*'].includes(scope.kind)) {
    throw refuse('spec.on.model', `${scope.kind} do not belong to a model`, 'Leave the model out, or grant on resources.');
  }
  if (on.type !== undefined && ![RESOURCES, '*'].includes(scope.kind)) {
    throw refuse('spec.on.type', `${scope.kind} have no type`, 'Leave the type out, or grant on resources.');
  }
  if (GRANT_KINDS.includes(scope.kind) && verbs.some((verb) => verb !== 'READ' && verb !== 'DISCOVER')) {
    throw refuse(
      'spec.verbs',
      `on ${scope.kind} only READ and DISCOVER can be granted`,
      'They are created and revoked with MANAGE on their objects.',
    );
  }
  if (expires !== undefined && Date.parse(expires) <= now) {
    throw refuse('spec.expires', `${expires} is past`, 'Give a time in the future, or none.');
  }
  return { verbs, on: { ...on, kind: scope.kind } };
}

/** Also deletes everything passed on from a capability, since it gives nothing any more. */
async function revoke(
  { store, book, node }: GrantParts,
  object: ApiObject,
  context: HandlerContext,
): Promise<undefined | { handled: ApiObject }> {
  const below = descendants(book, object.metadata.uid);
  if (below.length === 0) return undefined;
  const names = below.map(({ source, name }) => `${source} ${name}`);
  context.warn(`${names.length} passed on from it end with it: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`);
  const refOf = (plural: string, name: string) => ({ group: DTKD_GROUP, plural, namespace: node.name, name });
  await store.transact(
    async (tx) => {
      const own = refOf(capabilityKind.plural, object.metadata.name);
      if ((await tx.get(own))?.metadata.uid !== object.metadata.uid) {
        throw new DtkdError('CONFLICT', `capability ${object.metadata.name} has changed meanwhile`, { next: 'Look at it again.' });
      }
      for (const grant of below) {
        const ref = refOf(grant.source === 'share' ? shareKind.plural : capabilityKind.plural, grant.name);
        if ((await tx.get(ref))?.metadata.uid === grant.uid) await tx.delete(ref);
      }
      await tx.delete(own);
    },
    { dryRun: context.dryRun },
  );
  return { handled: object };
}

function descendants(book: FactBook, uid: string): Grant[] {
  const found = new Map<string, Grant>();
  for (let level = [uid]; level.length > 0; ) {
    const next = level.flatMap((each) => book.below(each)).filter((grant) => !found.has(grant.uid));
    for (const grant of next) found.set(grant.uid, grant);
    level = next.map((grant) => grant.uid);
  }
  return [...found.values()];
}

function withoutServerFields({ subject: _subject, grantor: _grantor, parent: _parent, ...object }: ApiObject): ApiObject {
  return object;
}

function parsed<T>(result: { success: true; data: T } | { success: false; error: { issues: { message: string }[] } }, kind: string): T {
  if (result.success) return result.data;
  throw new DtkdError('INVALID', `the ${kind} is not valid: ${result.error.issues[0]?.message ?? ''}`);
}

function refuse(field: string, message: string, next: string): DtkdError {
  return new DtkdError('INVALID', message, { next, details: { causes: [{ reason: 'FieldValueInvalid', message, field }] } });
}
