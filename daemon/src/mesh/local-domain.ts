/**
 * One domain that this node is in: its membership always, and host and log while the node is a member. Owns the order in which they open
 * and close, and what happens when this node's own key is removed: the host stops, the replicas are deleted, and the reason stays visible.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import type { SigningContext } from '../../../protocol/keys/signing.ts';
import { compareEpochs } from '../../../protocol/log/log-entry.ts';
import type { Address } from '../../../protocol/peers/address.ts';
import type { Logger } from '../logging/logger.types.ts';
import { type Kv, prefixEnd } from '../store/kv.ts';
import { carryingOf } from './carrying.ts';
import { AddressBook } from './domain/address-book.ts';
import { DomainNode } from './domain/domain-node.ts';
import { highestHeads } from './domain/told-heads.ts';
import { domainView } from './domain-view.ts';
import type { Host, Link, Verdict } from './host/host.types.ts';
import { JOIN_PROTOCOL, JoinServer, MAX_JOIN_STREAMS } from './joining/join-server.ts';
import type { Authors, DomainLog, Epoch, Logs } from './log/log.types.ts';
import type { DomainMembership } from './membership/domain-membership.ts';
import type { DomainRecord } from './membership/key-store.ts';
import type { DomainCarrying, DomainFigures, DomainState, DomainView } from './mesh.types.ts';

export type ProtocolHandler = (stream: Duplex, from: { domain: DomainId; peer: PeerKey }) => void;

export interface LocalDomainPorts {
  logs: Logs;
  kv: Kv;
  logger: Logger;
  now(): number;
  hosts: readonly string[];
  announce: readonly string[];
  mdns: boolean;
  nodeName: string;
  handlers(): ReadonlyMap<string, ProtocolHandler>;
  /** Protocols that will get handlers later. */
  later: readonly string[];
  namespaceOf(domain: DomainId, key: PeerKey): string;
  portOf(domain: DomainId): number | undefined;
  isOwnNonce(nonce: Uint8Array): boolean;
  onTls(socket: Socket, domain: DomainId): void;
  cutOff: ((key: PeerKey) => boolean) | undefined;
  onMembership(): void;
  onChange(): void;
}

/** A host that runs before its domain is open, while this node is joining. */
export interface PendingHost {
  host: Host;
  /** Connects the host with the domain once that exists. */
  attach(domain: { validate(from: PeerKey, data: Uint8Array): Promise<Verdict>; isMember(key: PeerKey): boolean }): void;
}

