/** The input of the checks: plain values, gathered by `gathering.ts`. A fact that could not be determined in time is undefined. */
export interface PeerFacts {
  /** Name of its dtPeer. */
  id: string;
  name: string;
  /** The name in its certificate; differs from `name` if that name is not unique here. */
  claimedName: string;
  reach: 'connected' | 'idle' | 'away';
  path: 'self' | 'direct' | 'relayed' | undefined;
  address: string | undefined;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  /** Why the last attempt to reach it directly failed. */
  failure: string | undefined;
  /** What to do about that, if it is not the usual advice. */
  advice?: string | undefined;
  /** How often its connection was lost lately, if that was often. */
  lost?: { times: number; withinMs: number } | undefined;
  /** True if it was reached but runs an incompatible version; one of its conditions says so. */
  misfit: boolean;
  suspended: boolean;
  conditions: readonly string[];
  /** Its version of dtkd; undefined while its Node is not known here. */
  version: string | undefined;
}

export interface InviteFacts {
  id: string;
  uses: number;
  used: number;
  /** Milliseconds since the epoch. */
  expires: number;
  revoked: boolean;
}

/** The answer of a connected member. */
export interface ProbeFacts {
  peer: string;
  offsetMs: number;
  boundMs: number;
  /** Addresses of this node that it tried to reach; undefined if it was not asked to. */
  tried: readonly { address: string; reached: boolean }[] | undefined;
}

export interface DomainFacts {
  name: string;
  state: string;
  message: string | undefined;
  holdsRoot: boolean;
  /** Name of the member that founded the domain, if it is known. */
  founder: string | undefined;
  port: number | undefined;
  /** Address that the port is open on; undefined means all of this machine. */
  host: string | undefined;
  /** Addresses that the operator has this node announce to members, `HOST` or `HOST:PORT`. */
  announce: readonly string[];
  /** The other members. */
  peers: readonly PeerFacts[];
  /** The domain's invites, if this node holds the root key; else none. */
  invites: readonly InviteFacts[];
  probes: readonly ProbeFacts[];
  /** Connected members that did not answer, and why. */
  silent: readonly { peer: string; why: string }[];
  /** Members whose logs are incomplete here, with the number of missing entries. */
  behind: readonly { author: string; entries: number }[];
}

export interface AppFacts {
  name: string;
  status: string;
  message: string | undefined;
  /** Whether an endpoint answers; undefined if there is none to try. */
  answers: boolean | undefined;
}

export interface MachineFacts {
  /** Longest delay of the event loop while the checks ran, in milliseconds. */
  lagMs: number;
  memory: { rss: number; limit: number | undefined; heapUsed: number; heapLimit: number };
  /** Address families in which this machine has an address that is neither loopback nor link-local. */
  families: { ipv4: boolean; ipv6: boolean };
}

export interface CheckupFacts {
  /** Milliseconds since the epoch. */
  now: number;
  version: string;
  node: string;
  domains: readonly DomainFacts[];
  machine: MachineFacts;
  /** The file system of the data directory. */
  disk: { freeBytes: number; sizeBytes: number; freeInodes: number; inodes: number } | undefined;
  /** Checks of /readyz that fail. */
  notReady: readonly { name: string; reason: string }[] | undefined;
  /** The API's certificates by name; times in milliseconds since the epoch. */
  certificates: readonly { name: string; begins: number; expires: number }[] | undefined;
  apps: readonly AppFacts[] | undefined;
  /** Sentences about problems with this machine's clock. */
  clock: readonly string[];
  audit: { conditions: readonly string[]; lost: number; unpublished: number; publishedAt: number | undefined };
  /**
   * Orders that this node holds for members that are away, when the first of them expires (milliseconds since the epoch), and how
   * many wait for their turn here.
   */
  orders: { held: number; firstExpiry: number | undefined; waiting: number };
  /** Whether names below the suffix lead to the ingress; `error` is the code of the resolver. */
  suffix: { name: string; ingress: string; addresses: readonly string[]; error: string | undefined } | undefined;
  /** Undefined if mDNS is turned off; the code of the error if multicast cannot be used. */
  multicast: { works: boolean; error: string | undefined } | undefined;
}
