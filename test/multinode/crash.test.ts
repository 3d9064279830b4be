import { describe, it } from 'vitest';
import { useStage } from '../harness/use-stage.ts';
import { killDuringWrites } from './crash.ts';

const stage = useStage();

describe('kill -9 during concurrent writes', () => {
  it('loses nothing that was acknowledged, in 6 rounds', async () => {
    await killDuringWrites(await stage.current.start({ name: 'crash' }), 6);
  });
});
