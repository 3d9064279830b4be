/**
 * Checks domains: their state, whether members can reach this node, invites, and missing log entries. Also orders held for others.
 * Pure.
 */
import { isLoopback } from '../../../../protocol/peers/address.ts';
import { type Finding, ok, problem, warning } from '../../../../protocol/requests/checkup.ts';
import { humanDuration } from '../../../../protocol/text/age.ts';
import type { CheckupFacts, DomainFacts } from '../checkup.types.ts';

/** Maximum number of invites that a finding names. */
const MAX_NAMED = 5;
/** Members with at least this many missing entries are reported. */
const BEHIND_ENTRIES = 1;

export function checkState({ name, state, message, port, host }: DomainFacts): Finding[] {
  const check = `domain ${name}`;
  if (state === 'Ready' && message === undefined && port !== undefined) {
    if (host === undefined || !isLoopback(host)) return [ok(check, `Ready, on port ${port} of ${host ?? 'all addresses'}`)];
    return [
      warning(
        check,
        `its port ${port} is open on ${host} only, where no other machine reaches it`,
        'Make it listen on a network address: dtkd up --mesh PORT means all addresses.',
      ),
    ];
  }
  if (state === 'Ready' && port === undefined)
    return [
      problem(
        check,
        `its port could not be opened${because(message)}`,
        'Stop what uses the port, or choose another one (dtkd up --mesh), and restart the daemon.',
      ),
    ];
  const next = `See "dtkd domain show ${name}".`;
  if (state === 'Ready' && message !== undefined) return [problem(check, message, next)];
  if (state === 'Joining' || state === 'Leaving') return [warning(check, `${state}${because(message)}`, next)];
  return [problem(check, `${state}${because(message)}`, next)];
}

function because(message: string | undefined): string {
  return message === undefined ? '' : `: ${message}`;
}

/**
 * Checks which of the announced addresses connected members could reach. One reachable address is enough. If there is none, the
 * present connections only show that this node could dial out.
 */
export function checkReach({ name, port, peers, probes, announce }: DomainFacts): Finding[] {
  const check = `reach ${name}`;
  const answers = probes.filter(({ tried }) => tried !== undefined);
  const tried = new Map<string, boolean>();
  for (const { tried: addresses = [] } of answers)
    for (const { address, reached } of addresses) tried.set(address, reached || tried.get(address) === true);
  if (tried.size === 0) {
    if (peers.length === 0 || port === undefined) return [];
    return [ok(check, 'not known: no connected member could be asked to try')];
  }
  const good = [...tried].filter(([, reached]) => reached).map(([address]) => address);
  const bad = [...tried].filter(([, reached]) => !reached).map(([address]) => address);
  const by = answers.map(({ peer }) => peer).join(', ');
  if (good.length === 0) {
    const text = `${by} could reach this node at none of its addresses: ${bad.join(', ')}`;
    const next = `Open TCP port ${port ?? 'of the mesh'} of this machine to the other sites; behind NAT, forward it and announce the address that is seen from outside (dtkd up --announce ADDRESS).`;
    // A site behind NAT needs no open port as long as it dials the others.
    return peers.some(({ reach }) => reach === 'away')
      ? [problem(check, text, next)]
      : [warning(check, `${text}; nobody is away, since it connects to the others itself`, `If that is not intended: ${next}`)];
  }
  const said = bad.filter((address) => announce.some((text) => isSame(address, text)));
  if (said.length > 0)
    return [
      warning(
        check,
        `${by} reached this node at ${good.join(', ')}, but not at ${said.join(', ')}, which it announces`,
        'Correct --announce, or forward that port to this machine. If only members at this site were asked, it may still be reachable from outside.',
      ),
    ];
  const rest = bad.length === 0 ? '' : `; not at ${bad.join(', ')}, which may be addresses inside this site only`;
  return [ok(check, `${by} reached this node at ${good.join(', ')}${rest}`)];
}

/** True if `text` means the address; `text` may omit the port, and the brackets of IPv6 with it. */
function isSame(address: string, text: string): boolean {
  return address === text || address.startsWith(`${text}:`) || address.startsWith(`[${text}]:`);
}

export function checkInvites({ name, invites }: DomainFacts, now: number): Finding[] {
  const expired = invites.filter(({ expires, revoked, used, uses }) => !revoked && used < uses && expires <= now);
  if (expired.length === 0) return [];
  const ids = expired.slice(0, MAX_NAMED).map(({ id }) => id);
  const more = expired.length > ids.length ? ' …' : '';
  return [
    warning(
      `invites ${name}`,
      `${expired.length === 1 ? 'an invite has' : `${expired.length} invites have`} expired before all who were invited had joined: ${ids.join(', ')}${more}`,
      `Make a new one for whoever still has to join (dtkd domain invite ${name}); an expired one admits nobody.`,
    ),
  ];
}

export function checkLogs({ name, behind, peers }: DomainFacts): Finding[] {
  const late = behind.filter(({ entries }) => entries >= BEHIND_ENTRIES);
  if (late.length === 0) return peers.length === 0 ? [] : [ok(`logs ${name}`, 'all entries that members mentioned are here')];
  const text = late.map(({ author, entries }) => `${entries} of ${author}`).join(', ');
  return [
    warning(
      `logs ${name}`,
      `entries that members mentioned are not here yet: ${text}`,
      'They arrive by themselves within a minute; if not, the members that have them are away, or "dtkd status" says what is wrong with the author.',
    ),
  ];
}

export function checkOrders({ orders: { held, firstExpiry, waiting } }: Pick<CheckupFacts, 'orders'>, now: number): Finding[] {
  if (held === 0) return [ok('orders', waiting === 0 ? 'none is held for anybody' : `${waiting} wait for their turn here`)];
  const expiry =
    firstExpiry === undefined
      ? ''
      : firstExpiry <= now
        ? '; the first has expired'
        : `; the first expires in ${humanDuration(firstExpiry - now)}`;
  return [
    warning(
      'orders',
      `${held} ${held === 1 ? 'order waits' : 'orders wait'} here for members that are away${expiry}`,
      'Bring these members back, carry the orders to them in a file (dtkd bundle export), or abort them (dtkd executions abort).',
    ),
  ];
}
