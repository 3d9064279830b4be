/**
 * The archives on this node with the signatures of their publishers, for files that carry them elsewhere. Reads rows and files; changes
 * nothing.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { signedModule } from '../../../../protocol/definitions/module.ts';
import { decodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { releaseSchema } from '../../../../protocol/kinds/release.ts';
import { verifyStatement } from '../../../../protocol/orders/signed-bundle.ts';
import { DEFAULT_PAGE, type Kv, prefixEnd } from '../../store/kv.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { ModuleContent, SignedStatement } from './ports.ts';
import { rowOf, STATEMENTS } from './statements.ts';

export interface CarriedModule extends SignedStatement {
  name: string;
  version: string;
  digest: string;
  /** Bytes of its archive. */
  size: number;
  bytes(): AsyncIterable<Uint8Array>;
  /** Names of the domains to whose members it is offered. */
  inDomains: readonly string[];
}

interface Ports {
  kv: Kv;
  content: Pick<ModuleContent, 'path'>;
  store: Pick<ObjectStore, 'list'>;
}

export async function carriedModules({ kv, content, store }: Ports): Promise<CarriedModule[]> {
  const domains = await domainsByDigest(store);
  const found: CarriedModule[] = [];
  for (let gte = STATEMENTS; ; ) {
    const page = await kv.page({ gte, lt: prefixEnd(STATEMENTS) });
    for (const [, row] of page) {
      const module = await carried(row, content, domains);
      if (module !== undefined) found.push(module);
    }
    const last = page.at(-1)?.[0];
    if (page.length < DEFAULT_PAGE || last === undefined) return found;
    gte = `${last}\0`;
  }
}

/** True if the archive is here, with this publisher's signature. Errors: SIGNATURE_INVALID, FRAME_INVALID. */
export async function isCarriedHere({ kv, content }: Pick<Ports, 'kv' | 'content'>, signed: SignedStatement): Promise<boolean> {
  const statement = verifyStatement(signed);
  return (await kv.get(rowOf(statement))) !== undefined && (await content.path(statement.digest)) !== undefined;
}

async function carried(
  row: Uint8Array,
  content: Ports['content'],
  domains: ReadonlyMap<string, readonly string[]>,
): Promise<CarriedModule | undefined> {
  const { statement, signature } = decodeCbor(row, signedModule, 'the signature of a module');
  const { name, version, digest } = verifyStatement({ statement, signature });
  const path = await content.path(digest);
  const size = path === undefined ? undefined : (await stat(path).catch(() => undefined))?.size;
  if (path === undefined || size === undefined) return undefined;
  const bytes = () => createReadStream(path);
  return { name, version, digest, size, statement, signature, bytes, inDomains: domains.get(digest) ?? [] };
}

/** Domains by digest, from the Releases of this node and of others. Unverified: Releases are verified where they are used. */
async function domainsByDigest(store: Ports['store']): Promise<Map<string, string[]>> {
  const { items } = await store.list({ group: DTKD_GROUP, plural: 'releases' });
  const found = new Map<string, string[]>();
  for (const item of items) {
    const spec = releaseSchema.safeParse(item).data?.spec;
    if (spec !== undefined) found.set(spec.digest, [...(found.get(spec.digest) ?? []), ...spec.domains]);
  }
  return found;
}
