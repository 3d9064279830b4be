/**
 * Gathers the input of the checks: all facts at once, each separately and with a time limit. A hanging member or an unresponsive
 * name server costs its own finding and nothing else. Only one checkup runs at a time; callers that ask meanwhile get the same
 * result. Changes nothing.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as rest } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { DtkdError } from '../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import { isLoopback } from '../../../protocol/peers/address.ts';
import { bounded, type Checkup, type Finding, warning } from '../../../protocol/requests/checkup.ts';
import { systemCode } from '../disk/system-error.ts';
import type { AppFacts, CheckupFacts, DomainFacts, InviteFacts, MachineFacts, PeerFacts, ProbeFacts } from './checkup.types.ts';
import { judge } from './judging.ts';

/** Time limit for each fact, in milliseconds. */
const LOOK_MS = 6_000;
/** The event loop is watched for at least this many milliseconds. */
const LEAST_WATCH_MS = 200;
/** Maximum number of connected members of a domain that are asked for their clock. */
const MAX_CLOCKS = 32;
/** How many of them are asked whether they can reach this node. */
const MAX_TRYING = 3;
/** The multicast group of mDNS. */
const MULTICAST_GROUP = '224.0.0.251';
const NS_PER_MS = 1_000_000;
/** A memory limit above this many bytes means that there is none. */
const NO_LIMIT = 2 ** 52;

interface PeerSeen extends Omit<PeerFacts, 'version' | 'failure'> {
  key: PeerKey;
  displayName: string;
  self: boolean;
  failure?: string | undefined;
}

export interface CheckupPorts {
  node: string;
  version: string;
  /** The data directory. */
  directory: string;
  suffix: string;
  mdns: boolean;
  /** Address of the mesh port; undefined means all of this machine. */
  meshHost: string | undefined;
  /** Addresses that the operator has this node announce, `HOST` or `HOST:PORT`. */
  announce: readonly string[];
  ingress(): { host: string };
  mesh: {
    domains(): readonly (Pick<DomainFacts, 'name' | 'state' | 'message' | 'holdsRoot' | 'port'> & {
      id: DomainId;
      founderName: string | undefined;
      peers: readonly Omit<PeerSeen, 'name'>[];
    })[];
    invites(domain: string): Promise<readonly InviteFacts[]>;
    figures(): Promise<readonly { name: string; logs: readonly { author: string; behind: number }[] }[]>;
    probe(domain: DomainId, peer: PeerKey, options: { reach: boolean; signal: AbortSignal }): Promise<Omit<ProbeFacts, 'peer'>>;
  };
  /** Versions of dtkd by node name. */
  versions(): Promise<ReadonlyMap<string, string>>;
  apps(signal: AbortSignal): Promise<readonly AppFacts[]>;
  clock(): CheckupFacts['clock'];
  audit(): CheckupFacts['audit'];
  orders(): CheckupFacts['orders'];
  checks: readonly { name: string; failing(how: { anew: boolean }): Promise<string | undefined> }[];
  certificates(): Promise<readonly { name: string; begins: number; expires: number }[]>;
  now(): number;
  /** Replaces LOOK_MS in tests. */
  lookMs?: number;
}

/** Returns a function that runs a checkup. It returns all findings in bounded time, whatever hangs. */
export function createCheckup(ports: CheckupPorts): () => Promise<Checkup> {
  let running: Promise<Checkup> | undefined;
  return () => {
    running ??= checkUp(ports).finally(() => {
      running = undefined;
    });
    return running;
  };
}

async function checkUp(ports: CheckupPorts): Promise<Checkup> {
  const { node, version, now, lookMs = LOOK_MS } = ports;
  const missed: Finding[] = [];
  const look = async <T>(what: string, read: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    const limit = AbortSignal.timeout(lookMs);
    try {
      return await inTime(read(limit), lookMs);
    } catch (error) {
      missed.push(warning(what, `it could not be found out: ${messageOf(error)}`, 'Try again; see the log of the daemon if this lasts.'));
      return undefined;
    }
  };
  const loop = watchLoop();
  const [domains, disk, notReady, certificates, apps, suffix, multicast] = await Promise.all([
    domainsOf(ports, look),
    look('disk', () => diskOf(ports.directory)),
    look('ready', () => failing(ports.checks)),
    look('certificates', ports.certificates),
    look('apps', ports.apps),
    look('dns', () => suffixOf(ports)),
    ports.mdns ? look('mdns', multicastWorks) : undefined,
    rest(LEAST_WATCH_MS),
  ]);
  const findings = judge({
    now: now(),
    version,
    node,
    domains,
    machine: { lagMs: loop(), ...machine() },
    disk,
    notReady,
    certificates,
    apps,
    clock: ports.clock(),
    audit: ports.audit(),
    orders: ports.orders(),
    suffix,
    multicast,
  });
  return { node, version, findings: bounded([...findings, ...missed]) };
}

/** The outcome of a question to a member. */
interface Said {
  probe?: ProbeFacts;
  silent?: DomainFacts['silent'][number];
}

type Look = <T>(what: string, read: (signal: AbortSignal) => Promise<T>) => Promise<T | undefined>;

