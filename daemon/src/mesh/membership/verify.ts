/**
 * Verifies items received from others. Each is checked against what is known and against the rest of its batch, in whatever order they
 * came: genesis, rotations, facts of the current root, certificates along their chains, leaves, fork proofs. Cheap checks come before
 * signatures, and a batch with many bad signatures is given up. The fold decides whether a verified item counts.
 */
import { setImmediate } from 'node:timers/promises';
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import { verifySignature } from '../../../../protocol/keys/signing.ts';
import { MAX_CHAIN_DEPTH, MAX_ROOT_FACTS, MAX_ROTATIONS } from '../../../../protocol/limits.ts';
import { claimedFork, type Epoch } from '../../../../protocol/log/log-entry.ts';
import { verifyEnrolment } from '../../../../protocol/membership/certificate.ts';
import { type Grant, isItemOf, type ParsedItem, parseItem, recoveryHash } from '../../../../protocol/membership/facts.ts';
import type { CertificateItem } from './admissions.ts';
import type { ProvenFork } from './fold.ts';
import { foldGenerations, type Generations } from './generations.ts';
import { gatherRootFacts, isRootFact, type RootFacts } from './root-facts.ts';

/** Tells whose fork a proof proves; undefined if it proves none. */
export type VerifyFork = (proof: Uint8Array) => { domain: DomainId; author: PeerKey; epoch: Epoch } | undefined;

export interface Rejection {
  code: ErrorCode;
  message: string;
}

export interface Verified {
  /** In an order in which each can be verified after those before it. */
  accepted: ParsedItem[];
  /** What the accepted fork proofs prove, by id. */
  forks: Map<string, ProvenFork>;
  rejected: Rejection[];
}

export interface Known {
  domain: DomainId;
  items: ReadonlyMap<string, ParsedItem>;
}

/** A signature costs 0.1 ms, or 1.3 ms with a new key: the event loop gets a turn after this many. */
const SIGNATURES_PER_TURN = 4;
/** Reading an item costs about 0.01 ms, and a file may contain very many: the event loop gets a turn after this many. */
const READ_PER_TURN = 256;
/** An honest sender sends none; a hostile one does not deserve more of our time. */
const MAX_BAD_SIGNATURES = 16;
/** Proofs tried per author and batch: only one counts, and an author can make any number of them about itself. */
const MAX_FORKS_OF_AUTHOR = 4;

/** Never throws for hostile bytes. Skips items that are known already. */
export async function verifyItems(known: Known, batch: readonly Uint8Array[], verifyFork: VerifyFork): Promise<Verified> {
  const run = new Verification(known, verifyFork);
  await run.judge(batch);
  return { accepted: run.accepted, forks: run.forks, rejected: run.rejected };
}

class Verification {
  readonly accepted: ParsedItem[] = [];
  readonly forks = new Map<string, ProvenFork>();
  readonly rejected: Rejection[] = [];
  readonly #domain: DomainId;
  readonly #verifyFork: VerifyFork;
  /** Known and accepted items. */
  readonly #items: Map<string, ParsedItem>;
  readonly #forksOf = new Map<PeerKey, number>();
  #badSignatures = 0;
  #signatures = 0;

  constructor(known: Known, verifyFork: VerifyFork) {
    this.#domain = known.domain;
    this.#items = new Map(known.items);
    this.#verifyFork = verifyFork;
  }

  async judge(batch: readonly Uint8Array[]): Promise<void> {
    const fresh = await this.#parse(batch);
    for (const item of fresh) if (isItemOf(item, 'genesis')) await this.#attempt(item, () => this.#judgeGenesis(item));
    await this.#judgeRotations(fresh);
    const generations = foldGenerations(this.#domain, this.#items);
    if (generations === undefined) {
      for (const item of fresh) if (!isItemOf(item, 'genesis')) this.#reject(item, unknown('the genesis of the domain'));
      return;
    }
    await this.#judgeRootFacts(fresh, generations);
    const view = new View(generations, this.#items);
    await this.#judgeCertificates(fresh, view);
    for (const item of fresh) {
      if (isItemOf(item, 'leave')) await this.#attempt(item, () => this.#judgeLeave(item.fact.domain, item.fact.key, item, view));
      if (isItemOf(item, 'fork')) await this.#attempt(item, () => this.#judgeFork(item.id, item.fact.proof, view));
    }
  }

  async #parse(batch: readonly Uint8Array[]): Promise<ParsedItem[]> {
    const fresh = new Map<string, ParsedItem>();
    for (const [index, bytes] of batch.entries()) {
      if (index % READ_PER_TURN === READ_PER_TURN - 1) await setImmediate();
      try {
        const item = parseItem(bytes);
        if (!this.#items.has(item.id)) fresh.set(item.id, item);
      } catch (error) {
        this.#reject(undefined, error);
      }
    }
    return [...fresh.values()];
  }

  /** Runs a judgement, which throws to reject; otherwise accepts the item. Returns true if accepted. */
  async #attempt(item: ParsedItem, judgement: () => void | Promise<void>): Promise<boolean> {
    try {
      await judgement();
    } catch (error) {
      this.#reject(item, error);
      return false;
    }
    this.#items.set(item.id, item);
    this.accepted.push(item);
    return true;
  }

  #reject(item: ParsedItem | undefined, error: unknown): void {
    if (!(error instanceof DtkdError)) throw error;
    const what = item === undefined ? '' : `${item.fact.type} ${item.id.slice(0, 16)}: `;
    this.rejected.push({ code: error.code, message: `${what}${error.message}` });
  }

