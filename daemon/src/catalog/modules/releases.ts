/**
 * The valid releases among this node's own Release objects and its replicas. A Release is valid if its statement says the same as the
 * object, and is signed with the signing key in its author's Node. Changes nothing.
 */
import { MAX_MODULE_BYTES } from '../../../../protocol/definitions/module.ts';
import { compareVersions } from '../../../../protocol/definitions/version-order.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { RELEASE_CHUNK_BYTES, type ReleaseFields, releaseSchema } from '../../../../protocol/kinds/release.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { verifyStatement } from '../../../../protocol/orders/signed-bundle.ts';
import { AUTHOR_ANNOTATION } from '../../../../protocol/rights/principal.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { KnownNode, KnownNodes, SignedStatement } from './ports.ts';
import { MAX_VERSIONS } from './versions.ts';

/** Bytes of a piece's hash. */
const HASH_BYTES = 32;

/** A valid release. */
export interface Released {
  object: ApiObject;
  fields: ReleaseFields;
  /** The publisher's name on this node. */
  node: string;
  self: boolean;
  member: { domain: string; key: string } | undefined;
  signed: SignedStatement;
  /** SHA-256 of each piece, in order. */
  pieces: readonly Uint8Array[];
}

export interface ReleasesOptions {
  store: Pick<ObjectStore, 'list'>;
  nodes: KnownNodes;
}

export class Releases {
  readonly #options: ReleasesOptions;

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** The releases of a module, newest first. */
  async of(module: string): Promise<Released[]> {
    const { items } = await this.#options.store.list({ group: DTKD_GROUP, plural: 'releases', fieldSelector: `spec.module=${module}` });
    if (items.length === 0) return [];
    const nodes = await this.#options.nodes.list();
    return newestOfEach(items)
      .flatMap((object) => believed(object, nodes) ?? [])
      .sort((a, b) => compareVersions(b.fields.version, a.fields.version) || (a.node < b.node ? -1 : 1));
  }
}

/** The newest releases of each node: a limit, so that no node can keep this one busy with verifying. */
function newestOfEach(objects: readonly ApiObject[]): ApiObject[] {
  const byNode = new Map<string, { object: ApiObject; version: string }[]>();
  for (const object of objects) {
    const { namespace = '' } = object.metadata;
    const version = releaseSchema.safeParse(object).data?.spec.version;
    if (version === undefined) continue;
    const those = byNode.get(namespace) ?? [];
    those.push({ object, version });
    byNode.set(namespace, those);
  }
  return [...byNode.values()].flatMap((those) =>
    those
      .sort((a, b) => compareVersions(b.version, a.version))
      .slice(0, MAX_VERSIONS)
      .map(({ object }) => object),
  );
}

/** The valid release in a Release object; undefined if it is not valid. Pure. */
export function believed(object: ApiObject, nodes: readonly KnownNode[]): Released | undefined {
  const fields = releaseSchema.safeParse(object).data?.spec;
  const author = object.metadata.annotations?.[AUTHOR_ANNOTATION];
  const node = nodes.find(({ self, node: name, member }) => {
    return author === undefined ? self && name === object.metadata.namespace : member?.key === author;
  });
  if (fields === undefined || node === undefined || node.signingKey !== fields.publisher) return undefined;
  const signed = {
    statement: Uint8Array.from(Buffer.from(fields.statement, 'base64')),
    signature: Uint8Array.from(Buffer.from(fields.signature, 'base64')),
  };
  const pieces = piecesOf(fields);
  if (pieces === undefined || !isSigned(fields, signed)) return undefined;
  const { member, self } = node;
  return { object, fields, node: node.node, self, member, signed, pieces };
}

function isSigned({ module, version, digest, publisher }: ReleaseFields, signed: SignedStatement): boolean {
  try {
    const statement = verifyStatement(signed);
    return statement.name === module && statement.version === version && statement.digest === digest && statement.publisher === publisher;
  } catch {
    return false;
  }
}

/** The hashes of the pieces; undefined if their number does not fit the size. */
export function piecesOf({ chunks, size }: Pick<ReleaseFields, 'chunks' | 'size'>): Uint8Array[] | undefined {
  const bytes = Uint8Array.from(Buffer.from(chunks, 'base64'));
  const count = Math.ceil(size / RELEASE_CHUNK_BYTES);
  if (size === 0 || size > MAX_MODULE_BYTES || bytes.length !== count * HASH_BYTES) return undefined;
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
}
