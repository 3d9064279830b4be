/**
 * Tokens of this node's users: bearer secrets, kept only as SHA-256 hashes in private rows beside the objects (Users are public). One for
 * each user; a new one ends the old one. Does not know which users exist: its callers check that.
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { DtkdError } from '../../../protocol/errors.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import { uid as uidText } from '../../../protocol/rights/principal.ts';
import { prefixEnd } from '../store/kv.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/** 256 bits: it cannot be guessed. */
const TOKEN_BYTES = 32;
const TOKEN = /^dtkd_[A-Za-z0-9_-]{43}$/;
const ROWS = 'a/u/';

const row = z.object({ name: z.string().max(253), hash: z.string().regex(/^[0-9a-f]{64}$/) });

export interface TokenBearer {
  name: string;
  uid: string;
}

/** The row with a user's token. */
export function tokenRow(uid: string): string {
  return `${ROWS}${uid}`;
}

export class UserTokens {
  readonly #store: ObjectStore;
  readonly #node: string;
  readonly #byHash = new Map<string, TokenBearer>();
  readonly #hashOf = new Map<string, string>();
  readonly #onReplaced: () => void;

  constructor(store: ObjectStore, node: string, onReplaced: () => void) {
    this.#store = store;
    this.#node = node;
    this.#onReplaced = onReplaced;
  }

  async load(): Promise<void> {
    for (let gte = ROWS; ; ) {
      const page = await this.#store.kv.page({ gte, lt: prefixEnd(ROWS) });
      for (const [key, value] of page) {
        const read = readRow(value);
        const uid = uidText.safeParse(key.slice(ROWS.length)).data;
        if (read !== undefined && uid !== undefined) this.#set({ name: read.name, uid }, read.hash);
      }
      const last = page.at(-1);
      if (last === undefined) return;
      gte = `${last[0]}\0`;
    }
  }

  /** Looks up the token's hash in a table, so the time that it takes reveals nothing about similar tokens. */
  find(token: string): TokenBearer | undefined {
    return TOKEN.test(token) ? this.#byHash.get(hashOf(token)) : undefined;
  }

  /**
   * Makes a new token for a user of this node, and ends the old one. `ofUid`: only if the user still has this uid, and is not another one
   * that got the name since the request. Throws NOT_FOUND.
   */
  async rotate(name: string, ofUid?: string): Promise<string> {
    const token = `dtkd_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const hash = hashOf(token);
    const ref = { group: userKind.group, plural: userKind.plural, namespace: this.#node, name };
    const uid = await this.#store.transact(async (tx) => {
      const user = await tx.get(ref);
      if (user === undefined || (ofUid ?? user.metadata.uid) !== user.metadata.uid || (await tx.originOf(ref)) !== 'own') {
        throw new DtkdError('NOT_FOUND', `users "${name.slice(0, 253)}" not found`, { next: 'See "dtkd get users".' });
      }
      tx.putRow(tokenRow(user.metadata.uid), Buffer.from(JSON.stringify({ name, hash })));
      return user.metadata.uid;
    });
    this.#set({ name, uid }, hash);
    this.#onReplaced();
    return token;
  }

  forget(uid: string): void {
    const hash = this.#hashOf.get(uid);
    if (hash === undefined) return;
    this.#hashOf.delete(uid);
    this.#byHash.delete(hash);
  }

  #set(bearer: TokenBearer, hash: string): void {
    this.forget(bearer.uid);
    this.#hashOf.set(bearer.uid, hash);
    this.#byHash.set(hash, bearer);
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update('dtkd/user-token\n').update(token).digest('hex');
}

function readRow(bytes: Uint8Array): z.infer<typeof row> | undefined {
  try {
    return row.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