  async #spend(valid: () => boolean, whose: string): Promise<void> {
    if (this.#badSignatures >= MAX_BAD_SIGNATURES) {
      throw new DtkdError('TOO_MANY_REQUESTS', 'too many items before it had bad signatures');
    }
    this.#signatures += 1;
    if (this.#signatures % SIGNATURES_PER_TURN === 0) await setImmediate();
    if (valid()) return;
    this.#badSignatures += 1;
    throw new DtkdError('SIGNATURE_INVALID', `it is not signed by ${whose}`);
  }

  async #judgeGenesis(item: ParsedItem): Promise<void> {
    if (!isItemOf(item, 'genesis') || item.id !== this.#domain) throw new DtkdError('TOKEN_WRONG_DOMAIN', 'it founds another domain');
    await this.#spend(() => verifySignature(item.fact.root, 'fact', item.payload, item.signature), 'its root key');
  }

  /** A rotation may follow one of the same batch, so they are retried until none can be placed. */
  async #judgeRotations(fresh: readonly ParsedItem[]): Promise<void> {
    let waiting = fresh.filter((item) => isItemOf(item, 'rotation'));
    let count = 0;
    for (const item of this.#items.values()) if (item.fact.type === 'rotation') count += 1;
    for (let progress = true; progress && waiting.length > 0; ) {
      progress = false;
      const later: typeof waiting = [];
      for (const item of waiting) {
        const recovery = this.#recoveryOf(item.fact.prev);
        if (recovery === undefined) {
          later.push(item);
          continue;
        }
        const accepted = await this.#attempt(item, async () => {
          if (count >= MAX_ROTATIONS) throw new DtkdError('QUOTA_EXCEEDED', `there are ${MAX_ROTATIONS} rotations already`);
          if (recoveryHash(item.fact.recoveryKey) !== recovery)
            throw new DtkdError('KEY_WRONG', 'its recovery key is not the one committed to');
          await this.#spend(() => verifySignature(item.fact.recoveryKey, 'fact', item.payload, item.signature), 'the recovery key');
        });
        if (accepted) {
          count += 1;
          progress = true;
        }
      }
      waiting = later;
    }
    for (const item of waiting) this.#reject(item, unknown('the generation that it follows'));
  }

  #recoveryOf(generation: string): string | undefined {
    const fact = this.#items.get(generation)?.fact;
    return fact?.type === 'genesis' || fact?.type === 'rotation' ? fact.recovery : undefined;
  }

  async #judgeRootFacts(fresh: readonly ParsedItem[], generations: Generations): Promise<void> {
    let count = 0;
    for (const item of this.#items.values()) if (isRootFact(item) && item.fact.by === generations.current) count += 1;
    for (const item of fresh) {
      if (!isRootFact(item)) continue;
      const accepted = await this.#attempt(item, async () => {
        if (item.fact.by !== generations.current) {
          if (generations.past.has(item.fact.by)) throw new DtkdError('GONE', 'the root that signed it has been replaced');
          throw unknown('the root that signed it');
        }
        if (count >= MAX_ROOT_FACTS) throw new DtkdError('QUOTA_EXCEEDED', `the root has signed ${MAX_ROOT_FACTS} facts already`);
        await this.#spend(() => verifySignature(generations.root, 'fact', item.payload, item.signature), 'the root key');
      });
      if (accepted) count += 1;
    }
  }

  /** A certificate whose admitter is not yet known waits for the one that `via` names. */
  async #judgeCertificates(fresh: readonly ParsedItem[], view: View): Promise<void> {
    const waiting = new Map<string, CertificateItem[]>();
    const ready: CertificateItem[] = [];
    for (const item of fresh) {
      if (!isItemOf(item, 'certificate')) continue;
      const { admitter, via } = item.fact;
      if (via === undefined || view.anchors.has(admitter) || view.links.has(via)) ready.push(item);
      else waiting.set(via, [...(waiting.get(via) ?? []), item]);
    }
    // The list grows during the walk.
    for (const item of ready) {
      if (!(await this.#attempt(item, () => this.#judgeCertificate(item, view)))) continue;
      view.add(item);
      ready.push(...(waiting.get(item.fact.link) ?? []));
      waiting.delete(item.fact.link);
    }
    for (const items of waiting.values()) for (const item of items) this.#reject(item, unknown('the membership of its admitter'));
  }

  async #judgeCertificate(item: CertificateItem, view: View): Promise<void> {
    const { fact } = item;
    const grant = view.grants.get(fact.grant);
    if (grant === undefined) throw unknown('the grant that it is under');
    if (fact.count > grant.fact.uses) throw new DtkdError('TOKEN_USED_UP', `it is admission ${fact.count} of ${grant.fact.uses}`);
    if (fact.replace !== undefined && (fact.replace !== grant.fact.replace || fact.replace !== fact.name)) {
      throw new DtkdError('FORBIDDEN', 'its grant does not let it replace that name');
    }
    // The holder of a removed key or revoked token can sign for ever, so signatures are not checked for what cannot stand.
    if (!view.mayStand(item)) throw new DtkdError('GONE', 'its invite was revoked or its admitter removed, and it was not kept');
    view.checkChain(item);
    await this.#spend(() => verifySignature(fact.admitter, 'witness', item.payload, item.signature), 'its admitter');
    await this.#spend(() => verifyEnrolment(grant.fact.key, fact.key, fact.enrolment), 'the invite key and the joiner');
  }

  async #judgeLeave(domain: DomainId, key: PeerKey, item: ParsedItem, view: View): Promise<void> {
    if (domain !== this.#domain) throw new DtkdError('TOKEN_WRONG_DOMAIN', 'it is about another domain');
    if (!view.isKnown(key)) throw unknown('the member that leaves');
    await this.#spend(() => verifySignature(key, 'leave', item.payload, item.signature), 'the member that leaves');
  }

  async #judgeFork(id: string, proof: Uint8Array, view: View): Promise<void> {
    // Anybody can make valid proofs about own keys, so the author is checked before the signatures.
    const claimed = claimedFork(proof);
    if (claimed !== undefined && !view.isKnown(claimed.author)) throw unknown('the author that it is about');
    const count = claimed === undefined ? 0 : (this.#forksOf.get(claimed.author) ?? 0) + 1;
    if (count > MAX_FORKS_OF_AUTHOR) throw new DtkdError('TOO_MANY_REQUESTS', 'several proofs before it are about the same author');
    if (claimed !== undefined) this.#forksOf.set(claimed.author, count);
    let proven: ReturnType<VerifyFork>;
    await this.#spend(() => {
      proven = this.#verifyFork(proof);
      return proven !== undefined && proven.domain === this.#domain;
    }, 'one author of this domain, twice at one place');
    if (proven === undefined) throw unknown('the author that it is about');
    this.forks.set(id, { author: proven.author, epoch: proven.epoch });
  }
}

