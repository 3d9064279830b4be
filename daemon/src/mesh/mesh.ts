/**
 * All domains of this node, behind one facade. Owns which domains there are, their ports, and the names under which their members show;
 * passes each call to its domain. A node in no domain loads no libp2p and opens no port. Does not store objects and serves no API.
 */
import type { Socket } from 'node:net';
import { DtkdError } from '../../../protocol/errors.ts';
import { type DomainId, type NodeName, type PeerId, type PeerKey, parseNodeName, peerIdOf } from '../../../protocol/ids.ts';
import type { SigningContext } from '../../../protocol/keys/signing.ts';
import { MAX_TOKEN_HINTS } from '../../../protocol/limits.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { type Address, formatAddress } from '../../../protocol/peers/address.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Kv } from '../store/kv.ts';
import { alreadyIn } from './already-in.ts';
import { inviteViews } from './domain-view.ts';
import { Entering } from './entering.ts';
import { LocalDomain, type LocalDomainPorts, type ProtocolHandler } from './local-domain.ts';
import type { Logs } from './log/log.types.ts';
import { MemberNames } from './member-names.ts';
import { type MembershipOptions, openMembership } from './membership/domain-membership.ts';
import { forgetMembership } from './membership/item-rows.ts';
import { type DomainKeys, type DomainRecord, KeyStore } from './membership/key-store.ts';
import type { DomainCarrying, DomainFigures, DomainView, InviteView, JoinOptions, Mesh, Probe } from './mesh.types.ts';
import { PortChoice } from './port-choice.ts';

/** Time for members to acknowledge that this node leaves. */
const FAREWELL_MS = 2_000;
/** All addresses, IPv4 and IPv6. */
const ALL_HOSTS = ['0.0.0.0', '::'];

export interface MeshOptions {
  kv: Kv;
  logs: Logs;
  nodeName: string;
  /**
   * Protocols that get handlers only after the domains are open. The first hello announces them anyway, so that members do not take this
   * node for one of another version.
   */
  later?: readonly string[];
  config: {
    /** Undefined listens on all addresses. */
    meshHost?: string | undefined;
    /** The port of the first domain. 0 chooses any free one and keeps it (tests). */
    meshPort: number;
    announce: readonly string[];
    mdns: boolean;
  };
  logger: Logger;
  now(): number;
  /** Simulates faults in tests: direct connections with such a key fail, as if the network were cut between the two. */
  cutOff?: (key: PeerKey) => boolean;
}

export function createMesh(options: MeshOptions): Mesh {
  return new NodeMesh(options);
}

