/**
 * Keeps the fact book current: reads what is stored, follows every change, and takes part in transactions, so that the row of a user's
 * token is deleted with the user, the row of a creator is written with the object, and a trust's members are known as soon as a grant names
 * it. Makes no decisions. Of other nodes it uses only their trusts, and of these only the ones that a grant of this node names.
 */
import { capabilityKind } from '../../../protocol/kinds/capability.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import { shareKind } from '../../../protocol/kinds/share.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import { userKind } from '../../../protocol/kinds/user.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION, SELF, subjectText } from '../../../protocol/rights/principal.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Change, ObjectStore, Transaction } from '../store/object-store.types.ts';
import { Creators } from './creators.ts';
import type { Directory } from './directory.ts';
import type { FactBook } from './fact-book.ts';
import { grantOf, type TrustFact, trustFact, typeFact } from './grants.ts';
import type { AccessMesh } from './ports.ts';
import { tokenRow, type UserTokens } from './user-tokens.ts';

/** Objects read in one step at start. */
const PAGE = 500;
const KEY = /^[0-9a-f]{64}$/;

export interface FactKeeperOptions {
  store: ObjectStore;
  node: { name: string };
  mesh: AccessMesh;
  book: FactBook;
  tokens: UserTokens;
  directory: Directory;
  logger: Logger;
  /** Called after facts have changed. */
  onChange: () => void;
}

export class FactKeeper {
  readonly #options: FactKeeperOptions;
  readonly #creators: Creators;
  readonly #unsubscribe: (() => void)[];
  /** Members of trusts that grants in pending transactions name. */
  readonly #coming = new Map<string, TrustFact>();
  /** Prepared transactions that have neither been committed nor failed. */
  #underWay = 0;
  /** Objects that changed during a read of stored ones, which may return older versions of them. */
  #touched: Set<string> | undefined;
  #reading: Promise<void> = Promise.resolve();
  #ownKeys: ReadonlySet<string> = new Set();
  #homesText = '';

  constructor(options: FactKeeperOptions) {
    const { store, mesh, book } = options;
    this.#options = options;
    this.#creators = new Creators(store.kv, book);
    store.addParticipant({
      prepare: (changes, tx) => this.#prepare(changes, tx),
      committed: () => {},
      aborted: () => this.#passed(),
    });
    this.#unsubscribe = [store.subscribe((changes) => this.#take(changes)), mesh.onChange(() => this.#readMesh())];
  }

  async start(): Promise<void> {
    const { node, tokens } = this.#options;
    this.#readMesh();
    await this.#creators.load();
    await tokens.load();
    for (const { plural } of [typeKind, userKind, capabilityKind, shareKind]) await this.#read(plural, node.name);
    // after the grants, since only trusts that a grant names are kept
    await this.#read(trustKind.plural);
    this.#options.onChange();
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Updates which nodes count, and which keys are this node's own. */
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
    this.#options.book.setHomes(homes);
    this.#options.onChange();
    if (!renamed) return;
    // Trusts may name users by this node's key in a domain that it has just joined: these are its own users.
    this.#read(trustKind.plural).then(
      () => this.#options.onChange(),
      (error: unknown) => this.#options.logger.error({ err: error }, 'Trusts could not be read again'),
    );
  }

  /** Reads the stored objects of a kind; reads run one after another. */
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
        for (const object of page.items) if (!touched.has(placeOf(plural, object)) && !isGoing(object)) this.#set({ plural }, object);
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
    const before = this.#options.book.version;
    for (const change of changes) {
      const { ref, object, previous, type, origin } = change;
      if (origin === 'own') this.#creators.take(change);
      if (ref.group !== DTKD_GROUP) continue;
      this.#touched?.add(placeOf(ref.plural, object));
      // built-in types are projections
      if (origin !== 'own' && !isKind(change, trustKind) && !isKind(change, typeKind)) continue;
      if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) this.#remove(ref, previous);
      if (type === 'DELETED' || isGoing(object)) this.#remove(ref, object);
      else this.#set(ref, object);
    }
    this.#passed();
    if (this.#options.book.version === before) return;
    this.#options.onChange();
  }

  /** Updates the facts from an object. */
  #set({ plural }: { plural: string }, object: ApiObject): void {
    if (plural === trustKind.plural) {
      const fact = this.#trustOf(object);
      if (fact !== undefined) this.#options.book.setTrust(fact);
    } else if (plural === userKind.plural) this.#options.book.setUser(userText(object), true);
    else if (plural === typeKind.plural) this.#options.book.setType(object.metadata.name, typeFact(object));
    else {
      const source = sourceOf(plural);
      if (source === undefined) return;
      const grant = grantOf(plural, object);
      this.#options.book.setGrant(source, object.metadata.name, grant);
      if (grant?.toTrust !== true) return;
      const members = this.#coming.get(grant.recipient);
      if (members !== undefined) this.#options.book.setTrust(members);
    }
  }

  #remove({ plural }: { plural: string }, object: ApiObject): void {
    if (plural === trustKind.plural) {
      const fact = this.#trustOf(object);
      if (fact !== undefined) this.#options.book.removeTrust(fact.trust);
    } else if (plural === userKind.plural) {
      this.#options.book.setUser(userText(object), false);
      this.#options.tokens.forget(object.metadata.uid);
    } else if (plural === typeKind.plural) this.#options.book.setType(object.metadata.name, undefined);
    else {
      const source = sourceOf(plural);
      if (source !== undefined) this.#options.book.setGrant(source, object.metadata.name, undefined);
    }
  }

  /** Takes the signer as the author, since another node may have the namespace's name by now. */
  #trustOf(object: ApiObject): TrustFact | undefined {
    const isOwn = object.metadata.namespace === this.#options.node.name;
    const author = isOwn ? SELF : object.metadata.annotations?.[AUTHOR_ANNOTATION];
    if (author === undefined || !(author === SELF || KEY.test(author))) return undefined;
    return trustFact(object, author, this.#ownKeys);
  }

  /** Reads the trust that a new grant names, so that its members count as soon as the grant does. */
  async #fetchTrust({ ref, object }: Change, tx: Transaction): Promise<void> {
    const grant = ref.group === DTKD_GROUP ? grantOf(ref.plural, object) : undefined;
    if (grant?.toTrust !== true) return;
    this.#coming.delete(grant.recipient);
    const home = grant.recipient.slice(grant.recipient.lastIndexOf('@') + 1);
    const namespace = this.#options.directory.namespaceOf(home);
    if (namespace === undefined) return;
    const name = grant.recipient.slice(0, grant.recipient.indexOf('/'));
    const trust = await tx.get({ group: DTKD_GROUP, plural: trustKind.plural, namespace, name });
    const fact = trust === undefined || isGoing(trust) ? undefined : this.#trustOf(trust);
    if (fact?.trust === grant.recipient) this.#coming.set(fact.trust, fact);
  }
}

/** True for an object that is being deleted: it no longer counts, even while finalizers hold it. */
function isGoing({ metadata }: ApiObject): boolean {
  return metadata.deletionTimestamp !== undefined;
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
