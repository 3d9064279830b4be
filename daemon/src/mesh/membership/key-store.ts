/**
 * This node's secrets, by domain: its key in the domain, the root key if it holds it, the tokens of invites that it made, and the port and
 * order of its hosts. Owns the rows `k/<domain>/…`. Returns writes as operations, so that a secret becomes durable in the same batch as
 * the fact that needs it. Keeps nothing in memory. The rows are as safe as the data directory, which only its owner can read.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { bytesOf, domainId, domainName, hash, milliseconds, nodeName } from '../../../../protocol/encoding/fields.ts';
import type { DomainId, NodeName } from '../../../../protocol/ids.ts';
import { type SigningKey, signingKeyFromSeed } from '../../../../protocol/keys/signing.ts';
import { MAX_TOKEN_LENGTH } from '../../../../protocol/limits.ts';
import { type Kv, type KvOp, prefixEnd } from '../../store/kv.ts';

const PREFIX = 'k/';
/** Rows read at a time. */
const PAGE = 1_000;

const nodeRow = z.object({
  version: z.literal(1),
  domain: domainId,
  name: domainName,
  seed: bytesOf(32),
  nodeName,
  /** Domains start in this order, so that the first keeps the first port. */
  order: z.number().int().min(0),
  joinedAt: milliseconds,
});
const rootRow = bytesOf(32);
const portRow = z.number().int().min(1).max(65_535);
const pendingRow = z.object({ grant: hash, seed: bytesOf(32) });
const tokenRow = z.string().max(MAX_TOKEN_LENGTH);

/** This node's identity in one domain. */
export interface DomainRecord {
  domain: DomainId;
  name: string;
  self: SigningKey;
  /** The name that it claimed. */
  nodeName: NodeName;
  order: number;
  joinedAt: number;
}

export interface DomainKeys extends DomainRecord {
  root: SigningKey | undefined;
  port: number | undefined;
}

/** Writes of one domain's secrets. */
export interface DomainSecrets {
  rootOps(root: SigningKey): KvOp[];
  /** Stores a token, or deletes it (undefined). */
  tokenOps(grant: string, token: string | undefined): KvOp[];
  forgetTokensOps(): KvOp[];
}

export class KeyStore {
  readonly #kv: Kv;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /** All domains, in order. */
  async list(): Promise<DomainKeys[]> {
    const found: DomainKeys[] = [];
    for (let gte = PREFIX; ; ) {
      const page = await this.#kv.page({ gte, lt: prefixEnd(PREFIX), limit: PAGE });
      for (const [key, value] of page) {
        if (!key.endsWith('/node')) continue;
        found.push(await this.#complete(value));
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      gte = `${last[0]}\0`;
    }
    return found.sort((a, b) => a.order - b.order);
  }

  async get(domain: DomainId): Promise<DomainKeys | undefined> {
    const row = await this.#kv.get(`${PREFIX}${domain}/node`);
    return row === undefined ? undefined : this.#complete(row);
  }

  async #complete(row: Uint8Array): Promise<DomainKeys> {
    const { seed, version: _, ...record } = decodeCbor(row, nodeRow, 'a stored domain');
    const [root, port] = await Promise.all([
      this.#kv.get(`${PREFIX}${record.domain}/root`),
      this.#kv.get(`${PREFIX}${record.domain}/port`),
    ]);
    return {
      ...record,
      self: signingKeyFromSeed(seed),
      root: root === undefined ? undefined : signingKeyFromSeed(decodeCbor(root, rootRow, 'a stored root key')),
      port: port === undefined ? undefined : decodeCbor(port, portRow, 'a stored port'),
    };
  }

  /** Tokens that were made here and not deleted, by grant. */
  async tokens(domain: DomainId): Promise<Map<string, string>> {
    const prefix = `${PREFIX}${domain}/token/`;
    const tokens = new Map<string, string>();
    for (let gte = prefix; ; ) {
      const page = await this.#kv.page({ gte, lt: prefixEnd(prefix), limit: PAGE });
      for (const [key, value] of page) tokens.set(key.slice(prefix.length), decodeCbor(value, tokenRow, 'a stored token'));
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return tokens;
      gte = `${last[0]}\0`;
    }
  }

  /**
   * The key with which this node has asked for admission under that grant without hearing the answer. It may be a member already, so the
   * node must ask again with it: a new key would take another use of the invite.
   */
  async pendingKey(domain: DomainId, grant: string): Promise<SigningKey | undefined> {
    const row = await this.#kv.get(pendingRowKey(domain));
    if (row === undefined) return undefined;
    const pending = decodeCbor(row, pendingRow, 'a stored pending key');
    return pending.grant === grant ? signingKeyFromSeed(pending.seed) : undefined;
  }

  /** Must be written before the enrolment is sent. Only one join per domain can be pending. */
  pendingOps(domain: DomainId, grant: string, self: SigningKey): KvOp[] {
    return [{ type: 'put', key: pendingRowKey(domain), value: encodeCbor(z.encode(pendingRow, { grant, seed: self.seed })) }];
  }

  forgetPendingOps(domain: DomainId): KvOp[] {
    return [{ type: 'del', key: pendingRowKey(domain) }];
  }

  recordOps({ domain, name, self, nodeName: claimed, order, joinedAt }: DomainRecord): KvOp[] {
    const value = encodeCbor(z.encode(nodeRow, { version: 1, domain, name, seed: self.seed, nodeName: claimed, order, joinedAt }));
    return [{ type: 'put', key: `${PREFIX}${domain}/node`, value }];
  }

  portOps(domain: DomainId, port: number): KvOp[] {
    return [{ type: 'put', key: `${PREFIX}${domain}/port`, value: encodeCbor(port) }];
  }

  forgetOps(domain: DomainId): KvOp[] {
    return [{ type: 'clear', gte: `${PREFIX}${domain}/`, lt: prefixEnd(`${PREFIX}${domain}/`) }];
  }

  secretsOf(domain: DomainId): DomainSecrets {
    const tokens = `${PREFIX}${domain}/token/`;
    return {
      rootOps: (root) => [{ type: 'put', key: `${PREFIX}${domain}/root`, value: encodeCbor(root.seed) }],
      tokenOps: (grant, token) => {
        const key = tokens + grant;
        return token === undefined ? [{ type: 'del', key }] : [{ type: 'put', key, value: encodeCbor(token) }];
      },
      forgetTokensOps: () => [{ type: 'clear', gte: tokens, lt: prefixEnd(tokens) }],
    };
  }
}

function pendingRowKey(domain: DomainId): string {
  return `${PREFIX}${domain}/pending`;
}
