/**
 * Who may do what on this node: a facade. Decisions are made by the pure functions of `decision.ts`, from facts in memory (`fact-book.ts`)
 * that `fact-keeper.ts` keeps current, so a decision after an acknowledged write takes that into account. Owns the tokens of users. Serves
 * no network requests: the API and the apps ask it.
 */
import { capabilityKind } from '../../../protocol/kinds/capability.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import type { AccessRules } from '../../../protocol/kinds/review.ts';
import { shareKind } from '../../../protocol/kinds/share.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import { type Principal, SELF, subjectText, type UserPrincipal } from '../../../protocol/rights/principal.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';
import type { Access, Asked, Audit, Decision, View } from './access.types.ts';
import { accessActions, userActions } from './actions.ts';
import { ClockWatch } from './clock-watch.ts';
import { decide, view } from './decision.ts';
import { Directory } from './directory.ts';
import { ExpiryTimer } from './expiry-timer.ts';
import { FactBook } from './fact-book.ts';
import { FactKeeper } from './fact-keeper.ts';
import { capabilityHandler, shareHandler } from './handlers/grant.ts';
import { trustHandler } from './handlers/trust.ts';
import { userHandler } from './handlers/user.ts';
import type { AccessAction, AccessMesh, Handler } from './ports.ts';
import { rulesOf } from './rules.ts';
import { isPresent } from './standing.ts';
import { UserTokens } from './user-tokens.ts';

export interface AccessOptions {
  store: ObjectStore;
  node: { name: string };
  mesh: AccessMesh;
  /** Asked first about each bearer token. */
  operator: { authenticate(bearerToken: string): Principal | undefined };
  audit: Audit;
  now: () => number;
  logger: Logger;
}

/** What access offers to the rest of the daemon. */
export interface AccessPart extends Access {
  /** Handlers by `group/plural`. */
  readonly kinds: ReadonlyMap<string, Handler>;
  /** By `group/plural/subresource`. */
  readonly subresources: ReadonlyMap<string, AccessAction>;
  /** Daemon-wide actions by name, also for users: `whoami`, `can`, `rules`. */
  readonly actions: ReadonlyMap<string, AccessAction>;
  /** Call it after the operator's token was replaced. */
  tokenEnded(): void;
  /** Reads the stored facts. Await it before any decision. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Problems with the clock by which grants end, in sentences. */
  clockConditions(): string[];
}

/** Call it before the store's first transaction. */
export function createAccess(options: AccessOptions): AccessPart {
  return new AccessService(options);
}

class AccessService implements AccessPart {
  readonly kinds: ReadonlyMap<string, Handler>;
  readonly subresources: ReadonlyMap<string, AccessAction>;
  readonly actions: ReadonlyMap<string, AccessAction>;
  readonly #options: AccessOptions;
  readonly #book: FactBook;
  readonly #tokens: UserTokens;
  readonly #keeper: FactKeeper;
  readonly #timer: ExpiryTimer;
  readonly #clock: ClockWatch;
  readonly #listeners = new Set<() => void>();
  readonly #tokenListeners = new Set<() => void>();

  constructor(options: AccessOptions) {
    const { store, node, mesh, now, audit, logger } = options;
    this.#options = options;
    this.#book = new FactBook(node.name);
    this.#tokens = new UserTokens(store, node.name, () => this.tokenEnded());
    const directory = new Directory({ store, node, mesh });
    this.#timer = new ExpiryTimer(now, this.#book, () => this.#tell(this.#listeners));
    this.#clock = new ClockWatch({ kv: store.kv, book: this.#book, audit, now, onSetBack: () => this.#changed(), logger });
    this.#keeper = new FactKeeper({ ...options, book: this.#book, tokens: this.#tokens, directory, onChange: () => this.#changed() });
    const parts = { store, node, mesh, now, book: this.#book, directory, access: this };
    this.kinds = new Map<string, Handler>([
      [`${DTKD_GROUP}/${userKind.plural}`, userHandler()],
      [`${DTKD_GROUP}/${capabilityKind.plural}`, capabilityHandler(parts)],
      [`${DTKD_GROUP}/${shareKind.plural}`, shareHandler(parts)],
      [`${DTKD_GROUP}/${trustKind.plural}`, trustHandler(parts)],
    ]);
    this.subresources = userActions(this.#tokens);
    this.actions = accessActions(parts);
  }

  async start(): Promise<void> {
    await this.#keeper.start();
    await this.#clock.start();
  }

  async stop(): Promise<void> {
    this.#keeper.stop();
    this.#timer.stop();
    this.#listeners.clear();
    this.#tokenListeners.clear();
    await this.#clock.stop();
  }

  clockConditions(): string[] {
    return this.#clock.conditions();
  }

  decide(principal: Principal, asked: Asked): Decision {
    return decide(principal, asked, this.#book, this.#options.now());
  }

  view(principal: Principal, group: string, plural: string): View {
    // the timer reports a change of rights before anybody is shown less because a grant has expired
    return view(principal, group, plural, this.#book, () => this.#timer.time());
  }

  rules(principal: Principal): AccessRules {
    return rulesOf(principal, this.#book, this.#options.now());
  }

  isPresent(user: UserPrincipal): boolean {
    return isPresent(subjectText(user), this.#book);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onTokenEnd(listener: () => void): () => void {
    this.#tokenListeners.add(listener);
    return () => this.#tokenListeners.delete(listener);
  }

  tokenEnded(): void {
    this.#tell(this.#tokenListeners);
  }

  authenticate(bearerToken: string): Principal | undefined {
    const operator = this.#options.operator.authenticate(bearerToken);
    if (operator !== undefined) return operator;
    const bearer = this.#tokens.find(bearerToken);
    if (bearer === undefined || !this.#book.hasUser(subjectText({ ...bearer, home: SELF }))) return undefined;
    return { type: 'user', home: SELF, ...bearer, display: `${bearer.name}@${this.#options.node.name}` };
  }

  remoteUser(from: { peerKey: string; namespace: string }, { name, uid }: { name: string; uid: string }): UserPrincipal {
    return { type: 'user', home: from.peerKey, name, uid, display: `${name}@${from.namespace}` };
  }

  #changed(): void {
    this.#timer.arm();
    this.#tell(this.#listeners);
  }

  #tell(listeners: Iterable<() => void>): void {
    for (const listener of listeners) {
      try {
        listener();
      } catch (error) {
        this.#options.logger.error({ err: error }, 'A listener to changes of rights or tokens failed');
      }
    }
  }
}
