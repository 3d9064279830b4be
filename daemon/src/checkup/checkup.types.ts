/** What the checks look at: plain values, gathered by `gathering.ts`. A fact that could not be found out in time is undefined. */
export interface PeerFacts {
  /** Name of its dtPeer. */
  id: string;
  name: string;
  /** The name in its certificate; another one than `name` where that would not be unique. */
  claimedName: string;
  reach: 'connected' | 'idle' | 'away';
  path: 'self' | 'direct' | 'relayed' | undefined;
  address: string | undefined;
  /** Milliseconds since the epoch. */
  since: number | undefined;
  /** Why the last try to reach it directly failed. */
  failure: string | undefined;
  /** What to do about that, where it is not what is usual. */
  advice?: string | undefined;
  /** It was reached, and runs a version that does not fit this one; one of its conditions says so. */
  misfit: boolean;
  suspended: boolean;
  conditions: readonly string[];
  /** Where and what it is; undefined while its Node is not known here. */
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

/** What a connected member said. */
export interface ProbeFacts {
  peer: string;
  offsetMs: number;
  boundMs: number;
  /** Addresses of this node that it tried; undefined if it was not asked to. */
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
  /** Addresses that the operator has it tell members, `HOST` or `HOST:PORT`. */
  announce: readonly string[];
  /** The other members. */
  peers: readonly PeerFacts[];
  /** Of this node, if it holds the root; else none. */
  invites: readonly InviteFacts[];
  probes: readonly ProbeFacts[];
  /** Connected members that did not answer, with why. */
  silent: readonly { peer: string; why: string }[];
  /** Members whose logs are not all here. */
  behind: readonly { author: string; entries: number }[];
}

export interface AppFacts {
  name: string;
  status: string;
  message: string | undefined;
  /** Undefined if there is nothing to try. */
  answers: boolean | undefined;
}

export interface MachineFacts {
  /** Longest delay of the event loop while the checks ran. Milliseconds. */
  lagMs: number;
  memory: { rss: number; limit: number | undefined; heapUsed: number; heapLimit: number };
  /** Families with an address that is neither loopback nor link-local. */
  families: { ipv4: boolean; ipv6: boolean };
}

export interface CheckupFacts {
  /** Milliseconds since the epoch. */
  now: number;
  version: string;
  node: string;
  domains: readonly DomainFacts[];
  machine: MachineFacts;
  /** Of the file system of the data directory. */
  disk: { freeBytes: number; sizeBytes: number; freeInodes: number; inodes: number } | undefined;
  /** Checks of /readyz that fail. */
  notReady: readonly { name: string; reason: string }[] | undefined;
  /** Of the API, by name. Milliseconds since the epoch. */
  certificates: readonly { name: string; begins: number; expires: number }[] | undefined;
  apps: readonly AppFacts[] | undefined;
  /** Sentences about the clock of this machine. */
  clock: readonly string[];
  audit: { conditions: readonly string[]; lost: number; unpublished: number; publishedAt: number | undefined };
  /** Orders that this node holds for members that are away; the first of them to expire, in milliseconds since the epoch. */
  orders: { held: number; firstExpiry: number | undefined; waiting: number };
  /** Whether names below the suffix lead to the ingress; `error` is the code of the resolver. */
  suffix: { name: string; ingress: string; addresses: readonly string[]; error: string | undefined } | undefined;
  /** Undefined if mDNS is turned off; the code of the error if multicast cannot be used. */
  multicast: { works: boolean; error: string | undefined } | undefined;
}
