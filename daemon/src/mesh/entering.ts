/**
 * How this node enters a domain: it creates one, or joins one with a token. Guarantees that keys, items and port are stored in one batch
 * before the domain opens, and that a failed join leaves no host behind. Does not know which domains there are.
 */
import type { DomainId, NodeName, PeerKey } from '../../../protocol/ids.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import type { Token } from '../../../protocol/membership/token.ts';
import { parseAddress } from '../../../protocol/peers/address.ts';
import type { Kv, KvOp } from '../store/kv.ts';
import { joinDomain, makeNonce } from './joining/join-client.ts';
import { PendingJoin } from './joining/pending-join.ts';
import { LocalDomain, type LocalDomainPorts } from './local-domain.ts';
import { createDomain } from './membership/create-domain.ts';
import { adoptMembership, type MembershipOptions } from './membership/domain-membership.ts';
import type { DomainKeys, DomainRecord, KeyStore } from './membership/key-store.ts';
import type { JoinOptions } from './mesh.types.ts';
import type { PortChoice } from './port-choice.ts';

export interface EnteringPorts {
  kv: Kv;
  keys: KeyStore;
  portChoice: PortChoice;
  nodeName: NodeName;
  /** The configured mesh port. It is not stored for a domain, so that a change of the configuration takes effect. */
  meshPort: number;
  now(): number;
  membershipOptions(keys: DomainKeys): MembershipOptions;
  domainPorts(): LocalDomainPorts;
  /** True if this node is in a domain with that key. */
  isOwnKey(key: PeerKey): boolean;
  /** Opens a domain whose keys and items were just stored. */
  begin(record: DomainRecord, domain: LocalDomain, port: number): Promise<void>;
  stopping: AbortSignal;
}

export class Entering {
  readonly #ports: EnteringPorts;
  /** Nonces of joins under way: an offer with one of them comes from this node itself. */
  readonly #nonces = new Set<string>();

  constructor(ports: EnteringPorts) {
    this.#ports = ports;
  }

  isOwnNonce(nonce: Uint8Array): boolean {
    return this.#nonces.has(Buffer.from(nonce).toString('hex'));
  }

  /** Creates a domain. Errors: NAME_INVALID, PORT_IN_USE. */
  async found(name: string): Promise<{ domain: LocalDomain; recoveryKey: string }> {
    const { keys, portChoice, nodeName, now } = this.#ports;
    const self = generateSigningKey();
    const founding = createDomain({ name, nodeName, self: self.publicKey, now: now() });
    const port = await portChoice.reserve(founding.domain);
    try {
      const record = await this.#record(founding.domain, name, self);
      const membership = await adoptMembership({
        ...this.#ports.membershipOptions({ ...record, root: founding.root, port }),
        items: [founding.genesis],
        alongside: [
          ...keys.recordOps(record),
          ...keys.secretsOf(founding.domain).rootOps(founding.root),
          ...this.#portOps(founding.domain, port),
        ],
      });
      const domain = new LocalDomain(record, membership, this.#ports.domainPorts());
      await this.#ports.begin(record, domain, port);
      return { domain, recoveryKey: founding.recoveryKey };
    } finally {
      portChoice.release(founding.domain);
    }
  }

  /** Joins a domain. Errors: what the member at that address answers, and PORT_IN_USE. */
  async join(token: Token, address: string, options: JoinOptions): Promise<LocalDomain> {
    const { kv, keys, portChoice, nodeName, now, stopping, isOwnKey } = this.#ports;
    const where = parseAddress(address);
    const pending = await PendingJoin.open(kv, keys, token);
    const port = await portChoice.reserve(token.domain);
    const record = await this.#record(token.domain, token.domainName, pending.self);
    const ports = this.#ports.domainPorts();
    const host = await LocalDomain.createHost(record, ports);
    const nonce = makeNonce();
    this.#nonces.add(Buffer.from(nonce).toString('hex'));
    try {
      const { items, link, elsewhere } = await joinDomain({
        host: host.host,
        self: pending.self,
        token,
        address: where,
        nodeName,
        replace: options.replace,
        now,
        isOwnKey,
        nonce,
        pending,
        signal: AbortSignal.any([stopping, ...(options.signal === undefined ? [] : [options.signal])]),
      });
      const membership = await adoptMembership({
        ...this.#ports.membershipOptions({ ...record, root: undefined, port }),
        items,
        alongside: [...keys.forgetOps(token.domain), ...keys.recordOps(record), ...this.#portOps(token.domain, port)],
      });
      const domain = new LocalDomain(record, membership, ports, host);
      await this.#ports.begin(record, domain, port);
      await domain.welcome(link);
      if (elsewhere !== undefined) options.onElsewhere?.(elsewhere);
      return domain;
    } catch (error) {
      await host.host.stop();
      await pending.failed(error);
      throw error;
    } finally {
      portChoice.release(token.domain);
      this.#nonces.delete(Buffer.from(nonce).toString('hex'));
    }
  }

  /** This node's record in the domain, ordered after the domains that it is in. */
  async #record(domain: DomainId, name: string, self: SigningKey): Promise<DomainRecord> {
    const { keys, nodeName, now } = this.#ports;
    const order = Math.max(-1, ...(await keys.list()).map((one) => one.order)) + 1;
    return { domain, name, self, nodeName, order, joinedAt: now() };
  }

  #portOps(domain: DomainId, port: number): KvOp[] {
    return port === this.#ports.meshPort ? [] : this.#ports.keys.portOps(domain, port);
  }
}
