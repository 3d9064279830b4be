/**
 * Remembers the heads of other members' audit logs as their Nodes show them, tells a member which of its own heads it has seen, and asks
 * the others which of ours they have seen. Owns the rows `a/witness/AUTHOR/SEQ/HASH`, with the signed head and when it was first seen: a
 * limited number per author, and none of former members; and likewise `a/audit/head/SEQ/HASH`, with the heads that this node itself
 * published. Verifies signatures only; whether a log contains a head is for the log's own node to say.
 */
import { z } from 'zod';
import { verifyAuditHead } from '../../../../protocol/audit/heads.ts';
import {
  checkWitnessRequest,
  decodeWitnessed,
  encodeWitnessed,
  encodeWitnessRequest,
  MAX_WITNESSED_HEADS,
  type WitnessedHead,
} from '../../../../protocol/audit/witness.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type DomainId, type PeerKey, parsePeerKey } from '../../../../protocol/ids.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { type AuditHead, auditHead } from '../../../../protocol/kinds/node.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { Witness } from './chain.ts';
import { CONTRADICTION_SHOWN_MS, WITNESS_ASKED_AT_ONCE } from './limits.ts';
import { type Contradiction, contradiction, leastMissed } from './thinning.ts';

const PREFIX = 'a/witness/';
/** Beside the key of the log, so that they contradict a log that was cut off or replaced while no daemon ran. */
const OWN = 'a/audit/head/';
const SEQ_DIGITS = 16;
const NODES = { group: DTKD_GROUP, plural: 'nodes' } as const;
/** Far above the members of all domains of one node. */
const LIST_LIMIT = 100_000;

export interface WitnessMember {
  domain: DomainId;
  key: PeerKey;
  /** Its name on this node. */
  name: string;
  /** A suspended member is not asked; the heads that it has shown stay, since it may come back. */
  suspended?: boolean;
}

export interface WitnessPorts {
  store: ObjectStore;
  kv: Kv;
  /** All other members, in all domains. */
  members: () => WitnessMember[];
  /** Sends a member one frame and resolves with the frame that it answers. */
  ask: (to: WitnessMember, request: Uint8Array) => Promise<Uint8Array>;
  now: () => number;
  logger: Logger;
}

/** A member's answer. */
export interface Testimony {
  node: string;
  /** Number of heads that it has seen; absent if it did not answer. */
  heads?: number;
  /** Why it did not answer. */
  reason?: string;
}

const row = z.object({ head: auditHead, seen: z.number() });

