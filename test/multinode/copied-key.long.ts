import { cp } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { appsSeen, formDomain, publish } from '../harness/domain.ts';
import { ApiFailure, type Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
/** One of the two takes the other's state in, three times, and hears of it by a sync every half minute. */
const NOTICED_MS = 240_000;

describe('a copy of a data directory, run beside the original', () => {
  it('is noticed and refused, and harms nobody else', async () => {
    const [friend, original] = (await stage.current.startAll('friend', 'original')) as [Site, Site];
    await formDomain('twice', [friend, original]);
    await publish(friend, 'of-the-friend', 'twice');
    await publish(original, 'of-the-original', 'twice');
    await waitFor(async () => (await appsSeen(friend)).length === 2, { what: 'both apps at the friend' });
    await original.stop();
    const copy = stage.current.site({ name: 'original', dir: `${original.dir}.copy` });
    await cp(original.dir, copy.dir, { recursive: true });
    await Promise.all([original.start(), copy.start()]);

    let round = 0;
    const refusal = await waitFor(
      async () => {
        round += 1;
        const tries = await Promise.allSettled([original, copy].map((site, index) => publish(site, `round-${round}-${index}`, 'twice')));
        return tries.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason as unknown] : []))[0];
      },
      { what: 'one of the two to refuse to publish', timeoutMs: NOTICED_MS, pollMs: 1_000 },
    );
    expect(refusal).toBeInstanceOf(ApiFailure);
    expect(refusal).toMatchObject({ code: 'KEY_IN_USE_ELSEWHERE' });
    await waitFor(
      async () => {
        const domains = await Promise.all([original, copy].map((site) => site.get('dtdomain', 'twice')));
        return domains.some((domain) => /another process|elsewhere/.test(String(domain?.['message'])));
      },
      { what: 'its dtDomain to say why' },
    );
    expect(await appsSeen(friend)).toContain('friend/of-the-friend');
    await publish(friend, 'still-working', 'twice');
    expect(await appsSeen(friend)).toContain('friend/still-working');
  });
});
