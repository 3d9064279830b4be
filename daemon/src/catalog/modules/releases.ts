/**
 * Releases that count: of what this node's own objects and its replicas say, those that their author signed. A Release is believed if its statement says
 * the same as it does, and was signed with the key that the author's Node tells as its signing key. Changes nothing.
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

/** Bytes of the hash of one piece. */
const HASH_BYTES = 32;

/** A release that is believed. */
export interface Released {
  object: ApiObject;
  fields: ReleaseFields;
  /** Who publishes it, by its name here. */
  node: string;
  self: boolean;
  member: { domain: string; key: string } | undefined;
  signed: SignedStatement;
  /** SHA-256 of each piece, in their order. */
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

  /** Those of a module, the newest first. */
  async of(module: string): Promise<Released[]> {
    const { items } = await this.#options.store.list({ group: DTKD_GROUP, plural: 'releases', fieldSelector: `spec.module=${module}` });
    if (items.length === 0) return [];
    const nodes = await this.#options.nodes.list();
    return newestOfEach(items)
      .flatMap((object) => believed(object, nodes) ?? [])
      .sort((a, b) => compareVersions(b.fields.version, a.fields.version) || (a.node < b.node ? -1 : 1));
  }
}

/** The newest releases of each node, so that nobody keeps this one busy with verifying. */
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

/** A Release as it counts; undefined if it does not. Pure. */
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

/** The hashes of the pieces; undefined if there are not as many as its size says. */
export function piecesOf({ chunks, size }: Pick<ReleaseFields, 'chunks' | 'size'>): Uint8Array[] | undefined {
  const bytes = Uint8Array.from(Buffer.from(chunks, 'base64'));
  const count = Math.ceil(size / RELEASE_CHUNK_BYTES);
  if (size === 0 || size > MAX_MODULE_BYTES || bytes.length !== count * HASH_BYTES) return undefined;
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES));
}
