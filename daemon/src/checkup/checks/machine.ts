/** Checks the machine: disk, memory, processor, addresses, multicast, names. Pure. */
import { isLoopback } from '../../../../protocol/peers/address.ts';
import { type Finding, ok, problem, warning } from '../../../../protocol/requests/checkup.ts';
import type { CheckupFacts, MachineFacts } from '../checkup.types.ts';

const MIB = 1024 * 1024;
/** In bytes. At any moment LevelDB needs a log and a table, and there has to be room for the audit log. */
const LITTLE_DISK = 64 * MIB;
const SCARCE_DISK = 512 * MIB;
/** Part of all inodes. */
const SCARCE_INODES = 0.02;
/** Milliseconds. Conversations with peers take longer than this on a slow line, so a shorter delay goes unnoticed. */
const SLOW_LOOP_MS = 250;
/** Part of a limit above which little is left. */
const NEAR_LIMIT = 0.9;

export function checkDisk({ disk }: Pick<CheckupFacts, 'disk'>): Finding[] {
  if (disk === undefined) return [];
  const { freeBytes, sizeBytes, freeInodes, inodes } = disk;
  const free = `${Math.floor(freeBytes / MIB)} MiB of ${Math.floor(sizeBytes / MIB)} MiB are free`;
  if (inodes > 0 && freeInodes / inodes < SCARCE_INODES)
    return [
      problem(
        'disk',
        `only ${freeInodes} of ${inodes} inodes are free, so soon no files can be created`,
        'Remove directories with many small files from that file system.',
      ),
    ];
  if (freeBytes < LITTLE_DISK)
    return [problem('disk', free, 'Free space on the file system of the data directory: soon writes will fail.')];
  if (freeBytes < SCARCE_DISK) return [warning('disk', free, 'Free space on the file system of the data directory.')];
  return [ok('disk', free)];
}

export function checkReady({ notReady }: Pick<CheckupFacts, 'notReady'>): Finding[] {
  if (notReady === undefined) return [];
  if (notReady.length === 0) return [ok('ready', 'the database takes writes, and the domains are up')];
  return notReady.map(({ name, reason }) => problem(`ready ${name}`, reason, 'See the log of the daemon.'));
}

export function checkSetBack({ clock }: Pick<CheckupFacts, 'clock'>): Finding[] {
  return clock.map((text) =>
    problem(
      'clock set back',
      text,
      'Correct the clock (timedatectl set-ntp true). If it is right now, look at "dtkd get capabilities", and revoke those that should have expired.',
    ),
  );
}

export function checkLag({ lagMs }: Pick<MachineFacts, 'lagMs'>): Finding[] {
  const text = `the daemon was held up for ${Math.round(lagMs)} ms at most while this was checked`;
  const next = 'See what else runs on this machine (top); the daemon answers late while the processor or the disk is busy.';
  return [lagMs >= SLOW_LOOP_MS ? warning('load', text, next) : ok('load', text)];
}

export function checkMemory({ memory: { rss, limit, heapUsed, heapLimit } }: Pick<MachineFacts, 'memory'>): Finding[] {
  const uses = `the daemon uses ${Math.round(rss / MIB)} MiB`;
  if (limit !== undefined && rss > limit * NEAR_LIMIT)
    return [
      problem(
        'memory',
        `${uses}, and may use ${Math.round(limit / MIB)} MiB before the system ends it`,
        'Raise the limit of the service or container (MemoryMax=).',
      ),
    ];
  if (heapUsed > heapLimit * NEAR_LIMIT)
    return [
      problem(
        'memory',
        `${uses}, and its own limit is almost reached`,
        'Restart it at a quiet time, with NODE_OPTIONS=--max-old-space-size=MIB if the machine has more.',
      ),
    ];
  return [ok('memory', limit === undefined ? uses : `${uses} of ${Math.round(limit / MIB)} MiB`)];
}

/** Reports an address family that this machine lacks if members are away and known only by addresses of that family. */
export function checkFamilies({ machine: { families }, domains }: Pick<CheckupFacts, 'machine' | 'domains'>): Finding[] {
  const away = domains.flatMap(({ peers }) => peers.filter(({ reach }) => reach === 'away'));
  const lacking = (has: boolean, isOf: (address: string) => boolean) =>
    has ? [] : away.filter(({ address }) => address !== undefined && isOf(address)).map(({ name }) => name);
  const v6 = lacking(families.ipv6, (address) => address.startsWith('['));
  const v4 = lacking(families.ipv4, (address) => /^\d+\.\d+\.\d+\.\d+(:|$)/.test(address) && !isLoopback(address.split(':')[0] ?? ''));
  const missing = [...(v6.length > 0 ? [{ family: 'IPv6', names: v6 }] : []), ...(v4.length > 0 ? [{ family: 'IPv4', names: v4 }] : [])];
  if (missing.length > 0)
    return missing.map(({ family, names }) =>
      warning(
        'network',
        `this machine has no ${family}, and ${names.join(', ')} is known only by such an address`,
        `Give this machine ${family}, or let them announce another address.`,
      ),
    );
  const has = [...(families.ipv4 ? ['IPv4'] : []), ...(families.ipv6 ? ['IPv6'] : [])];
  return [
    has.length === 0
      ? warning('network', 'this machine has only loopback addresses', 'Connect it to a network: no other machine can reach it.')
      : ok('network', `${has.join(' and ')}`),
  ];
}

/** Errors on a machine without a default route, as in an isolated network. */
const NO_ROUTE: ReadonlySet<string> = new Set(['ENODEV', 'ENETUNREACH']);

export function checkMulticast({ multicast }: Pick<CheckupFacts, 'multicast'>): Finding[] {
  if (multicast === undefined) return [ok('mdns', 'turned off: members on the local network are not looked for')];
  if (multicast.works) return [ok('mdns', 'multicast can be used')];
  return [
    warning(
      'mdns',
      `multicast cannot be used here (${multicast.error ?? 'unknown'}), so members that moved are not found on the local network`,
      `${NO_ROUTE.has(multicast.error ?? '') ? 'Give multicast a route (ip route add 224.0.0.0/4 dev INTERFACE)' : 'Allow UDP port 5353 with multicast'}, or turn it off: dtkd up --no-mdns.`,
    ),
  ];
}

/** Checks that names of apps resolve to this node's ingress on this machine. */
export function checkSuffix({ suffix }: Pick<CheckupFacts, 'suffix'>): Finding[] {
  if (suffix === undefined) return [];
  const { name, ingress, addresses, error } = suffix;
  const record = `Let the name server answer ${name.replace(/^[^.]+/, '*')} with the address of the ingress (${ingress})`;
  if (error !== undefined || addresses.length === 0) {
    const text = `names of apps, such as ${name}, are not known to the name service of this machine`;
    // browsers and curl resolve names under localhost themselves
    return isLocalName(name)
      ? [ok('dns', 'names of apps end in "localhost", which browsers resolve by themselves')]
      : [problem('dns', `${text} (${error ?? 'no address'})`, `${record}, or use a suffix below localhost.`)];
  }
  const leads = addresses.some((address) => address === ingress || (isLoopback(address) && (isLoopback(ingress) || isWildcard(ingress))));
  if (leads || isWildcard(ingress)) return [ok('dns', `names of apps lead to ${addresses.join(', ')}`)];
  return [warning('dns', `names of apps lead to ${addresses.join(', ')}, and the ingress listens on ${ingress}`, `${record}.`)];
}

function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
