/** Checks members: who is away and why, who is only reached through others, and whose clock, version or name causes trouble. Pure. */
import { type Finding, ok, problem, warning } from '../../../../protocol/requests/checkup.ts';
import { humanDuration } from '../../../../protocol/text/age.ts';
import type { DomainFacts, PeerFacts } from '../checkup.types.ts';

/** Milliseconds. Certificates and expiries have a resolution of minutes, and audit lines of several nodes are compared. */
const CLOCK_WARNING_MS = 5_000;
/** Milliseconds. Beyond this, valid invites and orders are refused as expired, or expired ones accepted. */
const CLOCK_PROBLEM_MS = 60_000;
/** Milliseconds. A restarting daemon is away for less. */
const AWAY_PROBLEM_MS = 24 * 60 * 60 * 1000;
/** Members named in one finding. */
const MAX_LISTED = 8;

export function checkPeersAway({ name, peers, holdsRoot, founder }: DomainFacts, now: number): Finding[] {
  const check = `peers ${name}`;
  const away = peers.filter(({ reach, suspended }) => reach === 'away' && !suspended);
  if (away.length === 0) {
    const connected = peers.filter(({ reach }) => reach === 'connected').length;
    return peers.length === 0 ? [] : [ok(check, `${connected} of ${peers.length} are connected, and none is away`)];
  }
  // only the holder of the root key can remove a member
  const removal = (peer: PeerFacts): string => {
    if (!holdsRoot && (founder === undefined || founder === peer.name)) return '';
    const where = holdsRoot ? '' : ` on ${founder}`;
    return ` If it will not come back, remove it for good${where}: dtkd delete dtpeer ${peer.id}.`;
  };
  // a member with an incompatible version is reported by its condition: it is there, and need not be removed
  return away.flatMap((peer) => {
    if (peer.misfit) return [];
    const age = peer.since === undefined ? undefined : now - peer.since;
    const since = age === undefined ? '' : ` for ${humanDuration(Math.max(0, age))}`;
    const why = peer.failure === undefined ? '' : `: ${peer.failure}`;
    const text = `${peer.name} is away${since}${why}`;
    const at = peer.address === undefined ? 'No address of it is known' : `It was last known at ${peer.address}`;
    const next =
      peer.advice ??
      `${at}. Check there that the daemon runs ("dtkd doctor") and that its mesh port is open to this machine.${removal(peer)}`;
    return (age ?? 0) >= AWAY_PROBLEM_MS
      ? problem(`peer ${name}/${peer.name}`, text, next)
      : warning(`peer ${name}/${peer.name}`, text, next);
  });
}

export function checkRelayed({ name, peers }: DomainFacts): Finding[] {
  const all = peers.filter(({ path, reach }) => reach === 'connected' && path === 'relayed');
  const relayed = all.filter(({ advice }) => advice === undefined).map((peer) => peer.name);
  const advised = all.flatMap((peer) =>
    peer.advice === undefined
      ? []
      : [warning(`relayed ${name}/${peer.name}`, `${peer.name} is reached through other members only: ${peer.failure}`, peer.advice)],
  );
  if (relayed.length === 0) return advised;
  return [
    ...advised,
    warning(
      `relayed ${name}`,
      `${relayed.join(', ')} ${relayed.length === 1 ? 'is' : 'are'} reached through other members only, which is slower`,
      'Open the mesh port of one side to the other, and announce the address that is seen from outside (dtkd up --announce).',
    ),
  ];
}

/** Reports connections that are cut again and again. They come back by themselves, so nothing else shows it. */
export function checkUnsteady({ name, peers }: DomainFacts): Finding[] {
  const unsteady = peers.flatMap(({ name: peer, lost }) => (lost === undefined ? [] : [{ peer, ...lost }]));
  const [first] = unsteady;
  if (first === undefined) return [];
  const many = unsteady.sort((a, b) => b.times - a.times).map(({ peer, times }) => `${peer} (${times} times)`);
  return [
    warning(
      `unsteady ${name}`,
      `in the last ${humanDuration(first.withinMs)} connections were lost again and again with ${listed(many)}`,
      'They come back by themselves, but cut what runs through apps and forwards. Look for a daemon that keeps restarting (its log), a bad line, or a firewall, router, VPN or proxy that limits how long connections last or rest, or how much they carry.',
    ),
  ];
}

function listed(all: readonly string[]): string {
  const more = all.length > MAX_LISTED ? ` and ${all.length - MAX_LISTED} more` : '';
  return `${all.slice(0, MAX_LISTED).join(', ')}${more}`;
}

/** A member whose connection is lost all the time does not hang. */
export function checkSilent({ name, peers, silent }: DomainFacts): Finding[] {
  const unsteady = new Set(peers.flatMap((peer) => (peer.lost === undefined ? [] : [peer.name])));
  const others = silent.filter(({ peer }) => !unsteady.has(peer));
  return others.map(({ peer, why }) =>
    warning(
      `peer ${name}/${peer}`,
      `${peer} is connected, but did not answer when it was asked: ${why}`,
      'If this lasts, the daemon there hangs or its machine is overloaded: see its log, and restart it.',
    ),
  );
}

