/**
 * Who may do what on this node. Keeps everything that decisions rest on in memory, compiled, and follows the store, so that a decision after
 * an acknowledged write sees it; takes part in transactions to end a user's token with the user, and to note who made what. Decides by the
 * pure functions of `decision.ts`; owns user tokens; answers nobody over a network.
 */
import { capabilityKind } from '../../../protocol/kinds/capability.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import { shareKind } from '../../../protocol/kinds/share.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import type { ApiObject } from '../../../protocol/objects.ts';
import { AUTHOR_ANNOTATION, type Principal, SELF, subjectText, type UserPrincipal } from '../../../protocol/principal.ts';
import type { Change, ObjectStore, Transaction } from '../store/object-store.types.ts';
import type { Access, Asked, Decision, View } from './access.types.ts';
import { accessActions, userActions } from './actions.ts';
import { Creators } from './creators.ts';
import { decide, view } from './decision.ts';
import { Directory } from './directory.ts';
import { ExpiryTimer } from './expiry-timer.ts';
import { FactBook } from './fact-book.ts';
import { grantOf, type TrustFact, trustFact, typeFact } from './grants.ts';
import { capabilityHandler, shareHandler } from './handlers/grant.ts';
import { trustHandler } from './handlers/trust.ts';
import { userHandler } from './handlers/user.ts';
import type { AccessAction, AccessLogger, AccessMesh, Handler } from './ports.ts';
import { tokenRow, UserTokens } from './user-tokens.ts';

/** Objects read at a time when starting. */
const PAGE = 500;
const KEY = /^[0-9a-f]{64}$/;

export interface AccessOptions {
  store: ObjectStore;
  node: { name: string };
  mesh: AccessMesh;
  /** Asked first for the bearer of a token. */
  operator: { authenticate(bearerToken: string): Principal | undefined };
  now: () => number;
  logger: AccessLogger;
}

/** What access offers to the daemon. */
export interface AccessPart extends Access {
  /** Handlers by `group/plural`. */
  readonly kinds: ReadonlyMap<string, Handler>;
  /** By `group/plural/subresource`. */
  readonly subresources: ReadonlyMap<string, AccessAction>;
  /** Daemon-wide actions by name: `whoami`, `can`. Users may ask these. */
  readonly actions: ReadonlyMap<string, AccessAction>;
  /** Reads what is stored. To be awaited before anything is decided. */
  start(): Promise<void>;
  stop(): void;
}