export class LocalDomain {
  readonly id: DomainId;
  readonly name: string;
  readonly self: PeerKey;
  readonly membership: DomainMembership;
  node: DomainNode | undefined;
  readonly #record: DomainRecord;
  readonly #ports: LocalDomainPorts;
  readonly #logger: Logger;
  readonly #book: AddressBook;
  readonly #unsubscribe: (() => void)[] = [];
  #pending: PendingHost | undefined;
  #log: DomainLog | undefined;
  #dropping: Promise<void> | undefined;
  #joins: JoinServer | undefined;
  /** Members whose names changed before the log was open. */
  readonly #renamed = new Set<PeerKey>();
  #leaving = false;
  #settling: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(record: DomainRecord, membership: DomainMembership, ports: LocalDomainPorts, pending?: PendingHost) {
    this.id = record.domain;
    this.name = record.name;
    this.self = record.self.publicKey;
    this.membership = membership;
    this.#record = record;
    this.#ports = ports;
    this.#logger = ports.logger.child({ domain: record.name });
    this.#book = new AddressBook(ports.kv, record.domain);
    this.#pending = pending;
    // The first of all listeners: names must be known before anything that uses them hears of the change.
    this.#unsubscribe.push(membership.onChange(() => ports.onMembership()));
  }

  /** Signs with this node's key in the domain. */
  sign(context: SigningContext, bytes: Uint8Array): Uint8Array {
    return this.#record.self.sign(context, bytes);
  }

  /** The domain as files carry it; undefined while it is not open or this node is not a member. */
  carrying(): DomainCarrying | undefined {
    const { node } = this;
    if (node === undefined || !this.isMember()) return undefined;
    return carryingOf({ domain: this, node, selfName: this.#ports.nodeName });
  }

  /** Opens data sealed to this node's key in the domain; undefined if it was not sealed to it. */
  async unseal(sealed: Uint8Array): Promise<Uint8Array | undefined> {
    // Elliptic curves in JavaScript are rarely needed and slow to load.
    const { unseal } = await import('../../../protocol/keys/sealing.ts');
    return unseal(this.#record.self.seed, sealed);
  }

  /** Loads libp2p if necessary, and creates the host. Opens no port. */
  static async createHost({ domain, self }: DomainRecord, ports: LocalDomainPorts): Promise<PendingHost> {
    const { createHost } = await import('./host/libp2p-host.ts');
    let attached: Parameters<PendingHost['attach']>[0] | undefined;
    const host = await createHost({
      domain,
      key: self,
      logger: ports.logger,
      isMember: (key) => attached?.isMember(key) ?? false,
      onTls: (socket) => ports.onTls(socket, domain),
      cutOff: ports.cutOff,
      validate: async (from, data) => attached?.validate(from, data) ?? 'ignore',
    });
    return {
      host,
      attach: (found) => {
        attached = found;
      },
    };
  }

  /** Opens log, host and port. Errors: PORT_IN_USE. */
  async open(port: number): Promise<void> {
    const { logs, now, hosts, announce, mdns, later } = this.#ports;
    await this.#book.load();
    const pending = this.#pending ?? (await LocalDomain.createHost(this.#record, this.#ports));
    this.#pending = pending;
    try {
      const log = await logs.open(this.id, this.name, this.#record.self, this.#authors());
      this.#log = log;
      for (const key of this.#renamed) this.refresh(key);
      this.#renamed.clear();
      this.#unsubscribe.push(log.onCondition(() => this.#ports.onChange()));
      this.#unsubscribe.push(log.onFork((_, proof) => this.#inBackground(this.membership.reportFork(proof), 'A fork could not be kept')));
      const node = new DomainNode({
        host: pending.host,
        membership: this.membership,
        log,
        book: this.#book,
        logger: this.#logger,
        now,
        hosts,
        port,
        announce,
        mdns,
        later,
        onChange: () => this.#ports.onChange(),
        onRemoved: () => this.#removed(),
      });
      pending.attach({
        validate: (from, data) => node.validate(from, data),
        isMember: (key) => this.membership.state().members.has(key),
      });
      await this.#serveJoins(pending.host);
      for (const [protocol, handler] of this.#ports.handlers()) await this.#serveOn(node, protocol, handler);
      await node.start();
      this.node = node;
    } catch (error) {
      await pending.host.stop();
      throw error;
    }
    this.#unsubscribe.push(this.membership.onChange(() => this.#settle()));
    this.#settle();
  }

  /** Deletes what an earlier process left if it died while this node was being removed. */
  async discard(): Promise<void> {
    const prefix = `l/${this.id}/`;
    if ((await this.#ports.kv.page({ gte: prefix, lt: prefixEnd(prefix), limit: 1 })).length === 0) return;
    this.#log = await this.#ports.logs.open(this.id, this.name, this.#record.self, this.#authors());
    await this.#dropLog();
  }

  /** Uses the connection over which this node was admitted for its first hello. If it is gone, the node dials as usual. */
  async welcome(link: Link): Promise<void> {
    if (link.remote !== undefined) this.#book.succeeded(link.peer, link.remote);
    await this.node?.greet(link).catch((err: unknown) => this.#logger.info({ err }, 'The admitting member is dialled again'));
  }

  /** Tells the members that this node leaves, and forgets what it has of them. */
  async leave(timeoutMs: number): Promise<void> {
    this.#leaving = true;
    this.#ports.onChange();
    try {
      if (this.isMember()) await this.membership.leave();
    } catch (error) {
      // It is still a member, and can be told again to leave.
      this.#leaving = false;
      this.#ports.onChange();
      throw error;
    }
    try {
      await this.node?.tellAll(timeoutMs);
    } finally {
      await this.vacate();
    }
  }

  /** Closes a domain that this node is no longer in, and deletes its log, so that the node may join it again. */
  async vacate(): Promise<void> {
    await this.close();
    await this.#dropLog();
  }

  /** Stops host and connections; what is stored stays. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
      await this.node?.stop();
      this.node = undefined;
    })();
    return this.#closing;
  }

  serve(protocol: string, handler: ProtocolHandler): void {
    if (this.node !== undefined) this.#inBackground(this.#serveOn(this.node, protocol, handler), 'A protocol could not be served');
  }

  /** Updates the objects of a member that got another name, or must be hidden or shown. */
  refresh(key: PeerKey): void {
    if (this.#log === undefined) this.#renamed.add(key);
    else this.#inBackground(this.#log.refreshAuthor(key), 'Objects could not be moved to their new namespace');
  }

  /** False once this node's own key was removed. */
  isMember(): boolean {
    return this.membership.state().members.has(this.self);
  }

  addresses(): Address[] {
    return this.node?.addresses() ?? [];
  }

  counters(): Record<string, number> {
    return { ...this.node?.counters(), ...this.#joins?.counters };
  }

  async figures(): Promise<DomainFigures> {
    const standing = await this.node?.logStanding();
    const { members } = this.membership.state();
    const heads = highestHeads(standing?.heads ?? []);
    return {
      name: this.name,
      counters: this.counters(),
      hellosRefused: this.node?.hellosRefused() ?? {},
      joinsRefused: this.#joins?.refusals.all() ?? {},
      logs: [...members.keys()].map((author) => ({
        author: this.#ports.namespaceOf(this.id, author),
        entries: (heads.get(author)?.seq ?? -1) + 1,
        behind: standing?.behind.get(author) ?? 0,
      })),
    };
  }

  view(): DomainView {
    const { membership, node } = this;
    const { state, message } = this.#condition();
    return domainView({
      state: membership.state(),
      self: this.self,
      nodeName: this.#ports.nodeName,
      holdsRoot: membership.holdsRoot(),
      domainState: state,
      message,
      port: node?.port,
      ownAddress: node?.addresses()[0],
      presence: (key) => node?.presence(key),
      lastAddress: (key) => this.#book.of(key)[0],
      namespaceOf: (key) => this.#ports.namespaceOf(this.id, key),
    });
  }

  #condition(): { state: DomainState; message: string | undefined } {
    const membership = this.membership.state();
    if (this.#leaving) return { state: 'Leaving', message: 'the members are being told' };
    const removed = membership.removed.get(this.self);
    if (!this.isMember()) {
      return {
        state: 'Removed',
        message: `${whyNoMember(removed)}. To forget it: dtkd domain leave ${this.name}. To return, join again with a new invite.`,
      };
    }
    if (membership.suspended.has(this.self)) {
      return { state: 'Suspended', message: `this node's log forked, and the members do not show its objects until the founder clears it` };
    }
    if (this.node === undefined && this.#closing === undefined) return { state: 'Joining', message: 'it is being opened' };
    if (this.#log?.condition() === 'KEY_IN_USE_ELSEWHERE') {
      return {
        state: 'Ready',
        message:
          'another process writes with the key of this node; stop the copy, then restart this daemon. Until then writes into the domain are refused.',
      };
    }
    if (this.#log?.isAwaiting() === true) {
      return {
        state: 'Ready',
        message:
          'this node was restored from a backup, and waits to hear from members what it did after the backup; until then it shares nothing new and answers no member',
      };
    }
    return { state: 'Ready', message: undefined };
  }

  #authors(): Authors {
    const { membership, id } = this;
    return {
      isMember: (key) => membership.state().members.has(key),
      isSuspended: (key) => membership.state().suspended.has(key),
      namespaceOf: (key) => this.#ports.namespaceOf(id, key),
      forkedEpoch: (key) => {
        const { suspended, cleared } = membership.state();
        return later(suspended.get(key)?.epoch, cleared.get(key));
      },
    };
  }

  async #serveJoins(host: Host): Promise<void> {
    const { now, portOf, isOwnNonce } = this.#ports;
    const joins = new JoinServer({
      membership: this.membership,
      logger: this.#logger,
      now,
      portOf,
      isOwnNonce,
      isAwaiting: () => this.#log?.isAwaiting() === true,
    });
    this.#joins = joins;
    await host.serve(JOIN_PROTOCOL, (stream, link) => void joins.serve(stream, link), { strangers: true, maxStreams: MAX_JOIN_STREAMS });
  }

  #serveOn(node: DomainNode, protocol: string, handler: ProtocolHandler): Promise<void> {
    return node.serve(protocol, (stream, link) => handler(stream, { domain: this.id, peer: link.peer }));
  }

  /** On the holder of the root key, gives newcomers their names, one change after another. */
  #settle(): void {
    if (!this.membership.holdsRoot()) return;
    const settle = (): Promise<unknown> => this.membership.settle();
    this.#settling = this.#settling.then(settle).catch((err: unknown) => this.#logger.error({ err }, 'Names could not be settled'));
  }

  #removed(): void {
    if (this.#leaving) return;
    this.#logger.warn({}, 'This node is no longer a member of the domain');
    this.#inBackground(this.vacate(), 'The data of the domain could not be removed');
    this.#ports.onChange();
  }

  async #dropLog(): Promise<void> {
    this.#dropping ??= this.#log?.drop();
    try {
      await this.#dropping;
      this.#log = undefined;
    } catch (error) {
      // Perhaps the disk was full; a later call tries again.
      this.#dropping = undefined;
      throw error;
    }
  }

  #inBackground(work: Promise<unknown>, failure: string): void {
    work.catch((err: unknown) => {
      if (err instanceof DtkdError && err.code === 'UNAVAILABLE') return;
      this.#logger.error({ err }, failure);
    });
  }
}

function whyNoMember(removed: { left: boolean } | undefined): string {
  if (removed === undefined)
    return "this node's admission does not count: its invite was revoked, its admitter removed or the root replaced";
  return removed.left ? 'this node has left the domain' : 'this node was removed from the domain';
}

function later(a: Epoch | undefined, b: Epoch | undefined): Epoch | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareEpochs(a, b) >= 0 ? a : b;
}
