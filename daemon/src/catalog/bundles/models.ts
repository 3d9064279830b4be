/**
 * Finds resources that a principal may run commands of, and their bundles: in this node's own model, in those of other nodes under the
 * asker's rights there, and among the bundles installed here, which remain when an owner is away. Decides access to own resources only;
 * other nodes decide about theirs. Keeps nothing.
 */
import { z } from 'zod';
import { scopedType } from '../../../../protocol/definitions/scoped-names.ts';
import { typeName } from '../../../../protocol/definitions/type-rules.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { resourceKind } from '../../../../protocol/kinds/resource.ts';
import { INSTANCE_LABEL } from '../../../../protocol/kinds/service-instance.ts';
import { type ApiObject, objectName } from '../../../../protocol/objects/objects.ts';
import { MAX_BUNDLE_BYTES } from '../../../../protocol/orders/bundle.ts';
import { verifyBundle } from '../../../../protocol/orders/signed-bundle.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { refIn, resourceNameOf, resourceSpecOf } from '../model/objects.ts';
import type { Decide } from '../model/ports.ts';
import type { FoundResource, InstalledBundles, OtherModels, OtherRows, ResourceQuery } from './ports.ts';

/** Rows in one page of the own model. */
const PAGE = 500;
/** Own rows examined for one request, including hidden ones. */
const MAX_LOOKED_AT = 100_000;
/** Errors by which an owner counts as away; all other errors are its answer. */
const AWAY: readonly string[] = ['PEER_AWAY', 'TIMEOUT', 'UNAVAILABLE'];

export interface ModelsOptions {
  store: Pick<ObjectStore, 'get' | 'list'>;
  node: { name: string };
  decide: Decide;
  bundles: { bundleOf(object: string): Promise<Uint8Array> };
  others: OtherModels;
  /** Absent: nothing is installed here. */
  installed?: InstalledBundles;
  /** The known signing key of a node. */
  signingKeyOf(node: string): Promise<string | undefined>;
}

export interface Models {
  /** Own resources first, then by node and name; at most `limit`. `unanswered` names the nodes that did not answer. */
  find(principal: Principal, by: ResourceQuery, limit: number): Promise<{ items: FoundResource[]; unanswered: string[] }>;
  /** Errors: NOT_FOUND, FORBIDDEN, SIGNATURE_INVALID, CONTENT_ALTERED; PEER_AWAY or TIMEOUT if the bundle is not installed here either. */
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array>;
}

