/**
 * Signs and verifies bundles. Pure. A bundle that `verifyBundle` accepts is complete: every type, digest and signature that it refers to
 * is present and correct.
 */
import { commandsDigest } from '../definitions/code.ts';
import { type ModuleStatement, moduleStatement } from '../definitions/module.ts';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { DtkdError } from '../errors.ts';
import { type PeerKey, parsePeerKey } from '../ids.ts';
import { type SigningKey, verifySignature } from '../keys/signing.ts';
import { MAX_SUPERTYPES } from '../limits.ts';
import { type Bundle, bundle, MAX_BUNDLE_BYTES, signedBundle } from './bundle.ts';

/** Maximum bytes that the signed form adds to a bundle. */
const ENVELOPE_BYTES = 256;
/** Properties and commands are documents, which may be nested 64 levels deep. */
const MAX_DEPTH = 80;

/** Cache of verified module statements: all bundles of a model have the same few. */
const KEPT_STATEMENTS = 256;
const statements = new Map<string, ModuleStatement>();
/** Maximum bytes of a cached statement with its signature. */
const MAX_KEPT_BYTES = 4_096;
/** Bundles that this process signed, keyed by the returned byte array, which nobody changes. */
const own = new WeakMap<Uint8Array, CheckedBundle>();

/** Signs a bundle and returns the CBOR of SignedBundle. Errors: TOO_LARGE; those of verifyBundle for a bundle that nobody would accept. */
export function signBundle(content: Bundle, key: SigningKey): Uint8Array {
  const bytes = encodeCbor(content);
  if (bytes.length > MAX_BUNDLE_BYTES - ENVELOPE_BYTES) {
    const [about] = content.resources;
    throw new DtkdError(
      'TOO_LARGE',
      `the data of resource "${about?.object ?? ''}" that its targets need is more than ${MAX_BUNDLE_BYTES / 1024} KiB`,
      {
        next: 'Run the command of its children one by one, or make its properties and commands smaller.',
      },
    );
  }
  const signed = encodeCbor({ bundle: bytes, signature: key.sign('bundle', bytes) });
  // Receivers check the bundle in the same way: finds out here what nobody would accept.
  own.set(
    signed,
    readBundle(signed, key.publicKey, () => true),
  );
  return signed;
}

export interface CheckedBundle {
  bundle: Bundle;
  /** As received. */
  bytes: Uint8Array;
}

/**
 * Reads a signed bundle. `trustedKey` is the owner's known signing key; without it, the bundle is only proved to be complete and from the
 * owner that it names. Errors: FRAME_INVALID, FRAME_TOO_LARGE, SIGNATURE_INVALID, CONTENT_ALTERED.
 */
export function verifyBundle(bytes: Uint8Array, trustedKey?: string): CheckedBundle {
  const known = own.get(bytes);
  if (known !== undefined && (trustedKey === undefined || known.bundle.owner === trustedKey)) return known;
  return readBundle(bytes, trustedKey, (owner, content, signature) => verifySignature(parsePeerKey(owner), 'bundle', content, signature));
}

function readBundle(
  bytes: Uint8Array,
  trustedKey: string | undefined,
  isTrue: (owner: string, content: Uint8Array, signature: Uint8Array) => boolean,
): CheckedBundle {
  if (bytes.length > MAX_BUNDLE_BYTES) throw new DtkdError('FRAME_TOO_LARGE', `a resource bundle has at most ${MAX_BUNDLE_BYTES} bytes`);
  const signed = decodeCbor(bytes, signedBundle, 'a resource bundle');
  const content = decodeCbor(signed.bundle, bundle, 'a resource bundle', { maxDepth: MAX_DEPTH });
  if (trustedKey !== undefined && content.owner !== trustedKey) {
    throw new DtkdError('SIGNATURE_INVALID', `the resource bundle is from another node than the known ${content.ownerName}`);
  }
  if (!isTrue(content.owner, signed.bundle, signed.signature)) {
    throw new DtkdError('SIGNATURE_INVALID', 'the signature of the resource bundle does not verify');
  }
  assertWhole(content);
  return { bundle: content, bytes };
}

/** Verifies a signed module and returns its statement. Errors: FRAME_INVALID, SIGNATURE_INVALID. */
export function verifyStatement(signed: { statement: Uint8Array; signature: Uint8Array }): ModuleStatement {
  // Includes the length: the same bytes split elsewhere are another pair, which nobody signed.
  const key = `${signed.signature.length} ${latin1(signed.signature)} ${latin1(signed.statement)}`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  const statement = decodeCbor(signed.statement, moduleStatement, 'the statement of a module');
  const publisher: PeerKey = parsePeerKey(statement.publisher);
  if (verifySignature(publisher, 'module', signed.statement, signed.signature)) {
    for (const oldest of statements.keys()) if (statements.size >= KEPT_STATEMENTS) statements.delete(oldest);
    if (key.length <= MAX_KEPT_BYTES) statements.set(key, statement);
    return statement;
  }
  throw new DtkdError('SIGNATURE_INVALID', `the signature of module ${statement.name} ${statement.version} does not verify`);
}

/** Returns the chain of types of a resource in a bundle, nearest first. Errors: CONTENT_ALTERED if one of them is missing. */
export function bundledChain(types: Bundle['types'], name: string): Bundle['types'][string][] {
  const chain: Bundle['types'][string][] = [];
  for (let next: string | undefined = name; next !== undefined; next = chain.at(-1)?.extends) {
    const key = next.toLowerCase();
    const type = Object.hasOwn(types, key) ? types[key] : undefined;
    if (type === undefined || type.name.toLowerCase() !== key || chain.length > MAX_SUPERTYPES) {
      throw altered(`the types of "${name}" are not all in the resource bundle`);
    }
    chain.push(type);
  }
  return chain;
}

function assertWhole(content: Bundle): void {
  const names = new Set(content.resources.map(({ object }) => object));
  if (names.size !== content.resources.length) throw altered('a resource is twice in the resource bundle');
  const signatures = content.modules.map(verifyStatement);
  for (const { type } of content.resources) bundledChain(content.types, type);
  for (const { name, code, commands } of Object.values(content.types)) {
    if (code === undefined) {
      if (commands !== undefined) throw altered(`the resource bundle names no publisher for the commands of type ${name}`);
    } else if (commands !== undefined || code.name === `type/${name}`) {
      const own = code.name === `type/${name}` && code.publisher === content.owner && code.digest === commandsDigest(commands ?? {});
      if (!own) throw altered(`the commands of type ${name} are not what the resource bundle says`);
    } else if (!signatures.some((one) => sameCode(one, code))) {
      throw altered(`the resource bundle has no signature for module ${code.name}`);
    }
  }
}

function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1');
}

function sameCode(statement: ModuleStatement, code: NonNullable<Bundle['types'][string]['code']>): boolean {
  return (
    statement.name === code.name &&
    statement.version === code.version &&
    statement.digest === code.digest &&
    statement.publisher === code.publisher
  );
}

function altered(message: string): DtkdError {
  return new DtkdError('CONTENT_ALTERED', message);
}