/** What certificates are judged against. Grows with each accepted one. */
class View {
  readonly grants = new Map<string, ParsedItem<Grant>>();
  readonly anchors: Set<PeerKey>;
  readonly links = new Map<string, CertificateItem>();
  readonly #certified = new Set<PeerKey>();
  readonly #facts: RootFacts;

  constructor(generations: Generations, items: ReadonlyMap<string, ParsedItem>) {
    this.anchors = new Set(generations.listed.keys());
    this.#facts = gatherRootFacts(generations.current, items.values());
    for (const item of items.values()) {
      if (isItemOf(item, 'grant') && item.fact.by === generations.current) this.grants.set(item.id, item);
      else if (isItemOf(item, 'binding') && item.fact.by === generations.current) this.anchors.add(item.fact.key);
      else if (isItemOf(item, 'certificate')) this.add(item);
    }
  }

  add(item: CertificateItem): void {
    const rival = this.links.get(item.fact.link);
    if (rival === undefined || item.fact.count < rival.fact.count) this.links.set(item.fact.link, item);
    this.#certified.add(item.fact.key);
  }

  /** False if a revocation or removal known here excludes the admission. */
  mayStand({ fact }: CertificateItem): boolean {
    const kept = [this.#facts.revocations.get(fact.grant), this.#facts.removals.get(fact.admitter)?.keeps];
    return kept.every((keeps) => keeps?.has(fact.key) !== false);
  }

  isKnown(key: PeerKey): boolean {
    return this.anchors.has(key) || this.#certified.has(key);
  }

  /**
   * The admitter must be a member by the root's word, or by a chain of certificates in which each admission under one invite has a higher
   * count than those above it. So a bearer of an invite, once admitted, cannot go on admitting himself under it endlessly.
   */
  checkChain(item: CertificateItem): void {
    const { grant, count } = item.fact;
    let below = item;
    for (let depth = 0; !this.anchors.has(below.fact.admitter); depth += 1) {
      if (depth >= MAX_CHAIN_DEPTH)
        throw new DtkdError('QUOTA_EXCEEDED', `more than ${MAX_CHAIN_DEPTH} certificates stand between it and the root`);
      const above = below.fact.via === undefined ? undefined : this.links.get(below.fact.via);
      if (above === undefined || above.fact.key !== below.fact.admitter) {
        throw new DtkdError('NOT_A_MEMBER', 'its admitter is not known to be a member');
      }
      if (above.fact.grant === grant && above.fact.count >= count) {
        throw new DtkdError('TOKEN_USED_UP', 'its admitter was itself admitted later under the same invite');
      }
      below = above;
    }
  }
}

function unknown(what: string): DtkdError {
  return new DtkdError('NOT_FOUND', `${what} is not known here`);
}
