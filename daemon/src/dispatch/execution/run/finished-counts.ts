/** Outcomes of the executions that this node has started since the daemon started, and of their targets. */
import type { Outcome, Part } from '../../../../../protocol/orders/outcome.ts';

export interface FinishedFigures {
  /** `failed`: at least one target did not succeed and was not skipped. */
  executions: { succeeded: number; failed: number };
  /** Their targets, by the outcome known when all had ended. */
  targets: Readonly<Record<Outcome, number>>;
  /** Those targets whose orders had expired before they were delivered. */
  expired: number;
}

export class FinishedCounts {
  readonly #executions = { succeeded: 0, failed: 0 };
  readonly #targets: Record<Outcome, number> = { succeeded: 0, failed: 0, refused: 0, unreachable: 0, skipped: 0, unknown: 0 };
  #expired = 0;

  add(parts: readonly Part[]): void {
    const failed = parts.some(({ outcome }) => outcome !== 'succeeded' && outcome !== 'skipped');
    this.#executions[failed ? 'failed' : 'succeeded'] += 1;
    for (const { outcome = 'unknown', code } of parts) {
      this.#targets[outcome] += 1;
      if (code === 'ORDER_EXPIRED') this.#expired += 1;
    }
  }

  figures(): FinishedFigures {
    return { executions: { ...this.#executions }, targets: { ...this.#targets }, expired: this.#expired };
  }
}
