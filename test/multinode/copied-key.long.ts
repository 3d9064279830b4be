import { cp } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { appsSeen, formDomain, publish } from '../harness/domain.ts';
import { ApiFailure, type Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
/** Each hears of the other by comparing with the friend every few seconds, and once more: on a calm machine it takes ten seconds. */
const NOTICED_MS = 120_000;

describe('a copy of a data directory, run beside the original', () => {
  it('is noticed by both, which publish no more until one is left, and harms nobody else', async () => {
    const [friend, original] = (await stage.current.startAll('friend', 'original')) as [Site, Site];
    await formDomain('twice', [friend, original]);
    await publish(friend, 'of-the-friend', 'twice');
    await publish(original, 'of-the-original', 'twice');
    await waitFor(async () => (await appsSeen(friend)).length === 2, { what: 'both apps at the friend' });
    await original.stop();
    const copy = stage.current.site({ name: 'original', dir: `${original.dir}.copy` });
    await cp(original.dir, copy.dir, { recursive: true });
    await Promise.all([original.start(), copy.start()]);

    const both = [original, copy];
    const written = ['of-the-original'];
    const write = async (site: Site, name: string): Promise<unknown> => {
      const refusal: unknown = await publish(site, name, 'twice').catch((error: unknown) => error);
      if (refusal === undefined) written.push(name);
      return refusal;
    };
    // That it is noticed must not need users who go on writing. It may be noticed before they begin.
    await write(original, 'by-the-original');
    await write(copy, 'by-the-copy');
    for (const site of both) {
      await site.waitForObject('dtdomain', 'twice', ({ message }) => /another process/.test(String(message)), NOTICED_MS);
      const refusal = await write(site, 'more');
      expect(refusal).toBeInstanceOf(ApiFailure);
      expect(refusal).toMatchObject({ code: 'KEY_IN_USE_ELSEWHERE' });
    }
    await publish(friend, 'still-working', 'twice');
    expect(await appsSeen(friend)).toContain('friend/still-working');
    await copy.stop();
    await original.restart();
    expect(await write(original, 'alone-again')).toBeUndefined();
    const apps = ['friend/of-the-friend', 'friend/still-working', ...written.map((name) => `original/${name}`)].sort().join();
    for (const site of [friend, original]) {
      await waitFor(async () => (await appsSeen(site)).join() === apps, {
        what: `all that both had written at ${site.name}`,
        timeoutMs: NOTICED_MS,
      });
    }
  });
});