class NodeMesh implements Mesh {
  readonly #options: MeshOptions;
  readonly #nodeName: NodeName;
  readonly #hosts: readonly string[];
  readonly #keys: KeyStore;
  readonly #domains = new Map<string, LocalDomain>();
  /** Names of domains that are being created, joined or left. */
  readonly #busy = new Set<string>();
  readonly #handlers = new Map<string, ProtocolHandler>();
  readonly #listeners = new Set<() => void>();
  readonly #names: MemberNames;
  readonly #portChoice: PortChoice;
  readonly #entering: Entering;
  readonly #stopping = new AbortController();
  #started = false;
  #onTls: ((socket: Socket, domain: DomainId) => void) | undefined;
  #changed: NodeJS.Immediate | undefined;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#nodeName = parseNodeName(options.nodeName);
    this.#hosts = options.config.meshHost === undefined ? ALL_HOSTS : [options.config.meshHost];
    this.#keys = new KeyStore(options.kv);
    this.#portChoice = new PortChoice(this.#hosts, options.config.meshPort, () =>
      [...this.#domains.values()].flatMap(({ node }) => node?.port ?? []),
    );
    this.#names = new MemberNames(this.#nodeName);
    this.#entering = new Entering({
      kv: options.kv,
      keys: this.#keys,
      portChoice: this.#portChoice,
      nodeName: this.#nodeName,
      meshPort: options.config.meshPort,
      now: options.now,
      membershipOptions: (keys) => this.#membershipOptions(keys),
      domainPorts: () => this.#ports(),
      isOwnKey: (key) => [...this.#domains.values()].some(({ self }) => self === key),
      begin: (record, domain, port) => this.#begin(record, domain, port),
      stopping: this.#stopping.signal,
    });
  }

  async start(): Promise<void> {
    this.#started = true;
    for (const keys of await this.#keys.list()) {
      const membership = await openMembership(this.#membershipOptions(keys));
      const domain = new LocalDomain(keys, membership, this.#ports());
      this.#domains.set(keys.name, domain);
      this.#rename();
      if (domain.isMember()) await this.#openKept(domain, keys);
      else await domain.discard();
    }
    this.#tellChange();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DtkdError('UNAVAILABLE', 'the daemon is stopping'));
    await Promise.all([...this.#domains.values()].map((domain) => domain.close()));
    clearImmediate(this.#changed);
    await this.#options.logs.close();
  }

  domains(): DomainView[] {
    return [...this.#domains.values()].map((domain) => domain.view());
  }

  domain(name: string): DomainView | undefined {
    return this.#domains.get(name)?.view();
  }

  memberNamed(namespace: string): { domain: DomainId; peer: PeerKey } | undefined {
    return this.#names.memberNamed(namespace);
  }

  create(name: string): Promise<{ domain: DomainView; recoveryKey: string }> {
    return this.#exclusively(name, async () => {
      await this.#refuseExisting(name);
      const { domain, recoveryKey } = await this.#entering.found(name);
      return { domain: domain.view(), recoveryKey };
    });
  }

  join(name: string, address: string, text: string, options: JoinOptions = {}): Promise<DomainView> {
    return this.#exclusively(name, async () => {
      const token = parseToken(text);
      if (token.domainName !== name) {
        throw new DtkdError('TOKEN_WRONG_DOMAIN', `the token is for the domain "${token.domainName}", not "${name}"`, {
          next: `Join "${token.domainName}", or ask for a token of "${name}".`,
        });
      }
      await this.#refuseExisting(name);
      return (await this.#entering.join(token, address, options)).view();
    });
  }

  leave(name: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    return this.#exclusively(name, async () => {
      const domain = this.#find(name);
      const { membership } = domain;
      const others = membership.state().members.size - 1;
      if (!force && membership.holdsRoot() && others > 0) {
        throw new DtkdError('CONFLICT', `this node holds the root key of "${name}": if it leaves, nobody can invite or remove any more`, {
          next: `Move the root key first ("dtkd domain root export ${name}" here, "import" on another member), or use --force.`,
        });
      }
      await domain.leave(FAREWELL_MS);
      this.#domains.delete(name);
      await this.#forget(domain.id);
      this.#rename();
      this.#tellChange();
    });
  }

  async invite(name: string, options: { uses?: number; expiresMs?: number; replace?: string } = {}): Promise<InviteView> {
    const domain = this.#find(name);
    const hints = domain.addresses().slice(0, MAX_TOKEN_HINTS);
    const { grant } = await domain.membership.invite({ ...options, hints: hints.map((address: Address) => formatAddress(address, -1)) });
    const made = (await this.#invitesOf(domain)).find(({ id }) => grant.startsWith(id));
    if (made === undefined) throw new DtkdError('INTERNAL', 'the invite that was just made is not there');
    this.#tellChange();
    return made;
  }

  invites(name: string): Promise<InviteView[]> {
    return this.#invitesOf(this.#find(name));
  }

  async revokeInvite(name: string, inviteId: string): Promise<void> {
    await this.#find(name).membership.revoke(inviteId);
    this.#tellChange();
  }

  async removePeer(name: string, id: PeerId): Promise<void> {
    const { membership } = this.#find(name);
    await membership.remove(keyOf(membership.state(), id));
  }

  async freeName(name: string, nodeName: string): Promise<void> {
    await this.#find(name).membership.free(nodeName);
  }

  async clear(name: string, id: PeerId): Promise<void> {
    const { membership } = this.#find(name);
    await membership.clear(keyOf(membership.state(), id));
  }

  async exportRoot(name: string): Promise<string> {
    return this.#find(name).membership.exportRoot();
  }

  async importRoot(name: string, rootKey: string): Promise<void> {
    await this.#find(name).membership.importRoot(rootKey);
    this.#tellChange();
  }

  async rotateRoot(name: string, recoveryKey: string): Promise<{ recoveryKey: string }> {
    const rotated = await this.#find(name).membership.rotate(recoveryKey);
    this.#tellChange();
    return { recoveryKey: rotated.recoveryKey };
  }

  openStream(domain: DomainId, peer: PeerKey, protocol: string, signal: AbortSignal = AbortSignal.timeout(OPEN_STREAM_MS)) {
    const found = this.#byId(domain)?.node;
    if (found === undefined) return Promise.reject(new DtkdError('PEER_AWAY', 'this node is not in that domain (any more)'));
    return found.openStream(peer, protocol, signal);
  }

  probe(domain: DomainId, peer: PeerKey, options: { reach: boolean; signal: AbortSignal }): Promise<Probe> {
    const found = this.#byId(domain)?.node;
    if (found === undefined) return Promise.reject(new DtkdError('PEER_AWAY', 'this node is not in that domain (any more)'));
    return found.probe(peer, options);
  }

  want(domain: DomainId, peer: PeerKey): void {
    this.#byId(domain)?.node?.want(peer);
  }

  hold(domain: DomainId, peer: PeerKey): () => void {
    return this.#byId(domain)?.node?.hold(peer) ?? (() => {});
  }

  handle(protocol: string, handler: ProtocolHandler): void {
    if (this.#started && this.#options.later?.includes(protocol) !== true)
      throw new Error(`${protocol} is not among those that come later`);
    this.#handlers.set(protocol, handler);
    for (const domain of this.#domains.values()) domain.serve(protocol, handler);
  }

  directAddresses(domain: DomainId, peer: PeerKey): Address[] {
    return this.#byId(domain)?.node?.peers.directAddresses(peer) ?? [];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onTlsSocket(handler: (socket: Socket, domain: DomainId) => void): void {
    this.#onTls = handler;
  }

  carrying(name: string): DomainCarrying | undefined {
    return this.#domains.get(name)?.carrying();
  }

  sign(domain: DomainId, context: SigningContext, bytes: Uint8Array): Uint8Array {
    return this.#member(domain).sign(context, bytes);
  }

  async unseal(domain: DomainId, sealed: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#member(domain).unseal(sealed);
  }

  restoredAt(): number | undefined {
    return this.#options.logs.restoredAt();
  }

  counters(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const domain of this.#domains.values()) {
      for (const [name, value] of Object.entries(domain.counters())) sum[name] = (sum[name] ?? 0) + value;
    }
    return sum;
  }

  figures(): Promise<DomainFigures[]> {
    return Promise.all([...this.#domains.values()].map((domain) => domain.figures()));
  }

  async #openKept(domain: LocalDomain, { domain: id, port }: DomainKeys): Promise<void> {
    try {
      await domain.open(port ?? (await this.#portChoice.reserve(id)));
    } finally {
      this.#portChoice.release(id);
    }
  }

  /** Opens a domain whose keys and items were just stored. If that fails, deletes everything of it. */
  async #begin(record: DomainRecord, domain: LocalDomain, port: number): Promise<void> {
    this.#stopping.signal.throwIfAborted();
    const old = this.#domains.get(record.name);
    this.#domains.set(record.name, domain);
    this.#rename();
    try {
      await domain.open(port);
    } catch (error) {
      this.#domains.delete(record.name);
      await domain
        .vacate()
        .catch((err: unknown) => this.#options.logger.error({ err }, 'The data of a domain that could not be opened could not be removed'));
      await this.#forget(record.domain);
      this.#rename();
      throw error;
    }
    // Replaces a domain of the same name from which this node was removed.
    if (old !== undefined && old.id !== record.domain) await this.#forget(old.id);
    this.#tellChange();
  }

  async #forget(domain: DomainId): Promise<void> {
    await this.#options.kv.batch([...this.#keys.forgetOps(domain), ...forgetMembership(domain)], { sync: true });
  }

  #ports(): LocalDomainPorts {
    const { logs, kv, logger, config, now, later = [] } = this.#options;
    return {
      logs,
      kv,
      logger,
      now,
      hosts: this.#hosts,
      announce: config.announce,
      mdns: config.mdns,
      nodeName: this.#nodeName,
      handlers: () => this.#handlers,
      later,
      namespaceOf: (domain, key) => this.#names.of(domain, key),
      portOf: (domain) => this.#byId(domain)?.node?.port,
      cutOff: this.#options.cutOff,
      isOwnNonce: (nonce) => this.#entering.isOwnNonce(nonce),
      onTls: (socket, domain) => {
        if (this.#onTls === undefined) socket.destroy();
        else this.#onTls(socket, domain);
      },
      onMembership: () => this.#rename(),
      onChange: () => this.#tellChange(),
    };
  }

  #membershipOptions(keys: DomainKeys): MembershipOptions {
    return {
      kv: this.#options.kv,
      domain: keys.domain,
      self: keys.self,
      rootKey: keys.root,
      secrets: this.#keys.secretsOf(keys.domain),
      now: this.#options.now,
      onListenerError: (err) => this.#options.logger.error({ err }, 'A change of membership was not completed'),
    };
  }

  /** Refuses if this node is a member of a domain of that name. One from which it was removed is emptied to make room. */
  async #refuseExisting(name: string): Promise<void> {
    const existing = this.#domains.get(name);
    if (existing?.isMember() === true) throw alreadyIn(existing.view());
    await existing?.vacate();
  }

  async #exclusively<T>(name: string, act: () => Promise<T>): Promise<T> {
    if (this.#busy.has(name)) {
      throw new DtkdError('CONFLICT', `the domain "${name}" is being created, joined or left already`, {
        next: 'Wait until that is done.',
      });
    }
    this.#busy.add(name);
    try {
      return await act();
    } finally {
      this.#busy.delete(name);
    }
  }

  #find(name: string): LocalDomain {
    const domain = this.#domains.get(name);
    if (domain === undefined) {
      throw new DtkdError('NOT_FOUND', `this node is in no domain named "${name}"`, { next: 'See "dtkd domain ls".' });
    }
    return domain;
  }

  #member(id: DomainId): LocalDomain {
    const domain = this.#byId(id);
    if (domain === undefined) throw new DtkdError('NOT_A_MEMBER', 'this node is not in that domain');
    return domain;
  }

  #byId(id: DomainId): LocalDomain | undefined {
    return [...this.#domains.values()].find((domain) => domain.id === id);
  }

  async #invitesOf(domain: LocalDomain): Promise<InviteView[]> {
    return inviteViews(domain.membership.state(), await this.#keys.tokens(domain.id), this.#options.now());
  }

  /** Assigns names anew; replicas of members whose name changed move. */
  #rename(): void {
    const domains = [...this.#domains.values()].filter((domain) => domain.isMember());
    const named = domains.map(({ id, self, membership }) => ({ id, self, members: [...membership.state().members.values()] }));
    this.#names.assign(named, (domain, key) => this.#byId(domain)?.refresh(key));
  }

  /** Listeners look at the whole view, so a burst of changes is reported once. */
  #tellChange(): void {
    this.#changed ??= setImmediate(() => {
      this.#changed = undefined;
      for (const listener of this.#listeners) {
        try {
          listener();
        } catch (err) {
          this.#options.logger.error({ err }, 'A change of the mesh was not completed');
        }
      }
    });
  }
}

/** Time to connect with a member if needed, and to negotiate the protocol. */
const OPEN_STREAM_MS = 10_000;

function keyOf(state: { members: ReadonlyMap<PeerKey, unknown>; removed: ReadonlyMap<PeerKey, unknown> }, id: PeerId): PeerKey {
  for (const key of [...state.members.keys(), ...state.removed.keys()]) if (peerIdOf(key) === id) return key;
  throw new DtkdError('NOT_FOUND', `no member has the id ${id}`, { next: 'See "dtkd get dtpeers".' });
}
