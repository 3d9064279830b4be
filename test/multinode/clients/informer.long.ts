import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { InformerStory } from './informer-story.ts';

const stage = useStage({ story: true });
const SEED = Number(process.env['DTKD_TEST_SEED'] ?? 20_261_122);
const CHANGES = 10_000;

/** The whole of it: ten thousand changes, and everything that can happen to a client meanwhile. */
describe('informers of the Kubernetes client library, over 10,000 changes', () => {
  let story: InformerStory;

  beforeAll(async () => {
    story = await InformerStory.begin(stage.current, SEED);
  });

  afterAll(async () => {
    await story?.end();
  });

  it('hold what several writers leave at three sites', async () => {
    await story.write(1_500);
    await story.agree();
  });

  it('hold it after connections that were cut and stalled', async () => {
    await story.cutMeanwhile(1_200, 15);
    await story.agree();
    await story.breakOff(900);
    await story.stall(600);
    await story.agree();
  });

  it('hold it after nodes that forgot where they were, so that they had to list again', async () => {
    await story.forget(400);
    await story.forget(400, story.site(1));
    await story.agree();
    expect(story.listedAgain()).toBe(true);
  });

  it('hold it after each node was killed in the middle of writes', async () => {
    for (const index of [0, 1, 2]) await story.crash(index, 500);
    await story.agree();
  });

  it('lose nothing of sites that are away, and have the difference when these are back', async () => {
    await story.away(2, 600);
    await story.agree();
    await story.away(1, 400);
    await story.agree();
  });

  it('hold what may be seen, while rights come and go', async () => {
    for (let round = 0; round < 3; round += 1) {
      const site = story.site(round);
      await story.writeDuring(250, () => story.revoke(site, { kind: 'models.dtkd.dev' }));
      if (round === 1) await story.agree();
      await story.writeDuring(250, () => story.grant(site, { kind: 'models.dtkd.dev' }));
      await story.agree();
    }
  });

  it('hold it after all of that at once', async () => {
    while (story.changes < CHANGES - 600) {
      await story.cutMeanwhile(200, 4);
      await story.breakOff(200);
    }
    await story.crash(0, 400);
    await story.write(Math.max(0, CHANGES - story.changes));
    await story.agree();
    expect(story.changes).toBeGreaterThanOrEqual(CHANGES);
  });
});
