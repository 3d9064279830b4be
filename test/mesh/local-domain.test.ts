import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Host, Link, StreamHandler } from '../../daemon/src/mesh/host/host.types.ts';
import { LocalDomain, type LocalDomainPorts } from '../../daemon/src/mesh/local-domain.ts';
import type { Logs } from '../../daemon/src/mesh/log/log.types.ts';
import { openMembership } from '../../daemon/src/mesh/membership/domain-membership.ts';
import { DtkdError } from '../../protocol/errors.ts';
import type { PeerKey } from '../../protocol/ids.ts';
import { parseNodeName } from '../../protocol/ids.ts';
import { silentLogger } from '../silent-logger.ts';
import { epochAt, forkOf } from './membership/forks.ts';
import { foundSite, join, type Site, token } from './membership/site.ts';

const PROTOCOL = '/test/1.0.0';

/** A domain with a real membership, and a host and a log that the test controls. */
class Bench {
  readonly founder: Site;
  readonly member: Site;
  readonly domain: LocalDomain;
  readonly refreshed: PeerKey[] = [];
  readonly served = new Map<string, StreamHandler>();
  diskIsFull = false;
  stops = 0;
  drops = 0;
  /** Each is called in the midst of what it is named after. */
  onOpenLog: () => void | Promise<void> = () => {};
  onServe: (protocol: string) => void | Promise<void> = () => {};
  onDrop: () => void | Promise<void> = () => {};

  private constructor(founder: Site, member: Site, domain: (bench: Bench) => LocalDomain) {
    this.founder = founder;
    this.member = member;
    this.domain = domain(this);
  }

  static async make(): Promise<Bench> {
    const founder = await foundSite();
    const member = await join('node1', founder, await token(founder));
    const { kv, key } = founder;
    const { domain } = founder.membership;
    const full = { isFull: () => false };
    const membership = await openMembership({
      kv: {
        get: (row) => kv.get(row),
        page: (range) => kv.page(range),
        snapshot: () => kv.snapshot(),
        close: () => kv.close(),
        batch: (ops, options) => (full.isFull() ? Promise.reject(new DtkdError('DISK_FULL', 'the disk is full')) : kv.batch(ops, options)),
      },
      domain,
      self: key,
    });
    const record = { domain, name: 'mydomain', self: key, nodeName: parseNodeName('node0'), order: 0, joinedAt: 0 };
    return new Bench(founder, member, (bench) => {
      full.isFull = () => bench.diskIsFull;
      return new LocalDomain(record, membership, bench.#ports(), { host: bench.#host(), attach: () => {} });
    });
  }

  #ports(): LocalDomainPorts {
    const logs = {
      open: async () => {
        await this.onOpenLog();
        return this.#log();
      },
    };
    return {
      logs: logs as unknown as Logs,
      kv: this.founder.kv,
      logger: silentLogger,
      now: Date.now,
      hosts: ['127.0.0.1'],
      announce: [],
      mdns: false,
      nodeName: 'node0',
      handlers: () => new Map([[PROTOCOL, () => {}]]),
      later: [],
      namespaceOf: () => 'somebody',
      portOf: () => undefined,
      isOwnNonce: () => false,
      onTls: () => {},
      cutOff: undefined,
      onMembership: () => {},
      onChange: () => {},
    };
  }

  #log() {
    const stop = () => () => {};
    return {
      onCondition: stop,
      onFork: stop,
      onOwnEntry: stop,
      heads: async () => [],
      isAwaiting: () => false,
      condition: () => undefined,
      refreshAuthor: async (key: PeerKey) => void this.refreshed.push(key),
      dropAuthor: async () => {},
      drop: async () => {
        this.drops += 1;
        await this.onDrop();
      },
    };
  }

  #host(): Host {
    const host = {
      key: this.founder.key.publicKey,
      protocols: () => [],
      listen: async () => {},
      dial: () => Promise.reject(new DtkdError('ADDRESS_UNREACHABLE', 'nobody there')),
      dialThrough: () => Promise.reject(new DtkdError('PEER_AWAY', 'no relay')),
      findPeer: async () => [],
      links: () => [],
      onLink: () => {},
      onUnlink: () => {},
      publish: async () => true,
      stop: async () => {
        this.stops += 1;
      },
      serve: async (protocol: string, handler: StreamHandler) => {
        this.served.set(protocol, handler);
        await this.onServe(protocol);
      },
    };
    return host as unknown as Host;
  }
}

describe('a domain that this node is in', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await Bench.make();
  });
  afterEach(() => bench.domain.close());

  it('moves what a member shows whose name changed while the log was being opened', async () => {
    const key = bench.member.key.publicKey;
    bench.onOpenLog = () => bench.domain.refresh(key);
    await bench.domain.open(7701);
    expect(bench.refreshed).toEqual([key]);
  });

  it('is not ready, nor a ready one whose port is missing, while it is being opened', async () => {
    let state: string | undefined;
    bench.onOpenLog = () => {
      state = bench.domain.view().state;
    };
    await bench.domain.open(7701);
    expect([state, bench.domain.view().state]).toEqual(['Joining', 'Ready']);
  });

  it('refuses the streams of a member that was suspended while the protocols were being served', async () => {
    const { key } = bench.member;
    let reported = false;
    bench.onServe = async () => {
      if (reported) return;
      reported = true;
      await bench.domain.membership.reportFork(forkOf(key, bench.domain.id, epochAt(500)));
    };
    await bench.domain.open(7701);
    expect(bench.domain.membership.state().suspended.has(key.publicKey)).toBe(true);
    let refused: unknown;
    const stream = {
      destroy: (error: unknown) => {
        refused = error;
      },
    };
    bench.served.get(PROTOCOL)?.(stream as never, { peer: key.publicKey } as Link);
    expect(refused).toMatchObject({ code: 'SUSPENDED' });
    expect(bench.refreshed).toEqual([key.publicKey]);
  });

  it('stays as it was if it cannot be left because the disk is full, and is left when it is told again', async () => {
    await bench.domain.open(7701);
    bench.diskIsFull = true;
    await expect(bench.domain.leave(0)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect([bench.domain.isMember(), bench.stops, bench.drops]).toEqual([true, 0, 0]);
    expect(bench.domain.node).toBeDefined();
    expect(bench.domain.view().state).toBe('Ready');
    bench.diskIsFull = false;
    await bench.domain.leave(0);
    expect([bench.domain.isMember(), bench.stops, bench.drops]).toEqual([false, 1, 1]);
  });

  it('makes room for another only when all is dropped, and tries again to drop what a full disk kept', async () => {
    await bench.domain.open(7701);
    const dropped = Promise.withResolvers<void>();
    const steps: string[] = [];
    bench.onDrop = () => dropped.promise;
    const left = bench.domain.leave(0).catch(() => steps.push('not dropped'));
    const vacant = bench.domain.vacate().catch(() => steps.push('not vacant'));
    await new Promise((resolve) => setImmediate(resolve));
    expect([bench.drops, steps]).toEqual([1, []]);
    dropped.reject(new DtkdError('DISK_FULL', 'the disk is full'));
    await Promise.all([left, vacant]);
    expect(steps.sort()).toEqual(['not dropped', 'not vacant']);
    bench.onDrop = () => {};
    await bench.domain.vacate();
    expect(bench.drops).toBe(2);
    await bench.domain.vacate();
    expect(bench.drops).toBe(2);
  });
});
