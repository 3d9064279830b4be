import { afterAll, beforeAll, describe, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { InformerStory } from './informer-story.ts';

const stage = useStage({ story: true });
const SEED = 7;

/** A few hundred changes; informer.long.ts tells the whole of it. */
describe('informers of the Kubernetes client library', () => {
  let story: InformerStory;

  beforeAll(async () => {
    story = await InformerStory.begin(stage.current, SEED);
  });

  afterAll(async () => {
    await story?.end();
  });

  it('hold what several writers leave at three sites', async () => {
    await story.write(150);
    await story.agree();
  });

  it('hold it after connections that were cut, in the middle of a line too, and that stalled', async () => {
    await story.cutMeanwhile(90, 3);
    await story.breakOff(60);
    await story.stall(60);
    await story.agree();
  });

  it('hold it after the node that they watch was killed', async () => {
    await story.crash(0, 60);
    await story.agree();
  });
});
