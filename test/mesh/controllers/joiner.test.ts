import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Joiner } from '../../../daemon/src/mesh/controllers/joiner.ts';
import type { DomainView, JoinOptions } from '../../../daemon/src/mesh/mesh.types.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { ObjectStore } from '../../../daemon/src/store/object-store.types.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { SIGHTLINE_GROUP } from '../../../protocol/kinds/dtdomain.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';

const REF = { group: SIGHTLINE_GROUP, plural: 'dtdomains', namespace: 'node0', name: 'mydomain' };

/** A document that asks to join, and a mesh that can do one thing with the domain at a time, as the real one. */
class Bench {
  readonly asked: string[] = [];
  readonly events: string[] = [];
  readonly joiner: Joiner;
  store: ObjectStore;
  diskIsFull = false;
  /** Somebody else has brought the node into a domain of that name. */
  isIn = false;
  /** What becomes of a join. */
  answer: (address: string, signal: AbortSignal) => Promise<void> = async () => {};
  #busy = false;

  constructor(store: ObjectStore) {
    this.store = store;
    this.joiner = new Joiner({
      store: {
        get: (ref) => store.get(ref),
        transact: (run) => (this.diskIsFull ? Promise.reject(new DtkdError('DISK_FULL', 'the disk is full')) : store.transact(run)),
      },
      mesh: {
        domain: () => (this.isIn ? ({} as DomainView) : undefined),
        join: (_name, address, _token, options) => this.#join(address, options) as never,
      },
      node: { name: 'node0' },
      events: { record: ({ reason }) => void this.events.push(reason) },
      logger: silentLogger,
      onSettled: async () => {},
    });
  }

  async #join(address: string, { signal = AbortSignal.abort() }: JoinOptions = {}): Promise<void> {
    if (this.#busy) throw new DtkdError('CONFLICT', 'the domain is being joined already');
    this.#busy = true;
    this.asked.push(address);
    try {
      await this.answer(address, signal);
    } finally {
      // The port that was made for it is closed first.
      await new Promise((resolve) => setImmediate(resolve));
      this.#busy = false;
    }
  }

  /** Stores the document as the API does, and has it considered. */
  async ask(address: string): Promise<void> {
    const metadata = { name: REF.name, namespace: REF.namespace, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
    const document: ApiObject = {
      apiVersion: `${SIGHTLINE_GROUP}/v1`,
      kind: 'dtDomain',
      metadata,
      spec: { peer: { address, inviteToken: 'x'.repeat(300) } },
      status: 'Joining',
    };
    this.joiner.consider(await this.store.transact((tx) => tx.put(document)));
  }

  async status(): Promise<unknown> {
    return (await this.store.get(REF))?.['status'];
  }
}

/** An address at which nobody answers. */
const silence = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new DtkdError('PEER_AWAY', 'given up')), { once: true }));

describe('a document that asks to join', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench(await openObjectStore({ kv: memoryKv(), node: 'node0' }));
  });
  afterEach(async () => {
    await bench.joiner.stop();
    await bench.store.close();
  });

  it('is tried at its new address at once when the old one has not answered yet, and is not refused for that', async () => {
    bench.answer = (address, signal) => (address === 'wrong:1' ? silence(signal) : Promise.resolve());
    await bench.ask('wrong:1');
    await waitFor(() => bench.asked.length === 1, { what: 'the first address to be tried' });
    await bench.ask('right:1');
    await waitFor(() => bench.events.length > 0, { what: 'the outcome' });
    expect([bench.asked, bench.events, await bench.status()]).toEqual([['wrong:1', 'right:1'], ['Joined'], 'Joining']);
  });

  it('goes on being tried though nothing can be written of it on a full disk', async () => {
    bench.answer = () => Promise.reject(new DtkdError('TOKEN_EXPIRED', 'the invite expired'));
    bench.diskIsFull = true;
    await bench.ask('there:1');
    await waitFor(() => bench.asked.length >= 2, { what: 'another try' });
    expect(bench.joiner.joining()).toEqual(['mydomain']);
    bench.diskIsFull = false;
    await waitFor(async () => (await bench.status()) === 'Failed', { what: 'the refusal to be shown' });
    await waitFor(() => bench.joiner.joining().length === 0, { what: 'the end of the tries' });
  });

  it('does not show as failed the domain of that name that was founded meanwhile', async () => {
    bench.answer = async () => {
      bench.isIn = true;
      throw new DtkdError('ALREADY_EXISTS', 'this node is already in a domain of that name');
    };
    await bench.ask('192.0.2.1');
    await waitFor(() => bench.events.length > 0);
    expect(await bench.status()).toBe('Joining');
  });
});
