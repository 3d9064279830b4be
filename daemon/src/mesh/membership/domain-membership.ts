/**
 * One domain's membership as a service: stores the set of signed items durably, folds it after each change, admits joiners, and signs root
 * facts if this node holds the root key. Guarantees that an item is on disk before anybody hears of it, that changes happen one after the
 * other (so no two admissions share a use), and that hostile bytes leave no trace. Does not know the network, nor what members share.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { type DomainId, type PeerKey, parseNodeName } from '../../../../protocol/ids.ts';
import { formatKey, parseKey } from '../../../../protocol/keys/key-text.ts';
import { generateSigningKey, type SigningKey } from '../../../../protocol/keys/signing.ts';
import { verifyForkProof } from '../../../../protocol/log/log-entry.ts';
import { type SignedEnrolment, signCertificate } from '../../../../protocol/membership/certificate.ts';
import { encodeFork, parseItem, signLeave } from '../../../../protocol/membership/facts.ts';
import {
  type JoinEnrol,
  type JoinOffer,
  type JoinProof,
  type JoinWelcome,
  proofMessages,
  welcomeMessages,
} from '../../../../protocol/membership/join.ts';
import { formatToken } from '../../../../protocol/membership/token.ts';
import type { Kv, KvOp } from '../../store/kv.ts';
import { chainOf } from './chain.ts';
import { proofOfFall } from './fallen.ts';
import type { FoldedState } from './fold.ts';
import { type AddResult, ItemSet, type ItemSetOptions } from './item-set.ts';
import { type AdmissionContext, judgeEnrolment, judgeOffer } from './judge.ts';
import type { DomainSecrets } from './key-store.ts';
import type { Membership, MembershipState, SignedItem } from './membership.types.ts';
import * as acts from './root-acts.ts';
import { settlements } from './settlements.ts';
import type { Rejection, VerifyFork } from './verify.ts';

export interface MembershipOptions {
  kv: Kv;
  domain: DomainId;
  /** This node's key in the domain. */
  self: SigningKey;
  /** The root key, if this node holds it. A rotation may have replaced it since. */
  rootKey?: SigningKey | undefined;
  /** Stores secrets durably together with the facts that need them; without it (tests) they are not stored. */
  secrets?: DomainSecrets | undefined;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
  verifyFork?: VerifyFork | undefined;
  /** Called when a listener throws; the other listeners are called all the same. */
  onListenerError?: ((error: unknown) => void) | undefined;
}

/** Signing takes 0.1 ms each, so this holds the event loop for a few milliseconds. The resulting change triggers the next batch. */
const SETTLED_AT_ONCE = 64;

const NO_SECRETS: DomainSecrets = { rootOps: () => [], tokenOps: () => [], forgetTokensOps: () => [] };

/** Opens the stored membership of a domain. */
export function openMembership(options: MembershipOptions): Promise<DomainMembership> {
  return DomainMembership.over(options, (set, onChange) => ItemSet.open(set, onChange));
}

/**
 * Starts the membership of a domain, from a fresh genesis or from what an admitter sent. Writes nothing unless the items make `self` a
 * member. `alongside` is written in the same batch. Throws NOT_A_MEMBER.
 */
export function adoptMembership(
  options: MembershipOptions & { items: readonly Uint8Array[]; alongside?: readonly KvOp[] },
): Promise<DomainMembership> {
  const check = (state: FoldedState | undefined, rejected: readonly Rejection[]): void => {
    if (state?.members.has(options.self.publicKey)) return;
    throw new DtkdError('NOT_A_MEMBER', 'the admitting node did not prove that this node is a member of the domain now', {
      next: 'Try another node of the domain.',
      details: { rejected: rejected.slice(0, 4).map(({ message }) => message) },
    });
  };
  return DomainMembership.over(options, (set, onChange) =>
    ItemSet.begin(set, options.items, { check, alongside: options.alongside ?? [], onChange }),
  );
}

export class DomainMembership implements Membership {
  readonly domain: DomainId;
  readonly self: PeerKey;
  readonly #kv: Kv;
  readonly #set: ItemSet;
  readonly #selfKey: SigningKey;
  readonly #secrets: DomainSecrets;
  readonly #now: () => number;
  readonly #verifyFork: VerifyFork;
  readonly #listeners: Listeners;
  #rootKey: SigningKey | undefined;

  private constructor(options: MembershipOptions, set: ItemSet, listeners: Listeners) {
    this.domain = options.domain;
    this.self = options.self.publicKey;
    this.#kv = options.kv;
    this.#set = set;
    this.#selfKey = options.self;
    this.#rootKey = options.rootKey;
    this.#secrets = options.secrets ?? NO_SECRETS;
    this.#now = options.now ?? Date.now;
    this.#verifyFork = options.verifyFork ?? verifyForkProof;
    this.#listeners = listeners;
  }

