/** Limits of the HTTP engine. Times in milliseconds. */
export interface HttpLimits {
  /** How often the times of connections are looked at. */
  sweepMs: number;
  /** A head larger than this is refused (431): room for large cookies, as nginx gives by default. */
  headBytes: number;
  /** Time for a head to arrive once its first byte has: a person's slowest link needs less. */
  headMs: number;
  /** How long a connection may wait for its next request: longer than browsers' polling, shorter than NAT tables remember. */
  idleMs: number;
  /** How long a request body may stand still, or a reader take nothing of its response. */
  stallMs: number;
  /** After the last response: time for the client to read it and close. */
  lingerMs: number;
  /** Request bytes kept while the origin is not ready for them. */
  aheadBytes: number;
  /** Client connections in all. */
  connections: number;
  /** How long an idle connection to an origin is kept: below the five seconds after which many servers close theirs. */
  originIdleMs: number;
  /** Idle connections kept to one origin. */
  originIdle: number;
  /** Interim responses (1xx) to one request. */
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
