/**
 * Decides the order of turns: stages, batches, parallelism, and what is not started after a failure. Starts nothing itself and knows no
 * network.
 */
import { inBatches } from '../../plan/batches.ts';
import type { Batch, Stage } from '../../plan/plan.types.ts';

export interface SequencePorts {
  /** Indexes of the targets of each stage, in the order in which they have their turns. */
  stages: readonly { stage: Stage; indexes: readonly number[] }[];
  batch: Batch | undefined;
  pauseOnFailure: boolean;
  /** Marks targets that may be told from now on. Resolves once that is durable. */
  mark(indexes: readonly number[]): Promise<void>;
  /** Tells a target. Resolves when the next may have its turn, with true if it did not succeed. */
  turn(index: number): Promise<boolean>;
  /** Leaves these out: they get no turn. */
  leaveOut(indexes: readonly number[]): void;
  /** Waits for somebody to resume or abort. Resolves with false if it does not go on. */
  pause(): Promise<boolean>;
  /** True once nothing more is to be started. */
  stopped(): boolean;
  note(event: 'batch' | 'stage', text: string): void;
}

/** Gives all targets their turns, or leaves them out. */
export async function runSequence(ports: SequencePorts): Promise<void> {
  const { stages, stopped, leaveOut } = ports;
  for (let at = 0; at < stages.length; ) {
    const here = stages[at];
    if (here === undefined || stopped()) break;
    if (stages.length > 1) ports.note('stage', `Stage ${at + 1} of ${stages.length}: ${here.stage.title}`);
    const well = await runStage(ports, here, at + 1 < stages.length);
    const next = well ? at + 1 : Math.max(at + 1, here.stage.afterFailure);
    leaveOut(stages.slice(at + 1, next).flatMap(({ indexes }) => indexes));
    at = next;
  }
}

/** False if a target did not succeed, unless somebody resumed after that. */
async function runStage(ports: SequencePorts, { stage, indexes }: SequencePorts['stages'][number], more: boolean): Promise<boolean> {
  const batches = inBatches(indexes, ports.batch);
  let well = true;
  for (const [at, batch] of batches.entries()) {
    if (ports.stopped()) return well;
    if (batches.length > 1)
      ports.note('batch', `Batch ${at + 1} of ${batches.length}: ${batch.length} ${batch.length === 1 ? 'target' : 'targets'}`);
    await ports.mark(batch);
    for (let left: readonly number[] = batch; left.length > 0; ) {
      const result = await runBatch(ports, left, stage);
      left = result.left;
      const rest = left.length > 0 || at + 1 < batches.length || more;
      if (ports.stopped()) return well && !result.failed;
      if (!result.failed) continue;
      if (ports.pauseOnFailure && rest) {
        if (!(await ports.pause())) return false;
        continue;
      }
      well = false;
      if (stage.keepGoing) continue;
      ports.leaveOut([...left, ...batches.slice(at + 1).flat()]);
      return false;
    }
  }
  return well;
}

/**
 * Runs `stage.threads` targets at a time. After a failure no more are started, unless the stage keeps going; `left` are those not
 * started.
 */
async function runBatch(
  ports: SequencePorts,
  indexes: readonly number[],
  stage: Stage,
): Promise<{ failed: boolean; left: readonly number[] }> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < indexes.length && !ports.stopped() && (!failed || stage.keepGoing)) {
      const index = indexes[next];
      next += 1;
      if (index !== undefined && (await ports.turn(index))) failed = true;
    }
  };
  await Promise.all(Array.from({ length: Math.min(stage.threads, indexes.length) }, worker));
  return { failed, left: indexes.slice(next) };
}
