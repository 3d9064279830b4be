import { DtkdError } from '../../protocol/errors.ts';
import { dtDomainKind } from '../../protocol/kinds/dtdomain.ts';
import { booleanAt, isRecord, type JsonRecord, listAt, numberAt, textAt, textsAt, timeAt } from '../json.ts';
import { type ApiClient, type Target, THIS_NODE } from './api.ts';

/** A dtDomain of this node, or a subresource of it. */
export function domainTarget(name: string, ...sub: string[]): Target {
  return { kind: dtDomainKind, namespace: THIS_NODE, name, sub };
}

/** The dtDomains of this node. */
export async function listDomains(client: ApiClient): Promise<JsonRecord[]> {
  return listAt(await client.get({ kind: dtDomainKind, namespace: THIS_NODE }), 'items').filter(isRecord);
}

/** The given name, or the name of the only domain that this node is in. Errors: BAD_REQUEST, NOT_FOUND. */
export async function domainNamed(client: ApiClient, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const names = (await listDomains(client)).flatMap((domain) => textAt(domain, 'metadata', 'name') ?? []);
  const [name, ...more] = names;
  if (name === undefined) {
    throw new DtkdError('NOT_FOUND', 'this node is in no domain', {
      next: 'Found one (dtkd domain create NAME) or join one (dtkd domain join ADDRESS TOKEN).',
    });
  }
  if (more.length > 0) {
    throw new DtkdError('BAD_REQUEST', `this node is in ${names.length} domains`, { next: `Say which: ${names.join(', ')}.` });
  }
  return name;
}

/** A member as `domain show` prints it. */
export interface MemberInfo {
  id: string;
  name: string;
  self: boolean;
  founder: boolean;
  connected: boolean;
  /** idle: not connected, but connected on demand. */
  reach: 'connected' | 'idle' | 'away';
  suspended: boolean;
  path: string | undefined;
  address: string | undefined;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  conditions: string[];
  /** False if it has not reported, since the daemon started, which removals it knows of. */
  heard: boolean;
}

/** A domain as its daemon sees it now. */
export interface DomainInfo {
  name: string;
  id: string;
  state: string;
  message: string | undefined;
  holdsRoot: boolean;
  founder: string | undefined;
  port: number | undefined;
  members: MemberInfo[];
  removed: { id: string; name: string; left: boolean; heardBy: string[] }[];
}

/** Requests the members of a domain and parses the answer. */
export async function domainInfo(client: ApiClient, name: string): Promise<DomainInfo> {
  return parseDomainInfo(await client.call('GET', domainTarget(name, 'members')));
}

export function parseDomainInfo(view: unknown): DomainInfo {
  return {
    name: textAt(view, 'name') ?? '',
    id: textAt(view, 'id') ?? '',
    state: textAt(view, 'state') ?? 'Unknown',
    message: textAt(view, 'message'),
    holdsRoot: booleanAt(view, 'holdsRoot'),
    founder: textAt(view, 'founderName'),
    port: numberAt(view, 'port'),
    members: listAt(view, 'peers').map((peer) => ({
      id: textAt(peer, 'id') ?? '',
      name: textAt(peer, 'displayName') ?? textAt(peer, 'claimedName') ?? '',
      self: booleanAt(peer, 'self'),
      founder: booleanAt(peer, 'founder'),
      connected: booleanAt(peer, 'connected'),
      reach: booleanAt(peer, 'connected') ? 'connected' : textAt(peer, 'reach') === 'idle' ? 'idle' : 'away',
      suspended: booleanAt(peer, 'suspended'),
      path: textAt(peer, 'path'),
      address: textAt(peer, 'address'),
      since: timeAt(peer, 'since'),
      conditions: textsAt(peer, 'conditions'),
      heard: isRecord(peer) && peer['heardRemovals'] !== undefined,
    })),
    removed: listAt(view, 'removed').map((gone) => ({
      id: textAt(gone, 'id') ?? '',
      name: textAt(gone, 'name') ?? '',
      left: booleanAt(gone, 'left'),
      heardBy: textsAt(gone, 'heardBy'),
    })),
  };
}

/** An invite as the daemon reports it. */
export interface InviteInfo {
  id: string;
  uses: number;
  used: number;
  /** Milliseconds since the epoch. */
  expires: number;
  revoked: boolean;
  replace: string | undefined;
  token: string | undefined;
}

export function parseInvite(view: unknown): InviteInfo {
  return {
    id: textAt(view, 'id') ?? '',
    uses: numberAt(view, 'uses') ?? 0,
    used: numberAt(view, 'used') ?? 0,
    expires: timeAt(view, 'expires') ?? 0,
    revoked: booleanAt(view, 'revoked'),
    replace: textAt(view, 'replace'),
    token: textAt(view, 'token'),
  };
}

/** Why an invite can or cannot be used now. */
export function inviteState(invite: InviteInfo, now: number): 'usable' | 'revoked' | 'expired' | 'used up' {
  if (invite.revoked) return 'revoked';
  if (invite.expires <= now) return 'expired';
  return invite.used >= invite.uses ? 'used up' : 'usable';
}

/**
 * The given domains, if this node is in them; otherwise the only domain of this node. Errors: BAD_REQUEST, FORBIDDEN, NOT_FOUND, REMOVED.
 */
export async function chooseDomains(client: ApiClient, given: readonly string[] | undefined): Promise<string[]> {
  const all = await listDomains(client);
  const left = all.filter((domain) => textAt(domain, 'status') === 'Removed');
  const known = all.filter((domain) => !left.includes(domain)).map(nameOf);
  const meant = given === undefined && known.length === 0 ? left[0] : left.find((domain) => given?.includes(nameOf(domain)) === true);
  if (meant !== undefined) {
    throw new DtkdError('REMOVED', `this node is no longer a member of ${nameOf(meant)}, so nobody there would see it`, {
      next: textAt(meant, 'message') ?? 'Join it again with a new invite.',
    });
  }
  if (known.length === 0) {
    const me = await client.daemon('GET', 'whoami');
    if (textAt(me, 'type') === 'user') {
      throw new DtkdError(
        'FORBIDDEN',
        `no domain of ${textAt(me, 'node') ?? 'this node'} is visible to ${textAt(me, 'display') ?? 'you'}`,
        {
          next: `Ask its operator for this right: dtkd grant ${textAt(me, 'display') ?? 'USER@NODE'} READ --on dtdomain`,
        },
      );
    }
    throw new DtkdError('BAD_REQUEST', 'this node is in no domain', {
      next: 'Found one with "dtkd domain create NAME" or join one with "dtkd domain join".',
    });
  }
  const next = `This node is in: ${known.join(', ')}.`;
  if (given === undefined) {
    if (known.length === 1) return known;
    throw new DtkdError('BAD_REQUEST', 'this node is in several domains: name one with --domain', { next });
  }
  const unknown = given.find((name) => !known.includes(name));
  if (unknown === undefined) return [...new Set(given)];
  throw new DtkdError('NOT_FOUND', `this node is in no domain named ${unknown.slice(0, 80)}`, { next });
}

function nameOf(domain: JsonRecord): string {
  return textAt(domain, 'metadata', 'name') ?? '';
}
