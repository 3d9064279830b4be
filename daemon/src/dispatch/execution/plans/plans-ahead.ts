/**
 * Plans that are made before they are needed. One counts for a short while, as long as no object of this node's store has changed that it may rest on, and no member; a plan
 * with work on resources of other nodes never does, for what they change is not told here. It is no promise either way: each target decides when it gets its order.
 */
import { deploymentKind } from '../../../../../protocol/kinds/deployment.ts';
import { eventKind } from '../../../../../protocol/kinds/event.ts';
import { executionKind } from '../../../../../protocol/kinds/execution.ts';
import { taskKind } from '../../../../../protocol/kinds/task.ts';
import type { Change, ObjectStore } from '../../../store/object-store.types.ts';
import type { Members } from '../../dispatch.types.ts';
import type { Plan } from '../../plan/plan.types.ts';

/** Milliseconds. Nodes change in what no store tells, as how they are reached; and rights end with time. */
export const MOST_AGE_MS = 2_000;
/** What running commands write of themselves and of what they install: no plan looks at it. */
const OF_RUNNING: ReadonlySet<string> = new Set([executionKind, taskKind, eventKind, deploymentKind].map(named));

export interface PlansAheadOptions {
  store: Pick<ObjectStore, 'subscribe'>;
  members: Pick<Members, 'onChange'>;
  /** This node's signing key. */
  self: string;
}

export class PlansAhead {
  readonly #options: PlansAheadOptions;
  #revision = 0;
  #stops: (() => void)[] | undefined;
  #stopped = false;

  constructor(options: PlansAheadOptions) {
    this.#options = options;
  }

  /** Makes a plan. The answer gives it, as long as it counts: never, once this has stopped and hears of no change. Errors: those of planning. */
  async make(plan: () => Promise<Plan>): Promise<() => Plan | undefined> {
    if (this.#stopped) return () => undefined;
    this.#listen();
    const revision = this.#revision;
    const at = performance.now();
    const made = await plan();
    const isOwn = made.unanswered.length === 0 && made.parts.every((part) => this.#isOwn(part));
    return () => (isOwn && revision === this.#revision && performance.now() - at <= MOST_AGE_MS ? made : undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#revision += 1;
    for (const stop of this.#stops ?? []) stop();
    this.#stops = undefined;
  }

  #isOwn({ work }: Plan['parts'][number]): boolean {
    return work.type === 'command' && work.owner === this.#options.self;
  }

  #listen(): void {
    const { store, members } = this.#options;
    const changed = () => {
      this.#revision += 1;
    };
    this.#stops ??= [
      store.subscribe((changes) => {
        if (changes.some(isOfPlans)) changed();
      }),
      members.onChange(changed),
    ];
  }
}

function isOfPlans({ ref }: Change): boolean {
  return !OF_RUNNING.has(named(ref));
}

function named({ group, plural }: { group: string; plural: string }): string {
  return `${plural}.${group}`;
}