async function domainsOf(ports: CheckupPorts, look: Look): Promise<DomainFacts[]> {
  const { mesh, lookMs = LOOK_MS } = ports;
  const [versions, figures] = await Promise.all([look('versions', ports.versions), look('logs', () => mesh.figures())]);
  return Promise.all(
    mesh.domains().map(async ({ id, name, state, message, holdsRoot, founderName, port, peers }) => {
      const others = peers.filter(({ self }) => !self);
      const asked = shuffled(others.filter(({ reach, suspended }) => reach === 'connected' && !suspended)).slice(0, MAX_CLOCKS);
      const [invites, said] = await Promise.all([
        holdsRoot ? look(`invites ${name}`, () => mesh.invites(name)) : [],
        Promise.all(
          asked.map(async ({ key, displayName }, index): Promise<Said> => {
            try {
              const signal = AbortSignal.timeout(lookMs);
              const probe = await inTime(mesh.probe(id, key, { reach: index < MAX_TRYING, signal }), lookMs);
              return { probe: { ...probe, peer: displayName } };
            } catch (error) {
              // an older dtkd does not know this question
              if (error instanceof DtkdError && error.code === 'VERSION_TOO_OLD') return {};
              return { silent: { peer: displayName, why: messageOf(error) } };
            }
          }),
        ),
      ]);
      return {
        name,
        state,
        message,
        holdsRoot,
        founder: founderName,
        port,
        host: ports.meshHost,
        announce: ports.announce,
        peers: others.map((peer) => peerFacts(peer, versions?.get(peer.displayName))),
        invites: invites ?? [],
        probes: said.flatMap(({ probe }) => probe ?? []),
        silent: said.flatMap(({ silent }) => silent ?? []),
        behind: (figures?.find((one) => one.name === name)?.logs ?? []).map(({ author, behind }) => ({ author, entries: behind })),
      };
    }),
  );
}

function peerFacts(peer: Omit<PeerSeen, 'name'>, version: string | undefined): PeerFacts {
  const { id, displayName, claimedName, reach, path, address, since, failure, advice, lost, misfit, suspended, conditions } = peer;
  return { id, name: displayName, claimedName, reach, path, address, since, failure, advice, lost, misfit, suspended, conditions, version };
}

/** The result, or an error when the time is up; the work itself is not stopped. */
async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const timeUp = new AbortController();
  try {
    return await Promise.race([
      work,
      rest(ms, undefined, { signal: timeUp.signal }).then(() => {
        throw new Error(`it took longer than ${ms} ms`);
      }),
    ]);
  } finally {
    timeUp.abort();
  }
}

async function failing(checks: CheckupPorts['checks']): Promise<{ name: string; reason: string }[]> {
  const found = await Promise.all(checks.map(async ({ name, failing }) => ({ name, reason: await failing({ anew: true }) })));
  return found.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }]));
}

async function diskOf(directory: string): Promise<NonNullable<CheckupFacts['disk']>> {
  const { bavail, blocks, bsize, files, ffree } = await statfs(directory);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize, freeInodes: ffree, inodes: files };
}

async function suffixOf({ node, suffix, ingress }: CheckupPorts): Promise<NonNullable<CheckupFacts['suffix']>> {
  const name = `app.${node}.${suffix}`;
  const { host } = ingress();
  try {
    const found = await lookup(name, { all: true });
    return { name, ingress: host, addresses: found.map(({ address }) => address), error: undefined };
  } catch (error) {
    return { name, ingress: host, addresses: [], error: systemCode(error) ?? 'unknown' };
  }
}

/** Joins the mDNS group on a port of its own, and sends nothing. */
function multicastWorks(): Promise<{ works: boolean; error: string | undefined }> {
  const { promise, resolve } = Promise.withResolvers<{ works: boolean; error: string | undefined }>();
  const socket = createSocket('udp4');
  const end = (error: string | undefined): void => {
    socket.close();
    resolve({ works: error === undefined, error });
  };
  socket.once('error', (error) => end(systemCode(error) ?? 'unknown'));
  socket.bind(0, () => {
    try {
      socket.addMembership(MULTICAST_GROUP);
      end(undefined);
    } catch (error) {
      end(systemCode(error) ?? 'unknown');
    }
  });
  return promise;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function machine(): Omit<MachineFacts, 'lagMs'> {
  const { heap_size_limit: heapLimit, used_heap_size: heapUsed } = getHeapStatistics();
  const limit = process.constrainedMemory();
  const outer = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ address, internal }) => !internal && !isLoopback(address) && !/^fe[89ab]/i.test(address));
  return {
    memory: { rss: process.memoryUsage.rss(), limit: limit > 0 && limit < NO_LIMIT ? limit : undefined, heapUsed, heapLimit },
    families: { ipv4: outer.some(({ family }) => family === 'IPv4'), ipv6: outer.some(({ family }) => family === 'IPv6') },
  };
}

/** Watches the event loop. The returned function stops that and returns the longest delay in milliseconds. */
function watchLoop(): () => number {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  return () => {
    delay.disable();
    return Number.isFinite(delay.max) ? delay.max / NS_PER_MS : 0;
  };
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, lot: Math.random() }))
    .sort((a, b) => a.lot - b.lot)
    .map(({ item }) => item);
}
