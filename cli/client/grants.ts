/** Creates Capabilities and Shares; creating the same one again has no effect. */
import { isDeepStrictEqual } from 'node:util';
import type { capabilityKind } from '../../protocol/kinds/capability.ts';
import { kindByAnyName } from '../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../protocol/kinds/kind.ts';
import { modelKind } from '../../protocol/kinds/model.ts';
import type { shareKind } from '../../protocol/kinds/share.ts';
import { typeKind } from '../../protocol/kinds/type.ts';
import { actNamed, type GrantScope } from '../../protocol/rights/capability.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../json.ts';
import { type ApiClient, type Target, THIS_NODE } from './api.ts';

const PAGE_SIZE = 500;

/** The fields that identify a grant of either kind: its text, its subject, its grantor, and the grant that it derives from. */
const SAID = ['spec', 'subject', 'grantor', 'parent'] as const;

export interface Granted {
  object: JsonRecord;
  /** True if the same grant existed before. */
  already: boolean;
}

/**
 * Creates a grant, unless the same one exists: with the same text, to the same user or trust (not an earlier one of that name), by the same
 * grantor. Grants that expire are the same only if they expire at the same time. With a `name`, only the object of that name counts.
 */
export async function grantOnce(
  client: ApiClient,
  kind: typeof capabilityKind | typeof shareKind,
  grant: { spec: JsonRecord; namespace: string | undefined; name: string | undefined },
): Promise<Granted> {
  const target = { kind, namespace: grant.namespace ?? THIS_NODE };
  const document = { apiVersion: apiVersionOf(kind), kind: kind.kind, spec: grant.spec };
  const generated = { ...document, metadata: { generateName: `${kind.singular.slice(0, 1)}-` } };
  // only the owner can resolve the subject, the grantor and the parent
  const wanted = await client.create(target, generated, { dryRun: true });
  for await (const there of grantsLike(client, target, wanted)) {
    const isNamed = grant.name === undefined || textAt(there, 'metadata', 'name') === grant.name;
    if (isNamed && SAID.every((field) => isDeepStrictEqual(there[field], wanted[field]))) return { object: there, already: true };
  }
  const named = grant.name === undefined ? generated : { ...document, metadata: { name: grant.name } };
  return { object: await client.create(target, named), already: false };
}

/** Grants to the same user or trust. */
async function* grantsLike(client: ApiClient, target: Target, wanted: JsonRecord): AsyncGenerator<JsonRecord> {
  const field = textAt(wanted, 'spec', 'to') === undefined ? 'trust' : 'to';
  const fieldSelector = `spec.${field}=${textAt(wanted, 'spec', field) ?? ''}`;
  for await (const page of client.pages(target, { fieldSelector }, PAGE_SIZE)) yield* listAt(page, 'items').filter(isRecord);
}

/**
 * Sentences about objects that a grant names but that do not exist. No error, since they may be created later, but most often it is a
 * typing error.
 */
export async function absentFrom(client: ApiClient, { kind, name, model, type }: GrantScope, node: string | undefined): Promise<string[]> {
  const namespace = node ?? THIS_NODE;
  const absent: string[] = [];
  const on = actNamed(kind) === undefined ? kindByAnyName(kind.split('.')[0] ?? '') : undefined;
  if (name !== undefined && on !== undefined && !(await isThere(on, name))) {
    absent.push(`there is no ${on.singular} "${name}" yet; the grant takes effect once there is`);
  }
  // other nodes deploy resources here whose models stay with them
  if (model !== undefined && !(await isThere(modelKind, model))) {
    absent.push(
      `this node has no model "${model}" of its own; the grant applies to resources of a model with this name that other nodes deploy here`,
    );
  }
  if (type !== undefined && !(await isType(type.toLowerCase())))
    absent.push(`there is no type "${type}" yet; the grant takes effect once there is`);
  return absent;

  async function isThere(of: Kind, called: string): Promise<boolean> {
    return (await client.find({ kind: of, namespace, name: called })) !== undefined;
  }

  /** A grant names a type as documents do, which need not be the name of its object. */
  async function isType(called: string): Promise<boolean> {
    const types = listAt(await client.get({ kind: typeKind, namespace }), 'items');
    return types.some((item) => textAt(item, 'spec', 'name')?.toLowerCase() === called);
  }
}
