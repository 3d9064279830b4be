import { afterAll, afterEach, beforeAll } from 'vitest';
import { Stage } from './stage.ts';

/** A stage for one test file: opened before its first test, closed after its last; logs are kept if a test failed. */
export function useStage(): { readonly current: Stage } {
  let stage: Stage | undefined;
  let failed = false;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach((context) => {
    if (context.task.result?.state === 'fail') failed = true;
  });
  afterAll(async () => {
    await stage?.close({ keep: failed });
  });
  return {
    get current() {
      if (stage === undefined) throw new Error('the stage opens before the first test');
      return stage;
    },
  };
}
