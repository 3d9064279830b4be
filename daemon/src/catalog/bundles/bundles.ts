/**
 * Signed bundles about this node's resources, for the nodes on which they run; made on demand and cached until the model changes. A
 * bundle's revision is the store's version at the last change of what bundles contain, so it never goes back while the store does not.
 * Whoever may READ a resource gets its whole bundle: what commands see does not depend on who runs them.
 */
import type { SignedModule } from '../../../../protocol/definitions/module.ts';
import { instanceOfCode } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { nodeStatus } from '../../../../protocol/kinds/node.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { signBundle } from '../../../../protocol/orders/signed-bundle.ts';
import type { Change, ObjectStore } from '../../store/object-store.types.ts';
import type { Reads } from '../model/objects.ts';
import type { Decide, DecideMove, ModelAction } from '../model/ports.ts';
import { Rights } from '../model/rights.ts';
import { TypeBook } from '../model/type-book.ts';
import { signedModules } from '../modules/modules.ts';
import { type CopyCode, copyRow, signedCopy } from '../modules/statements.ts';
import { type GatheringOptions, gatherBundle } from './gathering.ts';

/** Bytes of cached bundles. */
const CACHED_BYTES = 32 * 1024 * 1024;
/** How often a bundle is made if the model changes meanwhile; after the last attempt, only the next request gets a newer one. */
const ATTEMPTS = 4;
/** Kinds that bundles contain data of. */
const TOLD: readonly string[] = ['types', 'resources', 'modules', 'nodes'];

export interface BundlesOptions {
  store: ObjectStore;
  node: { name: string };
  signingKey: SigningKey;
  decide: Decide;
  decideMove: DecideMove;
}

export interface Bundles {
  /**
   * The signed bundle of an own resource (CBOR of SignedBundle). The caller has checked that the reader may have it. Errors: NOT_FOUND,
   * TOO_LARGE, CONTENT_MISSING.
   */
  bundleOf(object: string): Promise<Uint8Array>;
  /** By `group/plural/subresource`. */
  subresources: ReadonlyMap<string, ModelAction>;
  stop(): void;
}

export function createBundles({ store, node: { name: node }, signingKey, ...deciding }: BundlesOptions): Bundles {
  const reads: Reads = { get: (ref) => store.get(ref), find: (index) => store.find(index), getRow: (key) => store.kv.get(key) };
  const book = new TypeBook(node);
  let signatures: Promise<ReadonlyMap<string, SignedModule>> | undefined;
  /** Signatures of instances' copies, by their rows. */
  const copies = new Map<string, SignedModule>();
  const gathering: GatheringOptions = {
    reads,
    book,
    rights: new Rights({ ...deciding, node }),
    node,
    publisher: signingKey.publicKey,
    signature: async (code) => {
      if (instanceOfCode(code.name) !== undefined) return ofCopy(code);
      signatures ??= signedModules(store, node);
      return (await signatures).get(`${code.name} ${code.digest}`);
    },
  };
  const kept = new Map<string, Promise<Uint8Array>>();
  let size = 0;
  let revision = store.version();
  const unsubscribe = store.subscribe((changes) => {
    const last = changes.findLast((change) => isTold(change, node));
    if (last === undefined) return;
    revision = last.version;
    kept.clear();
    size = 0;
    signatures = undefined;
    copies.clear();
    if (changes.some(({ ref }) => ref.plural === 'types')) book.clear();
  });

  async function ofCopy(code: CopyCode): Promise<SignedModule | undefined> {
    const row = copyRow(code);
    const known = copies.get(row);
    if (known !== undefined) return known;
    const before = revision;
    const signed = await signedCopy(store.kv, code);
    if (signed !== undefined && revision === before) copies.set(row, signed);
    return signed;
  }

  async function make(name: string): Promise<Uint8Array> {
    for (let attempt = 1; ; attempt += 1) {
      const before = revision;
      const content = await gatherBundle(gathering, name, before);
      if (revision === before || attempt >= ATTEMPTS) return signBundle(content, signingKey);
    }
  }

  async function bundleOf(name: string): Promise<Uint8Array> {
    const known = kept.get(name);
    if (known !== undefined) return known;
    const made = make(name);
    kept.set(name, made);
    try {
      const bytes = await made;
      if (kept.get(name) === made) size += bytes.length;
      if (size > CACHED_BYTES) {
        kept.clear();
        size = 0;
      }
      return bytes;
    } catch (error) {
      if (kept.get(name) === made) kept.delete(name);
      throw error;
    }
  }

  const action: ModelAction = async ({ method, name }) => {
    if (method !== 'GET') throw new DtkdError('METHOD_NOT_ALLOWED', 'a resource bundle can only be read; use GET');
    return { bundle: Buffer.from(await bundleOf(name)).toString('base64') };
  };
  action.verb = 'READ';
  return { bundleOf, subresources: new Map([[`${DTKD_GROUP}/resources/bundle`, action]]), stop: unsubscribe };
}

/** True if a change affects bundles. Of nodes they contain only the signing keys, so other changes of a node do not count. */
function isTold({ type, ref, object, previous }: Change, node: string): boolean {
  if (ref.group !== DTKD_GROUP || !TOLD.includes(ref.plural)) return false;
  if (ref.plural !== 'nodes') return ref.namespace === node;
  return type !== 'MODIFIED' || previous === undefined || signingKeyOf(object) !== signingKeyOf(previous);
}

function signingKeyOf(object: ApiObject): string | undefined {
  return nodeStatus.safeParse(object['status']).data?.signingKey;
}
