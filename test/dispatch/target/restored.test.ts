import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { from, orderOf, shell, world } from './world.ts';

describe('a target that was put back from a backup', () => {
  it('starts nothing that its journal took before, nor what was ordered before and it does not know', async () => {
    const site = await world({ policy: { limits: { concurrency: 1 } } });
    try {
      const marker = join(site.directory, 'marker');
      const gate = join(site.directory, 'gate');
      const first = orderOf({
        work: shell(`waited=0; while [ ! -e ${gate} ] && [ $waited -lt 400 ]; do sleep 0.05; waited=$((waited+1)); done`),
      });
      const waiting = orderOf({ work: shell(`echo waiting >>${marker}`) });
      const unknown = orderOf({ work: shell(`echo unknown >>${marker}`) });
      await site.target.accept(from(site), { order: first.bytes });
      const accepted = await site.target.accept(from(site), { order: waiting.bytes });
      expect(accepted.part().state).toBe('accepted');
      site.members.restored = Date.now() + 1;
      await site.crash();
      const [part] = await site.target.find({ type: 'operator', name: 'operator' }, waiting.id);
      expect(await part?.ended).toMatchObject({ outcome: 'unknown', reason: expect.stringContaining('restored') });
      const again = await site.target.accept(from(site), { order: waiting.bytes });
      expect(await again.ended).toMatchObject({ outcome: 'unknown' });
      const late = await site.target.accept(from(site), { order: unknown.bytes });
      expect(await late.ended).toMatchObject({ outcome: 'unknown', reason: expect.stringContaining('restored') });
      expect(await readFile(marker, 'utf8').catch(() => 'nothing')).toBe('nothing');
    } finally {
      await site.close();
    }
  });
});
