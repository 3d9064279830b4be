/**
 * Installs and removes modules: a Module object and the Types that come from it change in one transaction, and only together. A node has one version of
 * a module at a time, because it has one type of each name. Everything is written with the rights of whoever asks. Does not run anything.
 */
import { z } from 'zod';
import { encodeCbor } from '../../../../protocol/cbor.ts';
import { digest as digestText } from '../../../../protocol/code.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { jsonEqual } from '../../../../protocol/json.ts';
import { moduleKind } from '../../../../protocol/kinds/module.ts';
import { unpackArchive } from '../../../../protocol/modules/archive.ts';
import { soundModule } from '../../../../protocol/modules/check.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects.ts';
import type { Principal } from '../../../../protocol/principal.ts';
import type { SigningKey } from '../../../../protocol/signing.ts';
import { compareVersions } from '../../../../protocol/version-order.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { COUNTED } from '../model/limits.ts';
import { refIn, typeNameOf } from '../model/objects.ts';
import type { Decide, HandlerContext } from '../model/ports.ts';
import { inUse, withoutUnseen } from '../model/refusal.ts';
import type { Rights } from '../model/rights.ts';
import { dependents, resourcesOfType, subtypesOf } from '../model/rules/dependents.ts';
import { encodeSigned, type Library, statementRow } from './library.ts';
import { INSTALLED_MS } from './limits.ts';
import { type Installed, spelling, type TypeChanges, typesOfModule, writeTypes } from './module-types.ts';
import {
  type ModuleCode,
  type ModuleFields,
  moduleFields,
  moduleFieldsOf,
  moduleRef,
  newObject,
  objectNameOf,
  typeSpecs,
} from './types.ts';

/** Versions of one module that are looked for: there is one, unless something went wrong. */
const MAX_VERSIONS = 100;

const body = z.strictObject({ digest: digestText, replace: z.boolean().optional(), dryRun: z.boolean().optional() });
export type InstallRequest = z.infer<typeof body>;

export interface InstallingOptions {
  store: ObjectStore;
  node: string;
  signingKey: SigningKey;
  library: Library;
  rights: Rights;
  decide: Decide;
}

/** Reads the body of an installation. Errors: BAD_REQUEST. */
export function readInstallRequest(input: unknown): InstallRequest {
  const parsed = body.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DtkdError('BAD_REQUEST', `the body is no installation: ${issue?.path.join('.') || 'it'} ${issue?.message ?? ''}`, {
    next: 'Send {"digest": SHA-256 of an archive that was sent before, "replace": true or false, "dryRun": true or false}.',
  });
}

/** Installs an archive that is in the content store. Errors: CONTENT_MISSING, CONTENT_ALTERED, INVALID, ALREADY_EXISTS, CONFLICT, FORBIDDEN. */
export async function installModule(
  options: InstallingOptions,
  principal: Principal,
  { digest, replace = false, dryRun = false }: InstallRequest,
): Promise<{ module: ApiObject; changes: TypeChanges }> {
  const { store, node, signingKey, library } = options;
  const bytes = await library.bytes(digest);
  const archive = unpackArchive(bytes);
  const manifest = await soundModule(archive);
  const code: ModuleCode = { name: manifest.module, version: manifest.version, digest, publisher: signingKey.publicKey };
  const statement = encodeCbor(code);
  const signed = { statement, signature: signingKey.sign('module', statement) };
  const fields = moduleFields({ manifest, code, node, signed, size: bytes.length, files: archive.files.length });
  const name = objectNameOf(manifest);
  assertMay(options, principal, 'CREATE', newObject('Module', name, node, principal, fields));
  let replaced: string[] = [];
  try {
    const done = await store.transact(
      async (tx) => {
        const earlier = await installedVersions(tx, node, manifest.module);
        replaced = earlier.map((one) => one.fields.digest).filter((one) => one !== digest);
        assertReplaceable(earlier, fields, replace);
        const spelled = await spelling(tx, node, manifest.types ?? {});
        const changes = await writeTypes(options, tx, principal, typeSpecs(manifest, code, spelled), earlier);
        for (const { ref } of earlier) if (ref.name !== name) await tx.delete(ref);
        const before = earlier.find(({ ref }) => ref.name === name)?.object;
        const module = await writeModule(tx, before, newObject('Module', name, node, principal, fields), changes);
        tx.putRow(statementRow(digest, code.publisher), encodeSigned(signed));
        return { module, changes };
      },
      { dryRun },
    );
    if (!dryRun) {
      await library.allow(digest, INSTALLED_MS);
      for (const one of replaced) await library.release(one);
    }
    return done;
  } catch (error) {
    throw principal.type === 'operator' ? error : await withoutUnseen(error, options.rights.sees(principal, store));
  }
}

