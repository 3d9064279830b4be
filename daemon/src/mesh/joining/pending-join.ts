/**
 * The key of a join that is under way. Once an enrolment has been sent this node may be a member though the answer got lost, so the key
 * is kept, and the next try with the same invite asks with it: the member answers the same, and no use of the invite is lost. It is
 * forgotten when every member that was asked has refused.
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
  /** Enrolments sent, in this try or before, without an answer so far. */
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

  /** To be awaited before an enrolment is sent. */
  async asking(): Promise<void> {
    const { domain, grant } = this.#token;
    await this.#kv.batch(this.#keys.pendingOps(domain, grant.id, this.self), { sync: true });
    this.#unanswered += 1;
  }

  /** A member refused the enrolment. */
  refused(): void {
    this.#unanswered -= 1;
  }

  /** The join has failed with this error. */
  async failed(error: unknown): Promise<void> {
    // A key that was removed since is of no use any more.
    const over = error instanceof DtkdError && error.code === 'REMOVED';
    if (over || this.#unanswered === 0) await this.#kv.batch(this.#keys.forgetPendingOps(this.#token.domain), { sync: true });
  }
}