export function createModels(options: ModelsOptions): Models {
  const { node, others, installed, bundles, signingKeyOf } = options;

  async function elsewhere(principal: Principal, by: ResourceQuery, limit: number): Promise<OtherRows> {
    if (principal.type === 'operator' || by.node === node.name) return { rows: [], answered: [], unanswered: [] };
    return others.list(principal, { where: whereOf(by), limit, ...(by.node === undefined ? {} : { node: by.node }) });
  }

  async function fromPeer(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array> {
    if (principal.type === 'operator') throw operatorElsewhere(of.node);
    const path = `/apis/${resourceKind.group}/${resourceKind.version}/namespaces/default/resources/${encodeURIComponent(of.object)}/bundle`;
    const bytes = bundleIn(await others.get(principal, of.node, path), of.node);
    const { bundle } = verifyBundle(bytes, await signingKeyOf(of.node));
    if (bundle.resources[0]?.object === of.object) return bytes;
    throw new DtkdError('CONTENT_ALTERED', `${of.node} answered with another resource than it was asked for`);
  }

  return {
    async find(principal, by, limit) {
      const own = by.node === undefined || by.node === node.name ? await findOwn(options, principal, by, limit) : [];
      if (own.length >= limit) return { items: own, unanswered: [] };
      const { rows, answered, unanswered } = await elsewhere(principal, by, limit);
      const others = rows.filter(({ metadata }) => metadata.namespace !== node.name).flatMap(foundOf);
      // a resource that is missing from its owner's answer no longer exists, or is hidden from this asker
      const kept = ((await installed?.find(principal, by, limit)) ?? []).filter(
        (one) => one.node !== node.name && !answered.includes(one.node),
      );
      const found = new Map<string, FoundResource>();
      for (const one of [...own, ...others, ...kept]) if (!found.has(keyOf(one))) found.set(keyOf(one), one);
      return { items: [...found.values()].slice(0, limit), unanswered };
    },
    async bundle(principal, of) {
      if (of.node === node.name) {
        await assertReadable(options, principal, of.object);
        return bundles.bundleOf(of.object);
      }
      try {
        return await fromPeer(principal, of);
      } catch (error) {
        const away = error instanceof DtkdError && (AWAY.includes(error.code) || principal.type === 'operator');
        const kept = away ? await installed?.bundle(principal, of) : undefined;
        if (kept !== undefined) return kept;
        throw error;
      }
    },
  };
}

async function findOwn(
  { store, node, decide }: ModelsOptions,
  principal: Principal,
  by: ResourceQuery,
  limit: number,
): Promise<FoundResource[]> {
  const { group, plural } = resourceKind;
  const exact = await ofInstance({ store, node }, by);
  if (exact !== undefined) {
    const seen = decide(principal, { verb: 'READ', group, plural, name: exact.metadata.name, object: exact }).allowed;
    return seen ? foundOf(exact).slice(0, limit) : [];
  }
  const found: FoundResource[] = [];
  const where = whereOf(by);
  let next: string | undefined;
  let lookedAt = 0;
  do {
    const page = await store.list({
      group,
      plural,
      namespace: node.name,
      ...(where === '' ? {} : { where }),
      limit: PAGE,
      ...(next === undefined ? {} : { continue: next }),
    });
    for (const object of page.items) {
      if (!decide(principal, { verb: 'READ', group, plural, name: object.metadata.name, object }).allowed) continue;
      found.push(...foundOf(object));
      if (found.length >= limit) return found;
    }
    lookedAt += page.items.length;
    next = page.continue;
  } while (next !== undefined && lookedAt < MAX_LOOKED_AT);
  return found;
}

/**
 * The resource of that name in the model of a service instance, whose object has the name MODEL.NAME; nobody else writes to that model.
 * Undefined: search for it.
 */
async function ofInstance(
  { store, node }: Pick<ModelsOptions, 'store' | 'node'>,
  { model, type, name }: ResourceQuery,
): Promise<ApiObject | undefined> {
  if (model === undefined || name === undefined || type !== undefined) return undefined;
  const called = objectName.safeParse(`${model}.${name}`).data;
  const object = called === undefined ? undefined : await store.get(refIn(node.name, 'resources', called));
  const spec = object === undefined ? undefined : resourceSpecOf(object);
  const isIt = object?.metadata.labels?.[INSTANCE_LABEL] === model && spec?.model === model && spec.name === name;
  return isIt ? object : undefined;
}

function keyOf({ node, object }: FoundResource): string {
  return `${node}/${object}`;
}

/** Reports a hidden resource like one that does not exist. */
async function assertReadable({ store, node, decide }: ModelsOptions, principal: Principal, name: string): Promise<void> {
  const ref = refIn(node.name, 'resources', name);
  const object = await store.get(ref);
  const decision =
    object === undefined ? undefined : decide(principal, { verb: 'READ', group: ref.group, plural: ref.plural, name, object });
  if (decision?.allowed === true) return;
  throw new DtkdError('NOT_FOUND', `resources "${name.slice(0, 253)}" not found`, { next: 'List what you may see: dtkd get resources.' });
}

/** The expression for a query; empty if it selects everything. Pure. */
export function whereOf({ model, type, name }: ResourceQuery): string {
  const terms: string[] = [];
  if (model !== undefined) terms.push(`model=${quoted(model)}`);
  if (type !== undefined) terms.push(typeTerm(type));
  if (name !== undefined) terms.push(`name=${quoted(name)}`);
  return terms.join(' and ');
}

/** A bare name also matches the types of service instances: `WebServer` matches `WebServer@shop`. */
function typeTerm(type: string): string {
  const exact = `type=${quoted(type)}`;
  return typeName.safeParse(type).success ? `(${exact} or type like ${quoted(scopedType(type, '*'))})` : exact;
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** A row as a match; nothing if the row shows only its name. */
function foundOf(object: ApiObject): FoundResource[] {
  const spec = resourceSpecOf(object);
  const { name, namespace } = object.metadata;
  if (spec === undefined || namespace === undefined) return [];
  return [{ node: namespace, object: name, model: spec.model, type: spec.type, name: resourceNameOf(object, spec) }];
}

const answer = z.object({ bundle: z.base64().max(Math.ceil(MAX_BUNDLE_BYTES / 3) * 4) });

function bundleIn(body: unknown, node: string): Uint8Array {
  const parsed = answer.safeParse(body);
  if (parsed.success) return Uint8Array.from(Buffer.from(parsed.data.bundle, 'base64'));
  throw new DtkdError('FRAME_INVALID', `${node} did not answer with a resource bundle`);
}

function operatorElsewhere(node: string): DtkdError {
  return new DtkdError('FORBIDDEN', `the operator of this node has no rights on ${node}`, {
    next: 'Add a user with "dtkd user add NAME", let it be granted rights there, and use its token.',
  });
}