export class Witnesses {
  readonly #ports: WitnessPorts;
  readonly #against = new Map<PeerKey, Contradiction>();
  /** Members whose requests are being answered. */
  readonly #answering = new Set<PeerKey>();
  #unsubscribe: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: WitnessPorts) {
    this.#ports = ports;
  }

  /** Takes in what the Nodes show, now and from now on. Call it once the members are known. */
  async start(): Promise<void> {
    const { store } = this.#ports;
    this.#unsubscribe = store.subscribe((changes) => {
      for (const { ref, origin, type, object } of changes) {
        if (origin === 'replica' && type !== 'DELETED' && ref.plural === NODES.plural && ref.group === NODES.group) this.#see(object);
      }
    });
    await this.#forgetStrangers();
    const { items } = await store.list({ ...NODES, limit: LIST_LIMIT });
    for (const object of items) this.#see(object);
    for (const { key } of this.#ports.members()) this.#judge(key, await this.#rowsOf(prefixOf(key)));
    await this.#writing;
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#writing;
  }

  /** Sentences about members whose heads contradict one another. */
  conditions(): string[] {
    if (this.#against.size === 0) return [];
    return this.#ports.members().flatMap(({ key, name }) => {
      const against = this.#against.get(key);
      if (against === undefined || this.#ports.now() - against.seen > CONTRADICTION_SHOWN_MS) return [];
      return [`the audit log of ${name} ${against.what}: it was rewritten, or restored from a copy`];
    });
  }

  /** Answers a member's request. Throws FRAME_INVALID, or TOO_MANY_REQUESTS while another request from it is being answered. */
  async answer(from: PeerKey, request: Uint8Array): Promise<Uint8Array> {
    checkWitnessRequest(request);
    if (this.#answering.has(from)) throw new DtkdError('TOO_MANY_REQUESTS', 'one request for witnessed heads at a time');
    this.#answering.add(from);
    try {
      return encodeWitnessed(await this.#rowsOf(prefixOf(from)));
    } finally {
      this.#answering.delete(from);
    }
  }

  /** Stores a head that this node publishes. Never rejects. */
  keepOwn(head: AuditHead): Promise<void> {
    this.#writing = this.#writing
      .then(async () => void (await this.#keep(OWN, head)))
      .catch((err: unknown) => this.#ports.logger.warn({ err }, 'A head of the audit log could not be kept'));
    return this.#writing;
  }

  /** Asks all members which heads of this node they have seen; the heads in its own database come last. */
  async gather(): Promise<{ witnesses: Witness[]; testimonies: Testimony[] }> {
    const witnesses: Witness[] = [];
    const testimonies: Testimony[] = [];
    const members = this.#ports.members().filter(({ suspended }) => suspended !== true);
    for (let at = 0; at < members.length; at += WITNESS_ASKED_AT_ONCE) {
      await Promise.all(
        members.slice(at, at + WITNESS_ASKED_AT_ONCE).map(async (member) => {
          try {
            const heads = decodeWitnessed(await this.#ports.ask(member, encodeWitnessRequest()));
            const signed = heads.filter(({ head }) => verifyAuditHead(head));
            witnesses.push(...signed.map(({ head }) => ({ by: member.name, head })));
            testimonies.push({ node: member.name, heads: signed.length });
          } catch (error) {
            testimonies.push({ node: member.name, reason: error instanceof DtkdError ? error.message : 'it could not be asked' });
          }
        }),
      );
    }
    const own = await this.#rowsOf(OWN);
    witnesses.push(...own.map(({ head }) => ({ by: "this node's database", here: true, head })));
    return { witnesses, testimonies: testimonies.sort((a, b) => (a.node < b.node ? -1 : 1)) };
  }

  #see(object: ApiObject): void {
    const author = object.metadata.annotations?.[AUTHOR_ANNOTATION];
    const { data: status } = z.object({ audit: auditHead }).safeParse(object['status']);
    if (author === undefined || status === undefined || !verifyAuditHead(status.audit)) return;
    this.#writing = this.#writing
      .then(async () => {
        const key = parsePeerKey(author);
        const heads = await this.#keep(prefixOf(key), status.audit);
        if (heads !== undefined) this.#judge(key, heads);
      })
      .catch((err: unknown) => this.#ports.logger.warn({ err }, "A head of a member's audit log could not be kept"));
  }

  /** Stores a head. Returns all heads known now; undefined if this one adds nothing. */
  async #keep(prefix: string, head: AuditHead): Promise<WitnessedHead[] | undefined> {
    const rows = await this.#rowsOf(prefix);
    if (rows.some((known) => known.head.seq === head.seq && known.head.hash === head.hash && known.head.key === head.key)) return undefined;
    // Later than all earlier ones, whatever the clock says: the order in which heads came is evidence.
    const witnessed = { head, seen: Math.max(this.#ports.now(), ...rows.map(({ seen }) => seen + 1)) };
    const all = [...rows, witnessed];
    const dropped = all.length > MAX_WITNESSED_HEADS ? leastMissed(all, witnessed.seen) : undefined;
    if (dropped === witnessed) return undefined;
    await this.#ports.kv.batch(
      [
        { type: 'put', key: rowKey(prefix, head), value: Buffer.from(JSON.stringify(witnessed)) },
        ...(dropped === undefined ? [] : [{ type: 'del' as const, key: rowKey(prefix, dropped.head) }]),
      ],
      { sync: true },
    );
    return all;
  }

  #judge(author: PeerKey, heads: readonly WitnessedHead[]): void {
    const against = contradiction(heads);
    if (against === undefined || this.#against.get(author)?.seen === against.seen) return;
    this.#against.set(author, against);
    const name = this.#ports.members().find(({ key }) => key === author)?.name;
    this.#ports.logger.warn({ author, name }, `The audit log of a member ${against.what}`);
  }

  async #rowsOf(prefix: string): Promise<WitnessedHead[]> {
    const rows = await this.#ports.kv.page({ gte: prefix, lt: prefixEnd(prefix), limit: MAX_WITNESSED_HEADS });
    return rows.flatMap(([, value]) => row.safeParse(jsonOf(value)).data ?? []);
  }

  async #forgetStrangers(): Promise<void> {
    const members = new Set(this.#ports.members().map(({ key }) => key));
    for (let gte = PREFIX; ; ) {
      const [first] = await this.#ports.kv.page({ gte, lt: prefixEnd(PREFIX), limit: 1 });
      if (first === undefined) return;
      const author = parsePeerKey(first[0].slice(PREFIX.length, PREFIX.length + 64));
      const own = prefixOf(author);
      gte = prefixEnd(own);
      if (!members.has(author)) await this.#ports.kv.batch([{ type: 'clear', gte: own, lt: gte }], { sync: false });
    }
  }
}

function prefixOf(author: PeerKey): string {
  return `${PREFIX}${author}/`;
}

function rowKey(prefix: string, { seq, hash }: { seq: number; hash: string }): string {
  return `${prefix}${seq.toString(16).padStart(SEQ_DIGITS, '0')}/${hash.slice(0, 16)}`;
}

function jsonOf(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
}
