import { randomBytes } from 'node:crypto';
import { connect as tcpConnect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuthorDoc } from '../../daemon/src/mesh/log/author-doc.ts';
import { encodeFrame } from '../../protocol/encoding/frames.ts';
import type { NodeName, PeerKey } from '../../protocol/ids.ts';
import { peerIdOf } from '../../protocol/ids.ts';
import { type Epoch, type LogEntry, pointText } from '../../protocol/log/log-entry.ts';
import { encodeFacts, FACTS_PROTOCOL } from '../../protocol/log/sync.ts';
import { signRootFact } from '../../protocol/membership/facts.ts';
import { appDocument, appsSeen, connected, copyOf, formDomain, invite, join, publish } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';
import { garbage, HostilePeer } from './hostile/hostile-peer.ts';

const stage = useStage();
const DOMAIN = 'town';
const GROUP = 'sid.sightlineinnovation.com';
const MIB = 1024 * 1024;
/** What an attack may cost an honest daemon in memory, for good. */
const ALLOWED_GROWTH = 64 * MIB;

/** The two stories meet by gossip, or when the two that know them compare what they have: all other neighbours may come first. */
const FORK_HEARD_MS = 180_000;
/** Replication takes milliseconds; a machine that is busy with many hostile peers needs longer. */
const HEARD_MS = 90_000;
/** A daemon gives memory back when it is calm. */
const CALM_MS = 180_000;

let counter = 0;

function newEpoch(): Epoch {
  counter += 1;
  return { ms: Date.now() + counter, random: randomBytes(8).toString('hex') };
}