export function checkLonely({ name, peers, state, holdsRoot }: DomainFacts): Finding[] {
  if (peers.length > 0 || state !== 'Ready') return [];
  const next = holdsRoot ? `Let others join: dtkd domain invite ${name}.` : `If it is no longer needed: dtkd domain leave ${name}.`;
  return [warning(`peers ${name}`, 'this node is the only member, so nothing of the domain is kept elsewhere', next)];
}

export function checkSuspended({ name, peers }: DomainFacts): Finding[] {
  return peers
    .filter(({ suspended }) => suspended)
    .map((peer) =>
      problem(
        `peer ${name}/${peer.name}`,
        `${peer.name} is suspended: its log forked, as if two daemons ran with one key`,
        `Find out why with its operator; then the founder lifts the suspension with "dtkd domain clear ${name} ID", or removes the member.`,
      ),
    );
}

/** Reports members' conditions, except suspensions, which have a finding of their own. */
export function checkConditions({ name, peers }: DomainFacts): Finding[] {
  return peers.flatMap((peer) =>
    peer.conditions
      .filter((condition) => !condition.startsWith('Suspended:'))
      .map((condition) => warning(`peer ${name}/${peer.name}`, condition, `See "dtkd domain show ${name}".`)),
  );
}

export function checkNames({ name, peers }: DomainFacts): Finding[] {
  return peers
    .filter((peer) => peer.name !== peer.claimedName)
    .map((peer) =>
      warning(
        `name ${name}/${peer.name}`,
        `a member that calls itself ${peer.claimedName} is shown as ${peer.name}, because another node has that name`,
        `Use ${peer.name} for it here. To settle it, let one of the two leave and join again under another name.`,
      ),
    );
}

/** Reports clocks that are off, by the least that is certain: the uncertainty of the round trip is subtracted. */
export function checkClocks({ name, probes }: DomainFacts): Finding[] {
  if (probes.length === 0) return [];
  const wrong = probes
    .map((probe) => ({ ...probe, least: Math.max(0, Math.abs(probe.offsetMs) - probe.boundMs) }))
    .filter(({ least }) => least >= CLOCK_WARNING_MS);
  if (wrong.length === 0) {
    const most = Math.max(...probes.map(({ offsetMs, boundMs }) => Math.abs(offsetMs) + boundMs));
    return [
      ok(
        `clock ${name}`,
        `within ${spanOf(most)} of ${probes.length === 1 ? 'the one' : `the ${probes.length}`} connected that were asked`,
      ),
    ];
  }
  // If most others differ from us in the same direction, our clock is wrong.
  const ours =
    wrong.length > 1 && wrong.length > probes.length / 2 && wrong.every(({ offsetMs }) => offsetMs > 0 === (wrong[0]?.offsetMs ?? 0) > 0);
  return wrong.map(({ peer, offsetMs, least }) =>
    (least >= CLOCK_PROBLEM_MS ? problem : warning)(
      `clock ${name}/${peer}`,
      `the clock of ${peer} is ${spanOf(least)} ${offsetMs > 0 ? 'ahead of' : 'behind'} this one`,
      ours
        ? 'Correct the clock of this machine: most members differ from it. Turn on its synchronisation (timedatectl set-ntp true).'
        : 'Compare both with a correct clock, and turn on synchronisation on both machines (timedatectl set-ntp true).',
    ),
  );
}

function spanOf(ms: number): string {
  return ms < 1_000 ? `${Math.ceil(ms)} ms` : humanDuration(ms);
}

/** Versions are compatible if they have the same series: the first number, or the second before 1.0. */
export function checkVersions({ name, peers }: DomainFacts, own: string): Finding[] {
  const known = peers.flatMap((peer): (PeerFacts & { version: string })[] =>
    peer.version === undefined ? [] : [{ ...peer, version: peer.version }],
  );
  const other = known.flatMap((peer) => {
    const order = compareSeries(peer.version, own);
    return order === undefined || order === 0 ? [] : [{ ...peer, newer: order > 0 }];
  });
  if (other.length > 0)
    return other.map((peer) =>
      warning(
        `version ${name}/${peer.name}`,
        `${peer.name} runs dtkd ${peer.version}, this node ${own}`,
        peer.newer ? `Upgrade this node to ${peer.version}.` : `Upgrade ${peer.name} to ${own}.`,
      ),
    );
  return known.length === 0 ? [] : [ok(`version ${name}`, `all ${known.length + 1} nodes run versions that fit each other`)];
}

/** Negative if `a` is of an older series than `b`; undefined if one of them is not a version. */
function compareSeries(a: string, b: string): number | undefined {
  const [left, right] = [seriesOf(a), seriesOf(b)];
  if (left === undefined || right === undefined) return undefined;
  return left[0] - right[0] || left[1] - right[1];
}

function seriesOf(version: string): [number, number] | undefined {
  const [, major, minor] = /^(\d{1,6})\.(\d{1,6})\./.exec(version) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return [Number(major), major === '0' ? Number(minor) : 0];
}
