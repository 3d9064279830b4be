/** Limits of the HTTP engine. Times in milliseconds. */
export interface HttpLimits {
  /** Interval at which the deadlines of connections are checked. */
  sweepMs: number;
  /** Maximum size of a head; a larger one is refused (431). Leaves room for large cookies, like nginx's default. */
  headBytes: number;
  /** Time for a head to arrive after its first byte. Even the slowest interactive link needs less. */
  headMs: number;
  /** How long a connection may wait for its next request: longer than browsers' polling, shorter than NAT tables remember. */
  idleMs: number;
  /** How long a request body may make no progress, or a client may read nothing of its response. */
  stallMs: number;
  /** Time after the last response for the client to read it and close. */
  lingerMs: number;
  /** Request bytes buffered while the origin is not ready for them. */
  aheadBytes: number;
  /** Client connections in all. */
  connections: number;
  /** How long an idle connection to an origin is kept: less than the five seconds after which many servers close theirs. */
  originIdleMs: number;
  /** Idle connections kept to one origin. */
  originIdle: number;
  /** The most interim responses (1xx) to one request. */
  interims: number;
}

export const HTTP_LIMITS: HttpLimits = {
  sweepMs: 1_000,
  headBytes: 32 * 1024,
  headMs: 10_000,
  idleMs: 75_000,
  stallMs: 300_000,
  lingerMs: 2_000,
  aheadBytes: 64 * 1024,
  connections: 2_048,
  originIdleMs: 4_500,
  originIdle: 64,
  interims: 16,
};