  /** Use `openMembership` or `adoptMembership`. */
  static async over(
    options: MembershipOptions,
    makeSet: (options: ItemSetOptions, onChange: () => void) => Promise<ItemSet>,
  ): Promise<DomainMembership> {
    const listeners = new Listeners(options.onListenerError ?? (() => {}));
    const { kv, domain, verifyFork = verifyForkProof } = options;
    const set = await makeSet({ kv, domain, verifyFork }, () => listeners.tell(set.state));
    return new DomainMembership(options, set, listeners);
  }

  get name(): string {
    return this.#set.state.name;
  }

  state(): FoldedState {
    return this.#set.state;
  }

  holdsRoot(): boolean {
    return this.#rootKey?.publicKey === this.#set.state.root;
  }

  items(): readonly SignedItem[] {
    return this.#set.state.kept;
  }

  has(id: string): boolean {
    return this.#set.has(id);
  }

  digest(): string {
    return this.#set.digest();
  }

  chainOf(key: PeerKey): readonly SignedItem[] {
    return chainOf(this.#set.state, key);
  }

  proofOfFall(key: PeerKey, presented: readonly Uint8Array[]): Promise<readonly SignedItem[]> {
    return proofOfFall(this.#set.state, key, presented, this.#verifyFork);
  }

  onChange(listener: (state: MembershipState) => void): () => void {
    return this.#listeners.add(listener);
  }

  add(items: readonly Uint8Array[]): Promise<AddResult> {
    return this.#set.serialise(() => this.#set.add(items));
  }

  /** What the state would be with these items added. Stores nothing. */
  preview(items: readonly Uint8Array[]): Promise<{ state: MembershipState } & AddResult> {
    return this.#set.preview(items);
  }

  // Admitting

  /**
   * Judges an offer; returns the proof that this node is a member. Throws the refusal. `isOwnNonce` tells whether this very process made
   * the offer.
   */
  answerOffer(offer: JoinOffer, joiner: PeerKey, isOwnNonce: (nonce: Uint8Array) => boolean = () => false): JoinProof[] {
    if (joiner === this.self || isOwnNonce(offer.nonce)) {
      throw new DtkdError('OURSELVES', 'the address leads back to the joining node itself', {
        next: 'Give the address of another node of the domain.',
      });
    }
    judgeOffer(this.#admission(joiner, offer.clock), offer);
    return proofMessages(this.chainOf(this.self));
  }

  /** Admits a joiner, or throws the refusal. Resolves once the certificate is durable. Asked again, it gives the same answer. */
  admit(offer: JoinOffer, enrol: JoinEnrol, joiner: PeerKey): Promise<JoinWelcome[]> {
    return this.#set.serialise(async () => {
      const context = this.#admission(joiner, offer.clock);
      const grant = judgeOffer(context, offer);
      const signed: SignedEnrolment = { body: enrol.enrolment, signature: enrol.signature, consent: enrol.consent };
      const judgement = judgeEnrolment(context, grant, signed);
      if (judgement !== 'member') {
        const certificate = signCertificate(this.#selfKey, signed, { clock: this.#now(), ...judgement });
        await this.#addOwn([grant.bytes, certificate]);
        if (!this.#set.state.members.has(joiner)) throw new DtkdError('INTERNAL', 'the new certificate does not count');
      }
      return welcomeMessages(this.items());
    });
  }

  #admission(joiner: PeerKey, joinerClock: number): AdmissionContext {
    return { state: this.#set.state, self: this.self, now: this.#now(), joiner, joinerClock };
  }

  // What any member signs

  /** Ends this node's own membership. The caller must still tell the other members. */
  leave(): Promise<SignedItem[]> {
    return this.#set.serialise(() => this.#addOwn([signLeave(this.#selfKey, this.domain)]));
  }

  /** Stores the proof that an author forked its log, which suspends the author. */
  async reportFork(proof: Uint8Array): Promise<SignedItem[]> {
    return (await this.add([encodeFork(proof)])).added;
  }

  // What the holder of the root key signs

  /** Makes an invite. `hints` are `host:port` addresses of members. The token is secret: whoever has it can join. */
  invite(options: acts.InviteOptions & { hints: readonly string[] }): Promise<{ grant: string; token: string }> {
    return this.#set.serialise(async () => {
      // A name that is to be replaced must have one holder on record.
      if (options.replace !== undefined) await this.#settle();
      const root = this.#root();
      const invite = generateSigningKey();
      const grant = acts.grantInvite(root, this.self, invite, options);
      const { domain, name } = this;
      const token = formatToken({ domain, domainName: name, root: root.root.publicKey, hints: options.hints, invite, grant });
      const { id } = parseItem(grant);
      await this.#addOwn([grant], this.#secrets.tokenOps(id, token));
      return { grant: id, token };
    });
  }

  /** Ends an invite, given by its id or a prefix of it (4 characters or more). */
  revoke(grant: string): Promise<SignedItem[]> {
    return this.#set.serialise(() => {
      const id = this.#findInvite(grant);
      return this.#addOwn([acts.revokeInvite(this.#root(), id)], this.#secrets.tokenOps(id, undefined));
    });
  }

  remove(key: PeerKey): Promise<SignedItem[]> {
    return this.#set.serialise(() => {
      if (key === this.self) {
        throw new DtkdError('INVALID', 'a node cannot remove itself', { next: 'Use "dtkd domain leave".' });
      }
      return this.#addOwn([acts.removeMember(this.#root(), key)]);
    });
  }

  bind(key: PeerKey, name: string): Promise<SignedItem[]> {
    return this.#set.serialise(() => this.#addOwn([acts.bindName(this.#root(), key, parseNodeName(name))]));
  }

  free(name: string): Promise<SignedItem[]> {
    return this.#set.serialise(() => this.#addOwn([acts.freeName(this.#root(), name)]));
  }

  clear(key: PeerKey): Promise<SignedItem[]> {
    return this.#set.serialise(() => this.#addOwn([acts.clearAuthor(this.#root(), key)]));
  }

  /** Signs what new members need (names, replacements). Call it after changes. Does nothing on a node without the root key. */
  settle(): Promise<SignedItem[]> {
    return this.#set.serialise(() => this.#settle());
  }

  exportRoot(): string {
    return formatKey('root', this.#root().root);
  }

  /** Throws KEY_WRONG unless it is the key of the current root. */
  importRoot(text: string): Promise<void> {
    return this.#set.serialise(async () => {
      const key = parseKey('root', text);
      if (key.publicKey !== this.#set.state.root) {
        throw new DtkdError('KEY_WRONG', `this is not the root key of domain "${this.name}" as it is now`, {
          next: 'Export it again on the node that holds it; a rotation makes a new one.',
        });
      }
      await this.#kv.batch(this.#secrets.rootOps(key), { sync: true });
      this.#rootKey = key;
      this.#listeners.tell(this.#set.state);
    });
  }

  /** Makes a new root by means of the recovery key; this node then holds it. The new recovery key is returned once and stored nowhere. */
  rotate(recoveryKey: string): Promise<{ recoveryKey: string; added: SignedItem[] }> {
    return this.#set.serialise(async () => {
      const recovery = parseKey('recovery', recoveryKey);
      const nextRoot = generateSigningKey();
      const nextRecovery = generateSigningKey();
      const { state } = this.#set;
      if (!state.members.has(this.self)) throw new DtkdError('NOT_A_MEMBER', 'this node is no longer a member of the domain');
      const rotation = acts.rotateRoot(state, { recovery, nextRoot, nextRecovery }, this.#now());
      const previous = this.#rootKey;
      this.#rootKey = nextRoot;
      try {
        const added = await this.#addOwn([rotation], [...this.#secrets.rootOps(nextRoot), ...this.#secrets.forgetTokensOps()]);
        return { recoveryKey: formatKey('recovery', nextRecovery), added };
      } catch (error) {
        this.#rootKey = previous;
        throw error;
      }
    });
  }

  #root(): acts.RootContext {
    const { state } = this.#set;
    if (this.#rootKey === undefined || this.#rootKey.publicKey !== state.root) {
      throw new DtkdError('NOT_FOUNDER', `this node does not hold the root key of domain "${this.name}"`, {
        next: 'Run this on the node that holds the root key, or import that key here ("dtkd domain root import").',
      });
    }
    return { state, root: this.#rootKey, now: this.#now() };
  }

  #findInvite(prefix: string): string {
    const matches = [...this.#set.state.invites.keys()].filter((id) => prefix.length >= 4 && id.startsWith(prefix));
    if (matches.length > 1)
      throw new DtkdError('AMBIGUOUS', `several invites begin with "${prefix}"`, { next: 'Give more characters of the id.' });
    const [id] = matches;
    if (id === undefined) throw new DtkdError('NOT_FOUND', 'there is no such invite', { next: 'See "dtkd domain invites".' });
    return id;
  }

  async #settle(): Promise<SignedItem[]> {
    if (!this.holdsRoot()) return [];
    const wanted = settlements(this.#set.state).slice(0, SETTLED_AT_ONCE);
    if (wanted.length === 0) return [];
    const root = this.#root();
    const items = wanted.map((settlement) =>
      settlement.type === 'bind' ? acts.bindName(root, settlement.key, settlement.name) : acts.removeMember(root, settlement.key),
    );
    return this.#addOwn(items);
  }

  /** Adds items that this node made. A rejection is thrown, since it is our own error. */
  async #addOwn(items: readonly Uint8Array[], alongside: readonly KvOp[] = []): Promise<SignedItem[]> {
    const { added, rejected } = await this.#set.add(items, alongside);
    const [first] = rejected;
    if (first !== undefined) throw new DtkdError(first.code, first.message);
    return added;
  }
}

class Listeners {
  readonly #listeners = new Set<(state: MembershipState) => void>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(listener: (state: MembershipState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(state: MembershipState): void {
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
