/**
 * Keeps the fact book current: reads what is stored, follows every change, and takes part in transactions, so that the row of a user's
 * token is deleted with the user, the row of a creator is written with the object, and a trust's members and a grantor are known as soon as
 * a grant names them. Makes no decisions. Of other nodes it uses only their trusts and users, and of these only the ones that a grant of
 * this node names.
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
  /** Users of other nodes that made grants in pending transactions, and that their homes have. */
  readonly #grantors = new Set<string>();
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
    for (const { plural } of [typeKind, capabilityKind, shareKind]) await this.#read(plural, node.name);
    // after the grants, since only trusts and users of other nodes that a grant names are kept
    for (const { plural } of [trustKind, userKind]) await this.#read(plural);
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
      if (change.type !== 'DELETED') await this.#fetchNamed(change, tx);
    }
    this.#underWay += 1;
  }

  #passed(): void {
    this.#underWay = Math.max(0, this.#underWay - 1);
    if (this.#underWay > 0) return;
    this.#coming.clear();
    this.#grantors.clear();
  }

  #take(changes: readonly Change[]): void {
    const before = this.#options.book.version;
    for (const change of changes) {
      const { ref, object, previous, type, origin } = change;
      if (origin === 'own') this.#creators.take(change);
      if (ref.group !== DTKD_GROUP) continue;
      this.#touched?.add(placeOf(ref.plural, object));
      // built-in types are projections
      if (origin !== 'own' && ![trustKind, userKind, typeKind].some((kind) => isKind(change, kind))) continue;
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
    } else if (plural === userKind.plural) this.#setUser(object, true);
    else if (plural === typeKind.plural) this.#options.book.setType(object.metadata.name, typeFact(object));
    else {
      const source = sourceOf(plural);
      if (source === undefined) return;
      const grant = grantOf(plural, object);
      this.#options.book.setGrant(source, object.metadata.name, grant);
      if (grant?.grantor !== undefined && this.#grantors.has(grant.grantor)) this.#options.book.setUser(grant.grantor, true);
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
      this.#setUser(object, false);
      if (this.#authorOf(object) === SELF) this.#options.tokens.forget(object.metadata.uid);
    } else if (plural === typeKind.plural) this.#options.book.setType(object.metadata.name, undefined);
    else {
      const source = sourceOf(plural);
      if (source !== undefined) this.#options.book.setGrant(source, object.metadata.name, undefined);
    }
  }

  #setUser(object: ApiObject, present: boolean): void {
    const user = this.#userOf(object);
    if (user !== undefined) this.#options.book.setUser(user, present);
  }

  #userOf(object: ApiObject): string | undefined {
    const home = this.#authorOf(object);
    return home === undefined ? undefined : subjectText({ home, name: object.metadata.name, uid: object.metadata.uid });
  }

  #trustOf(object: ApiObject): TrustFact | undefined {
    const author = this.#authorOf(object);
    return author === undefined ? undefined : trustFact(object, author, this.#ownKeys);
  }

  /** Takes the signer as the author, since another node may have the namespace's name by now. */
  #authorOf({ metadata }: ApiObject): string | undefined {
    if (metadata.namespace === this.#options.node.name) return SELF;
    const author = metadata.annotations?.[AUTHOR_ANNOTATION];
    return author === undefined || !KEY.test(author) ? undefined : author;
  }

  /** Reads the trust that a new grant names, and the user who made it, so that they count as soon as the grant does. */
  async #fetchNamed({ ref, object }: Change, tx: Transaction): Promise<void> {
    const grant = ref.group === DTKD_GROUP ? grantOf(ref.plural, object) : undefined;
    if (grant?.toTrust === true) {
      this.#coming.delete(grant.recipient);
      const trust = await this.#named(trustKind.plural, grant.recipient, tx);
      const fact = trust === undefined ? undefined : this.#trustOf(trust);
      if (fact?.trust === grant.recipient) this.#coming.set(fact.trust, fact);
    }
    if (grant?.grantor === undefined || grant.grantor.endsWith(`@${SELF}`)) return;
    this.#grantors.delete(grant.grantor);
    const user = await this.#named(userKind.plural, grant.grantor, tx);
    if (user !== undefined && this.#userOf(user) === grant.grantor) this.#grantors.add(grant.grantor);
  }

  /** The trust or user that is stored where a text (`subjectText`) says; it may be another of that name. */
  async #named(plural: string, text: string, tx: Transaction): Promise<ApiObject | undefined> {
    const namespace = this.#options.directory.namespaceOf(text.slice(text.lastIndexOf('@') + 1));
    if (namespace === undefined) return undefined;
    const name = text.slice(0, text.indexOf('/'));
    const object = await tx.get({ group: DTKD_GROUP, plural, namespace, name });
    return object === undefined || isGoing(object) ? undefined : object;
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
