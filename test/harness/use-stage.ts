import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { Stage } from './stage.ts';

export interface UseStageOptions {
  /** The tests of the file are one story, each building on what the one before left: after a failure the rest is not told. */
  story?: boolean;
}

/** A stage for one test file: opened before its first test, closed after its last; logs are kept if a test failed. */
export function useStage({ story = false }: UseStageOptions = {}): { readonly current: Stage } {
  let stage: Stage | undefined;
  let failed = false;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  beforeEach((context) => {
    if (story && failed) context.skip('an earlier part of the story failed');
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
