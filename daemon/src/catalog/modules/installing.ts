/**
 * Installs modules: the Module object, its Types and its Assemblies change together in one transaction. A node keeps several versions of a
 * module; the types of one of them, the active one, are the node's. Writes everything with the asker's rights. Runs nothing.
 */
import type { z } from 'zod';
import { MAX_MODULE_BYTES, type ModuleManifest } from '../../../../protocol/definitions/module.ts';
import { compareVersions } from '../../../../protocol/definitions/version-order.ts';
import { encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { moduleKind } from '../../../../protocol/kinds/module.ts';
import { unpackArchive } from '../../../../protocol/modules/archive.ts';
import { newModule, soundModule } from '../../../../protocol/modules/check.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { installRequest } from '../../../../protocol/requests/module.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import type { Decide } from '../model/ports.ts';
import { withoutUnseen } from '../model/refusal.ts';
import type { Rights } from '../model/rights.ts';
import { writeAssemblies } from './assemblies.ts';
import { chunksOf, encodeSigned, type Library } from './library.ts';
import { INSTALLED_MS } from './limits.ts';
import { spelling, type TypeChanges, writeTypes } from './module-types.ts';
import type { ModuleContent, SignedStatement } from './ports.ts';
import { statementRow } from './statements.ts';
import { type ModuleCode, type ModuleFields, moduleFields, newObject, objectNameOf, releaseRef, typeSpecs } from './types.ts';
import { assertReplaceable, assertRoom, type VersionHere, versionsHere } from './versions.ts';

export type InstallRequest = z.infer<typeof installRequest>;

export interface InstallingOptions {
  store: ObjectStore;
  node: string;
  signingKey: SigningKey;
  library: Library;
  rights: Rights;
  decide: Decide;
}

/** Parses the body of an installation. Errors: BAD_REQUEST. */
export function readInstallRequest(input: unknown): InstallRequest {
  const parsed = installRequest.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DtkdError('BAD_REQUEST', `the body is not a valid installation: ${issue?.path.join('.') || 'it'} ${issue?.message ?? ''}`, {
    next: 'Send {"digest": SHA-256 of an archive that was sent before, "replace", "dryRun", "types": true or false}.',
  });
}

/**
 * Installs an archive from the content store. Without `types` it can only be staged. Errors: CONTENT_MISSING, CONTENT_ALTERED, INVALID,
 * ALREADY_EXISTS, CONFLICT, FORBIDDEN.
 */
export async function installModule(
  options: InstallingOptions,
  principal: Principal,
  { digest, replace = false, dryRun = false, types: active = true }: InstallRequest,
): Promise<{ module: ApiObject; changes: TypeChanges }> {
  const { store, node, signingKey, library } = options;
  const bytes = await library.bytes(digest);
  const archive = unpackArchive(bytes);
  const manifest = await newModule(archive);
  const code: ModuleCode = { name: manifest.module, version: manifest.version, digest, publisher: signingKey.publicKey };
  const statement = encodeCbor(code);
  const signed = { statement, signature: signingKey.sign('module', statement) };
  const fields = moduleFields({ manifest, code, node, signed, size: bytes.length, files: archive.files.length, active });
  assertMayKeep(options, principal, fields);
  let replaced: string | undefined;
  try {
    const done = await store.transact(
      async (tx) => {
        const here = await versionsHere(tx, node, manifest.module);
        const same = here.find((one) => one.fields.version === fields.version);
        assertRoom(here, fields);
        assertReplaceable(here, fields, replace);
        replaced = same?.fields.digest === digest ? undefined : same?.fields.digest;
        if (replaced !== undefined) await assertNotReleased(tx, node, manifest);
        // an active version stays active if it is installed for staging once more
        if (same?.fields.active && !active) return { module: same.object, changes: noChanges() };
        const changes = active ? await activate(options, tx, principal, { manifest, code, here }) : noChanges();
        const module = await writeVersion(options, tx, { principal, manifest, fields, signed, before: same, touch: isChange(changes) });
        return { module, changes };
      },
      { dryRun },
    );
    if (!dryRun) {
      await library.allow(digest, INSTALLED_MS);
      if (replaced !== undefined) await library.release(replaced);
    }
    return done;
  } catch (error) {
    throw principal.type === 'operator' ? error : await withoutUnseen(error, options.rights.sees(principal, store));
  }
}

/** Installs an archive that is not in the content store yet. Its types become the node's only if an earlier version's are. */
export async function installArchive(
  options: InstallingOptions & { content: ModuleContent },
  principal: Principal,
  archive: Uint8Array,
): Promise<ModuleCode> {
  const manifest = await soundModule(unpackArchive(archive));
  const here = await versionsHere(options.store, options.node, manifest.module);
  const types = here.some(({ fields }) => fields.active && compareVersions(fields.version, manifest.version) <= 0);
  const { digest } = await options.content.take(chunksOf(archive), { limit: MAX_MODULE_BYTES });
  await installModule(options, principal, { digest, types });
  return { name: manifest.module, version: manifest.version, digest, publisher: options.signingKey.publicKey };
}

/** Refuses to replace a released version: members may have fetched it, and may be away when the release is withdrawn. */
async function assertNotReleased(
  tx: Transaction,
  node: string,
  { module, version }: Pick<ModuleManifest, 'module' | 'version'>,
): Promise<void> {
  if ((await tx.get(releaseRef(node, objectNameOf({ module, version })))) === undefined) return;
  throw new DtkdError('CONFLICT', `module ${module} ${version} is published, and others may have fetched it as it is`, {
    next: `Give the new content a new version, or unpublish it first: dtkd module unpublish ${module}@${version}.`,
  });
}

/** Makes the types of this version those of the node, in place of those of the active version. */
async function activate(
  options: InstallingOptions,
  tx: Transaction,
  principal: Principal,
  { manifest, code, here }: { manifest: ModuleManifest; code: ModuleCode; here: readonly VersionHere[] },
): Promise<TypeChanges> {
  const active = here.filter((one) => one.fields.active);
  const { spelled, unknown } = await spelling(tx, options.node, manifest.types ?? {});
  if (unknown.length > 0 && manifest.dependencies !== undefined) {
    throw new DtkdError(
      'INVALID',
      `types of module ${manifest.module} extend ${unknown.slice(0, 10).join(', ')}, which is not a type of this node`,
      {
        next: 'Install the module that has it with its types, or install this one only for staging: --no-types.',
      },
    );
  }
  const changes = await writeTypes(options, tx, principal, typeSpecs(manifest, code, spelled), active);
  for (const { object, fields } of active) {
    if (fields.version !== manifest.version) await tx.put(changed(object, { ...fields, active: false }));
  }
  return changes;
}

export interface VersionToWrite {
  principal: Principal;
  manifest: ModuleManifest;
  fields: ModuleFields;
  signed: SignedStatement;
  /** The same version, if it is here already. */
  before: VersionHere | undefined;
  /** Write the Module even if nothing in it has changed. */
  touch: boolean;
}

/** Writes the Module of a version, its Assemblies and its signature. */
export async function writeVersion({ node }: { node: string }, tx: Transaction, version: VersionToWrite): Promise<ApiObject> {
  const { principal, manifest, fields, signed, before, touch } = version;
  await writeAssemblies(tx, { node, principal, before: before?.fields }, manifest);
  tx.putRow(statementRow(fields.digest, fields.publisher.key), encodeSigned(signed));
  if (before === undefined) return tx.put(newObject('Module', objectNameOf(manifest), node, principal, fields));
  // write the Module whenever one of its types changes: by that the rules of the model recognize who may change types
  if (!touch && jsonEqual(before.object['spec'], fields)) return before.object;
  return tx.put(changed(before.object, fields));
}

function changed(object: ApiObject, spec: ModuleFields): ApiObject {
  return { ...object, metadata: { ...object.metadata, generation: object.metadata.generation + 1 }, spec };
}

function noChanges(): TypeChanges {
  return { created: [], changed: [], removed: [] };
}

function isChange({ created, changed: altered, removed }: TypeChanges): boolean {
  return created.length + altered.length + removed.length > 0;
}

/** Errors: FORBIDDEN. */
export function assertMayKeep(
  { decide, node }: Pick<InstallingOptions, 'decide' | 'node'>,
  principal: Principal,
  fields: Pick<ModuleFields, 'module' | 'version'>,
): void {
  const { group, plural } = moduleKind;
  const object = newObject('Module', objectNameOf(fields), node, principal, fields);
  const decision = decide(principal, { verb: 'CREATE', group, plural, name: object.metadata.name, object });
  if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Ask for the right to create modules and types.' });
}
