/**
 * Ends trust in publishers with their membership: a key that was removed from a domain of this node, or has left one, publishes nothing
 * that runs here until the operator trusts it anew. Owns the rows `p/t/…`: which member published a trusted signing key, since a member
 * that was suspended before its removal shows no Node any more. Does not decide who is a member, nor what may run.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { nodeKind, nodeStatus } from '../../../../protocol/kinds/node.ts';
import { type PolicySpec, policyKind, policySpec } from '../../../../protocol/kinds/policy.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import type { Change, ObjectStore, Transaction } from '../../store/object-store.types.ts';
import type { Members, Nodes } from '../dispatch.types.ts';
import { policyRef } from './policy.ts';

const ROWS = 'p/t/';
/** Rows per page. */
const PAGE = 500;

/** A member that published a trusted signing key. */
export interface Teller {
  /** Its key in the domain. */
  member: string;
  signingKey: string;
  /** Its name here when it published the key. */
  node: string;
}

type Trust = NonNullable<PolicySpec['trust']>;

export interface PublishersOptions {
  store: Pick<ObjectStore, 'get' | 'subscribe' | 'transact' | 'kv'>;
  node: { name: string };
  nodes: Nodes;
  members: Pick<Members, 'onChange'>;
  /** True for the key of a member that was removed from a domain of this node, or has left it. */
  isGone(member: string): boolean;
  logger: Logger;
}

/**
 * The trust that is left without the tellers that are `gone`. An entry ends with the node that it names. If that node has another name by
 * now, the entry ends with the last member that publishes its key, since anybody can publish somebody else's key. Pure.
 */
export function trustLeft(trust: Trust, gone: readonly Teller[], present: readonly Teller[]): Trust {
  return trust.filter(({ node, key }) => {
    const ended = gone.filter(({ signingKey }) => signingKey === key);
    if (ended.some((teller) => teller.node === node)) return false;
    return ended.length === 0 || present.some(({ signingKey }) => signingKey === key);
  });
}

export class Publishers {
  readonly #options: PublishersOptions;
  readonly #unsubscribe: (() => void)[] = [];
  /** The stored rows. Read once: nobody else writes them, and members change often. */
  #stored: ReadonlyMap<string, Teller> | undefined;
  #turn: Promise<void> = Promise.resolve();
  #waiting = false;

  constructor(options: PublishersOptions) {
    this.#options = options;
  }

  /** Also handles what happened while no daemon ran. */
  async start(): Promise<void> {
    const { store, members } = this.#options;
    this.#unsubscribe.push(
      store.subscribe((changes) => {
        if (changes.some(matters)) this.#settleSoon();
      }),
      members.onChange(() => this.#settleSoon()),
    );
    this.#settleSoon();
    await this.#turn;
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    await this.#turn;
  }

  /** A failure is retried at the next change: the rows are still there. */
  #settleSoon(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#turn = this.#turn.then(async () => {
      this.#waiting = false;
      await this.#settle().catch((err: unknown) =>
        this.#options.logger.warn({ err }, 'Trust in publishers that are gone could not be ended'),
      );
    });
  }

  async #settle(): Promise<void> {
    const { store, node, nodes, isGone } = this.#options;
    const trust = trustOf(await store.get(policyRef(node.name)));
    this.#stored ??= await readTellers(store.kv);
    const before = this.#stored;
    if (trust.length === 0 && before.size === 0) return;
    const trusted = new Set(trust.map(({ key }) => key));
    const tellers = new Map(before);
    for (const { node: name, member, signingKey } of await nodes.list()) {
      if (member === undefined || signingKey === undefined || !trusted.has(signingKey)) continue;
      const teller = { member: member.key, signingKey, node: name };
      // the name under which it was trusted stays, even if the node is renamed
      const isNamed = trust.some((entry) => entry.key === signingKey && entry.node === name);
      if (isNamed || !tellers.has(rowOf(teller))) tellers.set(rowOf(teller), teller);
    }
    const present: Teller[] = [];
    const gone: Teller[] = [];
    for (const [row, teller] of tellers) {
      if (trusted.has(teller.signingKey)) (isGone(teller.member) ? gone : present).push(teller);
      else tellers.delete(row);
    }
    for (const teller of gone) tellers.delete(rowOf(teller));
    const fresh = [...tellers].filter(([row, teller]) => before.get(row)?.node !== teller.node);
    const over = [...before.keys()].filter((row) => !tellers.has(row));
    if (fresh.length === 0 && over.length === 0) return;
    await store.transact(async (tx) => {
      if (gone.length > 0) await this.#end(tx, gone, present);
      for (const [row, { node: name }] of fresh) tx.putRow(row, encodeCbor({ node: name }));
      for (const row of over) tx.delRow(row);
    });
    this.#stored = tellers;
  }

  async #end(tx: Transaction, gone: readonly Teller[], present: readonly Teller[]): Promise<void> {
    const { node, logger } = this.#options;
    const object = await tx.get(policyRef(node.name));
    const trust = trustOf(object);
    const left = trustLeft(trust, gone, present);
    if (object === undefined || left.length === trust.length) return;
    const { metadata } = object;
    const spec = typeof object['spec'] === 'object' ? object['spec'] : {};
    await tx.put({ ...object, metadata: { ...metadata, generation: metadata.generation + 1 }, spec: { ...spec, trust: left } });
    const ended = trust.filter((entry) => !left.includes(entry)).map((entry) => entry.node);
    logger.warn({ nodes: ended }, 'Code of nodes that are no longer members is no longer trusted');
  }
}

/** True for a change of the policy, or of the signing key in a Node. */
function matters({ ref, object, previous }: Change): boolean {
  if (ref.group === policyKind.group && ref.plural === policyKind.plural) return true;
  return ref.group === nodeKind.group && ref.plural === nodeKind.plural && signingKeyOf(object) !== signingKeyOf(previous);
}

function signingKeyOf(node: ApiObject | undefined): string | undefined {
  return nodeStatus.safeParse(node?.['status']).data?.signingKey;
}

function trustOf(object: ApiObject | undefined): Trust {
  return policySpec.safeParse(object?.['spec'] ?? {}).data?.trust ?? [];
}

const rowOf = ({ member, signingKey }: Teller): string => `${ROWS}${member}/${signingKey}`;

const rowValue = z.object({ node: z.string() });

async function readTellers(kv: Kv): Promise<Map<string, Teller>> {
  const tellers = new Map<string, Teller>();
  for (let gte = ROWS; ; ) {
    const page = await kv.page({ gte, lt: prefixEnd(ROWS), limit: PAGE });
    for (const [row, value] of page) {
      const [member = '', signingKey = ''] = row.slice(ROWS.length).split('/');
      tellers.set(row, { member, signingKey, node: decodeCbor(value, rowValue, 'a row of publishers').node });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return tellers;
    gte = `${last[0]}\0`;
  }
}