/** What an author's document holds for an app. */
function appValue(name: string, epoch: Epoch, labels: Record<string, string> = {}): [string, unknown] {
  const document = appDocument(name, [DOMAIN]);
  const metadata = {
    name,
    uid: `00000000-0000-4000-8000-${name
      .padEnd(12, '0')
      .slice(0, 12)
      .replace(/[^0-9a-f]/g, '0')}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels,
  };
  return [`${GROUP}/dtapps/${name}`, { b: pointText({ epoch, seq: 0 }), o: { ...document, metadata } }];
}

function updateOf(epoch: Epoch, ...apps: [string, unknown][]): Uint8Array {
  return new AuthorDoc(epoch).write(new Map(apps));
}

/** What a site shows of what honest nodes own, in full but for what the site itself adds. */
async function honestView(site: Site): Promise<string> {
  const apps = await site.list('dtapps');
  return JSON.stringify(
    apps
      .filter((app) => !String(app.metadata.labels?.['dtkd.dev/owner'] ?? '').startsWith('mallory'))
      .map(({ metadata, serviceSelector, domainSelector, spec }) => ({
        name: metadata.name,
        labels: metadata.labels,
        serviceSelector,
        domainSelector,
        spec,
      }))
      .sort((a, b) => a.name.localeCompare(b.name)),
  );
}

describe('a hostile member with a valid membership', () => {
  let a: Site;
  let b: Site;
  const peers: HostilePeer[] = [];
  let before: string[];
  let memory: number[];

  beforeAll(async () => {
    [a, b] = (await stage.current.startAll('a', 'b')) as [Site, Site];
    await formDomain(DOMAIN, [a, b]);
    await publish(a, 'of-a', DOMAIN);
    await publish(b, 'of-b', DOMAIN);
    await waitFor(async () => (await copyOf(a, 'of-b', 'b')) !== undefined && (await copyOf(b, 'of-a', 'a')) !== undefined, {
      what: 'the copies',
      timeoutMs: HEARD_MS,
    });
    before = await Promise.all([a, b].map(honestView));
    memory = await Promise.all([a, b].map((site) => site.rss()));
  });

  afterAll(async () => {
    await Promise.all(peers.map((peer) => peer.stop()));
  });

  async function mallory(name: string): Promise<HostilePeer> {
    // More than once: what the one before did may have a's port refuse newcomers for a moment.
    const peer = await waitFor(async () => HostilePeer.join((await invite(a, DOMAIN)).token, a.meshAddress, name), {
      what: `${name} to join`,
      timeoutMs: HEARD_MS,
    });
    peers.push(peer);
    return peer;
  }

  /** The honest nodes show what they showed, still replicate, and have not grown. */
  async function unharmed(label: string): Promise<void> {
    expect(await Promise.all([a, b].map(honestView)), label).toEqual(before);
    const probe = `probe-${label.replace(/[^a-z]+/g, '-')}`;
    await publish(a, probe, DOMAIN);
    await waitFor(async () => copyOf(b, probe, 'a'), { what: `${probe} to reach b`, timeoutMs: HEARD_MS });
    await a.delete('dtapp', probe);
    await waitFor(async () => (await copyOf(b, probe, 'a')) === undefined, { what: `${probe} to be gone at b`, timeoutMs: HEARD_MS });
    for (const [index, site] of [a, b].entries()) {
      const grown = async (): Promise<number> => (await site.rss()) - (memory[index] ?? 0);
      await waitFor(
        async () => {
          const bytes = await grown();
          if (bytes >= ALLOWED_GROWTH) throw new Error(`it has grown by ${Math.round(bytes / MIB)} MiB`);
          return true;
        },
        { what: `${site.name} to have given back its memory after ${label}`, timeoutMs: CALM_MS, pollMs: 500 },
      );
    }
  }

  async function authorKeys(peer: HostilePeer, at: PeerKey): Promise<{ entries: LogEntry[]; keyOfB: PeerKey }> {
    const own = (await b.list('dtpeers')).find((each) => each['path'] === 'self');
    const publicKey =
      own === undefined ? (await a.list('dtpeers')).find((each) => String(each['name']).startsWith('b'))?.['publicKey'] : own['publicKey'];
    const keyOfB = Buffer.from(String(publicKey), 'base64').toString('hex') as PeerKey;
    return { entries: await peer.entriesOf(at, keyOfB), keyOfB };
  }

  it('is believed about its own objects, and about nothing else', async () => {
    const peer = await mallory('mallory-forger');
    const epoch = newEpoch();
    const own = peer.sign({ epoch, update: updateOf(epoch, appValue('own', epoch)) });
    peer.entries = [own.bytes];
    const keyOfA = await peer.connect(a.meshAddress);
    await peer.connect(b.meshAddress);
    // What it may do works, so that what follows is refused for what it is, and not because nobody heard it.
    for (const site of [a, b])
      await waitFor(async () => copyOf(site, 'own', 'mallory-forger'), {
        what: `the hostile member's own app at ${site.name}`,
        timeoutMs: HEARD_MS,
      });

    const { keyOfB, entries } = await authorKeys(peer, keyOfA);
    expect(entries.length).toBeGreaterThan(0);
    const later = newEpoch();
    const forged = [
      // Names b as the author, signed by another key: overwrites, adds, and deletes all by an empty opening.
      peer.sign({ epoch: later, update: updateOf(later, appValue('of-b', later, { evil: 'true' }), appValue('forged', later)) }, keyOfB),
      peer.sign({ epoch: newEpoch(), update: Uint8Array.of(0, 0) }, keyOfB),
      peer.sign({ epoch: newEpoch(), update: Uint8Array.of(0, 0) }, keyOfA),
    ];
    // b's own entries, altered in one byte: of the update, of the signature.
    const altered = entries.flatMap(({ bytes }) =>
      [Math.floor(bytes.length / 2), bytes.length - 8].map((at) => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))),
    );
    // b's entries once more, in the wrong order.
    const replayed = entries.map(({ bytes }) => bytes).reverse();
    const bad = [...forged.map(({ bytes }) => bytes), ...altered, ...replayed];
    for (const bytes of bad) await peer.tell(bytes).catch(() => undefined);
    peer.entries = [...bad, own.bytes];
    const asked = peer.asked;
    const another = await mallory('mallory-again');
    another.entries = bad;
    await another.connect(a.meshAddress);
    await another.connect(b.meshAddress);
    await waitFor(() => another.asked > 0 || peer.asked > asked, {
      what: 'an honest node to ask for entries',
      timeoutMs: HEARD_MS,
    });
    await unharmed('forged altered and replayed entries');
  });

  it('cannot speak for the root', async () => {
    const peer = await mallory('mallory-usurper');
    const keyOfA = await peer.connect(a.meshAddress);
    const { keyOfB } = await authorKeys(peer, keyOfA);
    const facts = [
      signRootFact(peer.key, { type: 'removal', by: peer.domain, time: Date.now(), key: keyOfB, name: 'b' as NodeName, keeps: [] }),
      signRootFact(peer.key, { type: 'binding', by: peer.domain, time: Date.now(), key: peer.key.publicKey, name: 'b' as NodeName }),
    ];
    const stream = await peer.open(keyOfA, FACTS_PROTOCOL);
    stream.on('error', () => undefined).resume();
    stream.write(encodeFrame(encodeFacts({ type: 'push', digest: '0'.repeat(64), items: facts, more: false })));
    await waitFor(async () => (await a.api('/readyz')).status === 200, { what: 'a to be ready' });
    await unharmed('forged root facts');
    await connected(a, DOMAIN, [b]);
    expect((await a.get('dtpeer', peerIdOf(keyOfB)))?.['connected']).toBe(true);
  });

  it('gets nowhere with garbage, oversized, half and stalled frames on any protocol', async () => {
    const peer = await mallory('mallory-noise');
    for (const site of [a, b]) {
      const key = await peer.connect(site.meshAddress);
      for (const protocol of peer.protocols()) {
        const pieces = [
          ...garbage(),
          ...garbage()
            .filter((bytes) => bytes.length > 0)
            .map(encodeFrame),
          // Four gibibytes are announced; half a frame and then silence.
          Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3),
          encodeFrame(new Uint8Array(10_000)).subarray(0, 5_000),
        ];
        for (const piece of pieces) {
          if (!peer.connectedTo(key)) await peer.connect(site.meshAddress).catch(() => undefined);
          const stream = await peer.open(key, protocol).catch(() => undefined);
          stream?.on('error', () => undefined).resume();
          if (piece.length > 0) stream?.write(piece);
        }
      }
      for (const piece of garbage()) {
        await peer.gossip(piece).catch(() => undefined);
        await peer.tell(piece).catch(() => undefined);
      }
    }
    await unharmed('garbage frames');
  });

  it('cannot keep others out by a flood of connections', async () => {
    const flood = Array.from({ length: 400 }, (_, index) => {
      const [host = '', port = ''] = a.meshAddress.split(':');
      const socket = tcpConnect({ host, port: Number(port) });
      socket.on('error', () => undefined);
      if (index % 2 === 0) socket.on('connect', () => socket.write(randomBytes(512)));
      return socket;
    });
    const { token } = await invite(a, DOMAIN);
    const newcomer = await stage.current.start({ name: 'newcomer' });
    await waitFor(
      async () => {
        await join(newcomer, DOMAIN, a, token);
        return true;
      },
      { what: 'a newcomer to join in spite of the flood', timeoutMs: HEARD_MS, pollMs: 500 },
    );
    for (const socket of flood) socket.destroy();
    await connected(newcomer, DOMAIN, [a, b]);
    await unharmed('a flood of connections');
    await newcomer.stop();
  });

  it('is suspended whole when it forks its log, and only it', async () => {
    const peer = await mallory('mallory-forker');
    const epoch = newEpoch();
    const first = peer.sign({ epoch, update: updateOf(epoch, appValue('one-story', epoch)) });
    const second = peer.sign({ epoch, update: updateOf(epoch, appValue('another-story', epoch)) });
    peer.entries = [first.bytes];
    await peer.connect(a.meshAddress);
    await waitFor(async () => copyOf(a, 'one-story', 'mallory-forker'), { what: 'one story at a', timeoutMs: HEARD_MS });
    peer.entries = [second.bytes];
    await peer.connect(b.meshAddress);
    await peer.tell(second.bytes).catch(() => undefined);
    for (const site of [a, b]) {
      await waitFor(async () => !(await appsSeen(site)).some((app) => app.startsWith('mallory-forker/')), {
        what: `${site.name} to hide what the forker published`,
        timeoutMs: FORK_HEARD_MS,
      });
      await waitFor(
        async () => /fork|suspend/i.test(JSON.stringify((await site.get('dtpeer', peerIdOf(peer.key.publicKey)))?.['conditions'])),
        {
          what: `${site.name} to say that the forker is suspended`,
          timeoutMs: FORK_HEARD_MS,
        },
      );
    }
    await unharmed('a fork');
  });
});
