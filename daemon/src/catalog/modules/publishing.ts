/**
 * Publishes modules: a Release, which members of the domains that it names hold as a replica even while this node is away. Publishes only
 * what this node itself has signed. Members that fetched a module keep it when the release is withdrawn.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { dtDomainKind } from '../../../../protocol/kinds/dtdomain.ts';
import { RELEASE_CHUNK_BYTES, type ReleaseFields, releaseKind } from '../../../../protocol/kinds/release.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { publishRequest } from '../../../../protocol/requests/module.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import type { HandlerContext } from '../model/ports.ts';
import type { InstallingOptions } from './installing.ts';
import { type ModuleFields, newObject, objectNameOf, releaseRef } from './types.ts';
import { type VersionHere, versionsHere } from './versions.ts';

export type PublishRequest = z.infer<typeof publishRequest>;

/** Errors: BAD_REQUEST. */
export function readPublishRequest(input: unknown): PublishRequest {
  const parsed = publishRequest.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DtkdError('BAD_REQUEST', `the body is not a valid publication: ${issue?.path.join('.') || 'it'} ${issue?.message ?? ''}`, {
    next: 'Send {"module": NAME, "version": VERSION, "domains": [NAME, …]}.',
  });
}

/** Offers a version to the members of exactly these domains. Errors: NOT_FOUND, CONFLICT, FORBIDDEN, CONTENT_MISSING, CONTENT_ALTERED. */
export async function publishModule(
  options: InstallingOptions,
  principal: Principal,
  { module, version, domains }: PublishRequest,
): Promise<ApiObject> {
  const { store, node, library } = options;
  const chosen = choose(await versionsHere(store, node, module), module, version);
  assertOwn(options, chosen.fields);
  const bytes = await library.bytes(chosen.fields.digest);
  const chunks = hashesOf(bytes);
  const name = objectNameOf(chosen.fields);
  return store.transact(async (tx) => {
    const now = await tx.get(chosen.ref);
    if (now?.metadata.resourceVersion !== chosen.object.metadata.resourceVersion) {
      throw new DtkdError('CONFLICT', `module ${module} was changed meanwhile`, { next: 'Publish it again.' });
    }
    await assertDomains(tx, node, domains);
    const before = await tx.get(releaseRef(node, name));
    const fields = releaseFields(chosen.fields, { chunks, domains });
    assertMay(options, principal, before, newObject('Release', name, node, principal, fields));
    if (before === undefined) return tx.put(newObject('Release', name, node, principal, fields));
    if (jsonEqual(before['spec'], fields)) return before;
    return tx.put({ ...before, metadata: { ...before.metadata, generation: before.metadata.generation + 1 }, spec: fields });
  });
}

/** Withdraws a release. Members that fetched it keep it. */
export async function unpublishModule(
  { store, node }: InstallingOptions,
  object: ApiObject,
  { dryRun }: HandlerContext,
): Promise<ApiObject> {
  const ref = releaseRef(node, object.metadata.name);
  return store.transact(
    async (tx) => {
      const stored = await tx.get(ref);
      if (stored?.metadata.uid !== object.metadata.uid) throw new DtkdError('NOT_FOUND', `releases "${ref.name}" is gone`);
      await tx.delete(ref);
      return stored;
    },
    { dryRun },
  );
}

/** The given version; without one the active version, or else the newest. */
function choose(here: readonly VersionHere[], module: string, version: string | undefined): VersionHere {
  const meant =
    version === undefined ? (here.find(({ fields }) => fields.active) ?? here[0]) : here.find(({ fields }) => fields.version === version);
  if (meant !== undefined) return meant;
  const there = here.length === 0 ? '' : `; here is ${here.map(({ fields }) => fields.version).join(', ')}`;
  throw new DtkdError('NOT_FOUND', `module ${module}${version === undefined ? '' : ` ${version}`} is not on this node${there}`, {
    next: 'Install it first: dtkd module install DIR.',
  });
}

function assertOwn({ signingKey }: InstallingOptions, { module, version, publisher }: ModuleFields): void {
  if (publisher.key === signingKey.publicKey) return;
  throw new DtkdError('CONFLICT', `module ${module} ${version} belongs to ${publisher.node}, which publishes it itself`, {
    next: 'Others can also fetch it from this node, as long as it is published there.',
  });
}

async function assertDomains(tx: Transaction, node: string, domains: readonly string[]): Promise<void> {
  const { group, plural } = dtDomainKind;
  for (const name of domains) {
    if ((await tx.get({ group, plural, namespace: node, name })) !== undefined) continue;
    throw new DtkdError('NOT_FOUND', `this node is in no domain "${name}"`, { next: 'See "dtkd get dtdomains".' });
  }
}

function assertMay({ decide }: InstallingOptions, principal: Principal, before: ApiObject | undefined, after: ApiObject): void {
  const { group, plural } = releaseKind;
  const { name } = after.metadata;
  const decision = decide(principal, { verb: before === undefined ? 'CREATE' : 'UPDATE', group, plural, name, object: before ?? after });
  if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Ask for the right to create releases.' });
}

function releaseFields(module: ModuleFields, { chunks, domains }: { chunks: string; domains: readonly string[] }): ReleaseFields {
  const { description, license, dependencies, assemblies } = module;
  return {
    module: module.module,
    version: module.version,
    ...(description === undefined ? {} : { description }),
    ...(license === undefined ? {} : { license }),
    ...(dependencies === undefined ? {} : { dependencies }),
    ...(assemblies === undefined ? {} : { assemblies }),
    digest: module.digest,
    size: module.size,
    chunks,
    publisher: module.publisher.key,
    statement: module.statement,
    signature: module.signature,
    domains: [...new Set(domains)].sort(),
  };
}

/** SHA-256 of each piece, concatenated, in base64. */
export function hashesOf(bytes: Uint8Array): string {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += RELEASE_CHUNK_BYTES) {
    hashes.push(
      createHash('sha256')
        .update(bytes.subarray(at, at + RELEASE_CHUNK_BYTES))
        .digest(),
    );
  }
  return Buffer.concat(hashes).toString('base64');
}
