/** Capabilities and Shares: made once, however often somebody asks for the same. */
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

/** A grant of either kind: what it says, whom it names, and by whom and by which right it stands. */
const SAID = ['spec', 'subject', 'grantor', 'parent'] as const;

export interface Granted {
  object: JsonRecord;
  /** True if the very same had been granted before. */
  already: boolean;
}

/**
 * Makes a grant, unless there is the same already: of the same words, to the same user or trust (not an earlier one of that name), by the same
 * grantor. One with a time to end is the same only if that is the same. A `name` says which object has to be it.
 */
export async function grantOnce(
  client: ApiClient,
  kind: typeof capabilityKind | typeof shareKind,
  grant: { spec: JsonRecord; namespace: string | undefined; name: string | undefined },
): Promise<Granted> {
  const target = { kind, namespace: grant.namespace ?? THIS_NODE };
  const document = { apiVersion: apiVersionOf(kind), kind: kind.kind, spec: grant.spec };
  const generated = { ...document, metadata: { generateName: `${kind.singular.slice(0, 1)}-` } };
  // only the owner knows what it would come to
  const wanted = await client.create(target, generated, { dryRun: true });
  for await (const there of grantsLike(client, target, wanted)) {
    const isNamed = grant.name === undefined || textAt(there, 'metadata', 'name') === grant.name;
    if (isNamed && SAID.every((field) => isDeepStrictEqual(there[field], wanted[field]))) return { object: there, already: true };
  }
  const named = grant.name === undefined ? generated : { ...document, metadata: { name: grant.name } };
  return { object: await client.create(target, named), already: false };
}

/** Those that name the same user or trust. */
async function* grantsLike(client: ApiClient, target: Target, wanted: JsonRecord): AsyncGenerator<JsonRecord> {
  const field = textAt(wanted, 'spec', 'to') === undefined ? 'trust' : 'to';
  const fieldSelector = `spec.${field}=${textAt(wanted, 'spec', field) ?? ''}`;
  for await (const page of client.pages(target, { fieldSelector }, PAGE_SIZE)) yield* listAt(page, 'items').filter(isRecord);
}

/** What a grant names and is not there, as sentences: no error, since it may come, but most often a slip of the hand. */
export async function absentFrom(client: ApiClient, { kind, name, model, type }: GrantScope, node: string | undefined): Promise<string[]> {
  const namespace = node ?? THIS_NODE;
  const absent: string[] = [];
  const on = actNamed(kind) === undefined ? kindByAnyName(kind.split('.')[0] ?? '') : undefined;
  if (name !== undefined && on !== undefined && !(await isThere(on, name))) {
    absent.push(`there is no ${on.singular} "${name}" yet; this counts once there is`);
  }
  // resources of other nodes are deployed here with models that stay there
  if (model !== undefined && !(await isThere(modelKind, model))) {
    absent.push(`this node has no model "${model}" of its own; this counts for resources of such a model that other nodes deploy here`);
  }
  if (type !== undefined && !(await isType(type.toLowerCase()))) absent.push(`there is no type "${type}" yet; this counts once there is`);
  return absent;

  async function isThere(of: Kind, called: string): Promise<boolean> {
    return (await client.find({ kind: of, namespace, name: called })) !== undefined;
  }

  /** Types are named by what they are called in documents, which need not be the name of the object. */
  async function isType(called: string): Promise<boolean> {
    const types = listAt(await client.get({ kind: typeKind, namespace }), 'items');
    return types.some((item) => textAt(item, 'spec', 'name')?.toLowerCase() === called);
  }
}
