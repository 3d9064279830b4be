/** Counts the outcomes of requests to other nodes, and how long they took to answer. Forgets nodes that are no longer members. */
import { type DurationCounts, Durations, NETWORK_BOUNDS } from '../../counting/durations.ts';

/**
 * `answered`, `denied` (401, 403) and `failed` (any other 4xx or 5xx) are answers. `late`: no answer in time. `unreachable`: no
 * connection, or it broke. `untrue`: an answer that violates the protocol. `dropped`: given up on this side.
 */
const ASKED_OUTCOMES = ['answered', 'denied', 'failed', 'late', 'unreachable', 'untrue', 'dropped'] as const;
export type AskedOutcome = (typeof ASKED_OUTCOMES)[number];

export interface AskedFigures {
  node: string;
  outcomes: Readonly<Record<AskedOutcome, number>>;
  /** From the request to the head of the answer, for requests that were answered. */
  durations: DurationCounts;
}

interface Asked {
  outcomes: Record<AskedOutcome, number>;
  durations: Durations;
}

export class AskedCounts {
  readonly #asked = new Map<string, Asked>();

  /** `ms`: time until the head of the answer, if one came. */
  add(node: string, outcome: AskedOutcome, ms?: number): void {
    let asked = this.#asked.get(node);
    if (asked === undefined) {
      const outcomes = { answered: 0, denied: 0, failed: 0, late: 0, unreachable: 0, untrue: 0, dropped: 0 };
      asked = { outcomes, durations: new Durations(NETWORK_BOUNDS) };
      this.#asked.set(node, asked);
    }
    asked.outcomes[outcome] += 1;
    if (ms !== undefined) asked.durations.add(ms);
  }

  /** Figures of those of these nodes that were asked; all others are forgotten. */
  of(nodes: readonly string[]): AskedFigures[] {
    const present = new Set(nodes);
    for (const node of this.#asked.keys()) if (!present.has(node)) this.#asked.delete(node);
    return [...this.#asked].map(([node, { outcomes, durations }]) => ({ node, outcomes: { ...outcomes }, durations: durations.counts() }));
  }
}

export function outcomeOfStatus(status: number): AskedOutcome {
  if (status < 400) return 'answered';
  return status === 401 || status === 403 ? 'denied' : 'failed';
}

export function outcomeOfCode(code: string): AskedOutcome {
  switch (code) {
    case 'TIMEOUT':
      return 'late';
    case 'PEER_AWAY':
      return 'unreachable';
    case 'FRAME_INVALID':
    case 'FRAME_TOO_LARGE':
      return 'untrue';
    default:
      return 'dropped';
  }
}