/** To be called before the store's first transaction. */
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
  readonly #creators: Creators;
  readonly #directory: Directory;
  readonly #timer: ExpiryTimer;
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: (() => void)[];
  /** Members of trusts that a transaction on its way names in a grant. */
  readonly #coming = new Map<string, TrustFact>();
  /** Transactions that were looked at and have neither ended nor failed. */
  #underWay = 0;
  /** Places of objects that changed while stored ones are being read: what is read of them may be older. */
  #touched: Set<string> | undefined;
  #reading: Promise<void> = Promise.resolve();
  #ownKeys: ReadonlySet<string> = new Set();
  #homesText = '';

  constructor(options: AccessOptions) {
    const { store, node, mesh, now } = options;
    this.#options = options;
    this.#book = new FactBook(node.name);
    this.#tokens = new UserTokens(store, node.name);
    this.#creators = new Creators(store.kv, this.#book);
    this.#directory = new Directory({ store, node, mesh });
    this.#timer = new ExpiryTimer(now, this.#book, () => this.#tell());
    const parts = { store, node, now, book: this.#book, directory: this.#directory, access: this };
    this.kinds = new Map<string, Handler>([
      [`${DTKD_GROUP}/${userKind.plural}`, userHandler()],
      [`${DTKD_GROUP}/${capabilityKind.plural}`, capabilityHandler(parts)],
      [`${DTKD_GROUP}/${shareKind.plural}`, shareHandler(parts)],
      [`${DTKD_GROUP}/${trustKind.plural}`, trustHandler(parts)],
    ]);
    this.subresources = userActions(this.#tokens);
    this.actions = accessActions(parts);
    store.addParticipant({
      prepare: (changes, tx) => this.#prepare(changes, tx),
      committed: () => {},
      aborted: () => this.#passed(),
    });
    this.#unsubscribe = [store.subscribe((changes) => this.#take(changes)), mesh.onChange(() => this.#readMesh())];
  }

  async start(): Promise<void> {
    this.#readMesh();
    await this.#creators.load();
    await this.#tokens.load();
    for (const { plural } of [typeKind, userKind, capabilityKind, shareKind]) await this.#read(plural, this.#options.node.name);
    // after the grants: of trusts only those that a grant names are kept
    await this.#read(trustKind.plural);
    this.#timer.arm();
    this.#tell();
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timer.stop();
    this.#listeners.clear();
  }

  decide(principal: Principal, asked: Asked): Decision {
    return decide(principal, asked, this.#book, this.#options.now());
  }

  view(principal: Principal, group: string, plural: string): View {
    return view(principal, group, plural, this.#book, this.#options.now);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
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

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#options.logger.error({ err: error }, 'A listener to changes of rights failed');
      }
    }
  }

  /** Whose word counts, and which keys are this node's own. */
  #readMesh(): void {
    const domains = this.#options.mesh.domains();
    const ownKeys = new Set<string>(domains.map(({ self }) => self));
    const homes = new Set<string>(
      domains.flatMap(({ peers }) => peers.filter(({ self, suspended }) => !self && !suspended).map(({ key }) => key)),
    );
    const text = [...ownKeys, '', ...[...homes].sort()].join();
    if (text === this.#homesText) return;
    const renamed = [...ownKeys].some((key) => !this.#ownKeys.has(key));
    this.#homesText = text;
    this.#ownKeys = ownKeys;
    this.#book.setHomes(homes);
    this.#tell();
    if (!renamed) return;
    // What the authors of trusts call by this node's key in a domain that it has just joined are its own users.
    this.#read(trustKind.plural).then(
      () => this.#tell(),
      (error: unknown) => this.#options.logger.error({ err: error }, 'Trusts could not be read again'),
    );
  }

  /** Takes in the stored objects of a kind, one kind after another. */
  #read(plural: string, namespace?: string): Promise<void> {
    const run = this.#reading.then(() => this.#readNow(plural, namespace));
    this.#reading = run.catch(() => {});
    return run;
  }

  async #readNow(plural: string, namespace: string | undefined): Promise<void> {
    const touched = new Set<string>();
    this.#touched = touched;
    const where = namespace === undefined ? {} : { namespace };
    try {
      let next: string | undefined;
      do {
        const more = next === undefined ? {} : { continue: next };
        const page = await this.#options.store.list({ group: DTKD_GROUP, plural, limit: PAGE, ...where, ...more });
        for (const object of page.items) if (!touched.has(placeOf(plural, object))) this.#set({ plural }, object);
        next = page.continue;
      } while (next !== undefined);
    } finally {
      this.#touched = undefined;
    }
  }

  async #prepare(changes: readonly Change[], tx: Transaction): Promise<void> {
    for (const change of changes) {
      if (change.origin !== 'own') continue;
      this.#creators.prepare(change, tx);
      const gone = change.type === 'DELETED' ? change.object : change.previous;
      const stays = change.type !== 'DELETED' && gone?.metadata.uid === change.object.metadata.uid;
      if (isKind(change, userKind) && gone !== undefined && !stays) tx.delRow(tokenRow(gone.metadata.uid));
      if (change.type !== 'DELETED') await this.#fetchTrust(change, tx);
    }
    this.#underWay += 1;
  }

  #passed(): void {
    this.#underWay = Math.max(0, this.#underWay - 1);
    if (this.#underWay === 0) this.#coming.clear();
  }

  #take(changes: readonly Change[]): void {
    const before = this.#book.version;
    for (const change of changes) {
      const { ref, object, previous, type, origin } = change;
      if (origin === 'own') this.#creators.take(change);
      if (ref.group !== DTKD_GROUP) continue;
      this.#touched?.add(placeOf(ref.plural, object));
      // built-in types are projections
      if (origin !== 'own' && !isKind(change, trustKind) && !isKind(change, typeKind)) continue;
      if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) this.#remove(ref, previous);
      if (type === 'DELETED') this.#remove(ref, object);
      else this.#set(ref, object);
    }
    this.#passed();
    if (this.#book.version === before) return;
    this.#timer.arm();
    this.#tell();
  }

  /** Takes an object as it is now. */
  #set({ plural }: { plural: string }, object: ApiObject): void {
    if (plural === trustKind.plural) {
      const fact = this.#trustOf(object);
      if (fact !== undefined) this.#book.setTrust(fact);
    } else if (plural === userKind.plural) this.#book.setUser(userText(object), true);
    else if (plural === typeKind.plural) this.#book.setType(object.metadata.name, typeFact(object));
    else {
      const source = sourceOf(plural);
      if (source === undefined) return;
      const grant = grantOf(plural, object);
      this.#book.setGrant(source, object.metadata.name, grant);
      if (grant?.toTrust !== true) return;
      const members = this.#coming.get(grant.recipient);
      if (members !== undefined) this.#book.setTrust(members);
    }
  }

  #remove({ plural }: { plural: string }, object: ApiObject): void {
    if (plural === trustKind.plural) {
      const fact = this.#trustOf(object);
      if (fact !== undefined) this.#book.removeTrust(fact.trust);
    } else if (plural === userKind.plural) {
      this.#book.setUser(userText(object), false);
      this.#tokens.forget(object.metadata.uid);
    } else if (plural === typeKind.plural) this.#book.setType(object.metadata.name, undefined);
    else {
      const source = sourceOf(plural);
      if (source !== undefined) this.#book.setGrant(source, object.metadata.name, undefined);
    }
  }

  /** The author is who signed it, not whose name the namespace is at the moment. */
  #trustOf(object: ApiObject): TrustFact | undefined {
    const isOwn = object.metadata.namespace === this.#options.node.name;
    const author = isOwn ? SELF : object.metadata.annotations?.[AUTHOR_ANNOTATION];
    if (author === undefined || !(author === SELF || KEY.test(author))) return undefined;
    return trustFact(object, author, this.#ownKeys);
  }

  /** Reads the trust that a new grant names, so that its members count from the moment that the grant does. */
  async #fetchTrust({ ref, object }: Change, tx: Transaction): Promise<void> {
    const grant = ref.group === DTKD_GROUP ? grantOf(ref.plural, object) : undefined;
    if (grant?.toTrust !== true) return;
    this.#coming.delete(grant.recipient);
    const home = grant.recipient.slice(grant.recipient.lastIndexOf('@') + 1);
    const namespace = this.#directory.namespaceOf(home);
    if (namespace === undefined) return;
    const name = grant.recipient.slice(0, grant.recipient.indexOf('/'));
    const trust = await tx.get({ group: DTKD_GROUP, plural: trustKind.plural, namespace, name });
    const fact = trust === undefined ? undefined : this.#trustOf(trust);
    if (fact?.trust === grant.recipient) this.#coming.set(fact.trust, fact);
  }
}

function sourceOf(plural: string): 'capability' | 'share' | undefined {
  if (plural === capabilityKind.plural) return 'capability';
  return plural === shareKind.plural ? 'share' : undefined;
}

function isKind({ ref }: Change, { group, plural }: { group: string; plural: string }): boolean {
  return ref.group === group && ref.plural === plural;
}

function placeOf(plural: string, { metadata }: ApiObject): string {
  return `${plural}/${metadata.namespace ?? ''}/${metadata.name}`;
}

function userText({ metadata }: ApiObject): string {
  return subjectText({ home: SELF, name: metadata.name, uid: metadata.uid });
}
