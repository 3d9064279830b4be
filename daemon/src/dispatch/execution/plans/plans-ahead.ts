/**
 * Plans that are made before they are needed. One is valid for a short while, as long as no member has changed, and no object in this
 * node's store that it may rest on. A plan with work on resources of other nodes is never valid, since this node does not hear of changes
 * to them. A valid plan is no promise: each target decides when it gets its order.
 */
import { deploymentKind } from '../../../../../protocol/kinds/deployment.ts';
import { eventKind } from '../../../../../protocol/kinds/event.ts';
import { executionKind } from '../../../../../protocol/kinds/execution.ts';
import { taskKind } from '../../../../../protocol/kinds/task.ts';
import type { Change, ObjectStore } from '../../../store/object-store.types.ts';
import type { Members } from '../../dispatch.types.ts';
import type { Plan } from '../../plan/plan.types.ts';

/** Milliseconds. Some changes reach no store, such as how nodes are reached; and rights expire. */
export const MOST_AGE_MS = 2_000;
/** Objects that running commands write about themselves and what they install: no plan depends on them. */
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

  /**
   * Makes a plan. The returned function gives it as long as it is valid. After `stop`, which ends listening for changes, none is. Errors:
   * those of planning.
   */
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
