/**
 * The key of a join that is under way. Once an enrolment has been sent, this node may be a member even if the answer was lost. So the key
 * is stored, and the next try with the same invite uses it: the member gives the same answer, and no further use of the invite is taken.
 * The key is deleted once every member that was asked has refused.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { generateSigningKey, type SigningKey } from '../../../../protocol/keys/signing.ts';
import type { Token } from '../../../../protocol/membership/token.ts';
import type { Kv } from '../../store/kv.ts';
import type { KeyStore } from '../membership/key-store.ts';

export class PendingJoin {
  readonly self: SigningKey;
  readonly #kv: Kv;
  readonly #keys: KeyStore;
  readonly #token: Token;
  /** Enrolments sent, in this try or before, that have no answer yet. */
  #unanswered: number;

  private constructor(kv: Kv, keys: KeyStore, token: Token, kept: SigningKey | undefined) {
    this.#kv = kv;
    this.#keys = keys;
    this.#token = token;
    this.#unanswered = kept === undefined ? 0 : 1;
    this.self = kept ?? generateSigningKey();
  }

  static async open(kv: Kv, keys: KeyStore, token: Token): Promise<PendingJoin> {
    return new PendingJoin(kv, keys, token, await keys.pendingKey(token.domain, token.grant.id));
  }

  /** Await this before sending an enrolment. */
  async asking(): Promise<void> {
    const { domain, grant } = this.#token;
    await this.#kv.batch(this.#keys.pendingOps(domain, grant.id, this.self), { sync: true });
    this.#unanswered += 1;
  }

  /** Reports that a member refused the enrolment. */
  refused(): void {
    this.#unanswered -= 1;
  }

  /** Reports that the join has failed with this error. */
  async failed(error: unknown): Promise<void> {
    // A key that was removed meanwhile is of no further use.
    const over = error instanceof DtkdError && error.code === 'REMOVED';
    if (over || this.#unanswered === 0) await this.#kv.batch(this.#keys.forgetPendingOps(this.#token.domain), { sync: true });
  }
}