/** Deletes a module with its types. Errors: CONFLICT naming what needs them, FORBIDDEN, NOT_FOUND. */
export async function removeModule(
  options: InstallingOptions,
  object: ApiObject,
  { principal, dryRun }: HandlerContext,
): Promise<ApiObject> {
  const { store, node, rights, library } = options;
  const ref = moduleRef(node, object.metadata.name);
  try {
    const removed = await store.transact(
      async (tx) => {
        const stored = await tx.get(ref);
        if (stored?.metadata.uid !== object.metadata.uid) throw new DtkdError('NOT_FOUND', `modules "${ref.name}" is gone`);
        const types = await typesOfModule(tx, node, moduleFieldsOf(stored));
        await assertUnused(tx, node, ref, types);
        for (const type of types) {
          await rights.assertMay(principal, { plural: 'types', name: type.metadata.name, before: type }, tx);
          await tx.delete(refIn(node, 'types', type.metadata.name));
        }
        await tx.delete(ref);
        return stored;
      },
      { dryRun },
    );
    const digest = moduleFieldsOf(removed)?.digest;
    if (!dryRun && digest !== undefined) await library.release(digest);
    return removed;
  } catch (error) {
    throw principal.type === 'operator' ? error : await withoutUnseen(error, rights.sees(principal, store));
  }
}

async function installedVersions(tx: Transaction, node: string, module: string): Promise<Installed[]> {
  const { group, plural, namespace } = moduleRef(node, '');
  const found: Installed[] = [];
  for (const ref of await tx.find({ group, plural, namespace, path: 'spec.module', value: module, limit: MAX_VERSIONS })) {
    const object = await tx.get(ref);
    const fields = object === undefined ? undefined : moduleFieldsOf(object);
    if (object !== undefined && fields !== undefined) found.push({ ref, object, fields });
  }
  return found;
}

/** Another content under a version that is there, or an older version, comes in only when it is asked for. */
function assertReplaceable(earlier: readonly Installed[], { module, version, digest }: ModuleFields, replace: boolean): void {
  if (replace) return;
  for (const { fields } of earlier) {
    const order = compareVersions(fields.version, version);
    if (order === 0 && fields.digest !== digest) {
      throw new DtkdError('CONFLICT', `module ${module} ${version} is installed with another content`, {
        next: 'Give the new content a new version, or install it with --replace.',
        details: { installed: fields.digest, given: digest },
      });
    }
    if (order > 0) {
      throw new DtkdError('CONFLICT', `module ${module} is installed in version ${fields.version}, which is newer than ${version}`, {
        next: 'To go back to the older one, install it with --replace.',
        details: { installed: fields.version, given: version },
      });
    }
  }
}

/** A Module is written whenever one of its types is: that is how the rules of the model know who changes these. */
async function writeModule(tx: Transaction, before: ApiObject | undefined, after: ApiObject, changes: TypeChanges): Promise<ApiObject> {
  if (before === undefined) return tx.put(after);
  const typesChanged = changes.created.length + changes.changed.length + changes.removed.length > 0;
  if (!typesChanged && jsonEqual(before['spec'], after['spec'])) return before;
  return tx.put({ ...before, metadata: { ...before.metadata, generation: before.metadata.generation + 1 }, spec: after['spec'] });
}

/** Refuses to remove types of which there are resources, or that others extend. */
async function assertUnused(tx: Transaction, node: string, module: ObjectRef, types: readonly ApiObject[]): Promise<void> {
  const own = new Set(types.map(({ metadata }) => metadata.name));
  const users: ObjectRef[] = [];
  for (const type of types) {
    const name = typeNameOf(type) ?? type.metadata.name;
    users.push(...(await resourcesOfType(tx, node, name, COUNTED + 1)));
    users.push(...(await subtypesOf(tx, node, name, COUNTED + 1)).filter((ref) => !own.has(ref.name)));
    if (users.length > COUNTED) break;
  }
  if (users.length === 0) return;
  throw inUse(module, 'cannot go: its types are in use', dependents(users), 'Delete those first, or change their types.');
}

function assertMay({ decide }: InstallingOptions, principal: Principal, verb: 'CREATE', object: ApiObject): void {
  const { group, plural } = moduleKind;
  const decision = decide(principal, { verb, group, plural, name: object.metadata.name, object });
  if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Ask for the right to create modules and types.' });
}
