import { describe, expect, it } from 'vitest';
import { Seldom, type Unsaid } from '../../daemon/src/logging/seldom.ts';

function start() {
  const said: (Unsaid & { topic: string })[] = [];
  const clock = { now: 0 };
  const seldom = new Seldom(() => clock.now);
  return { said, clock, say: (topic: string) => seldom.say(topic, (unsaid) => said.push({ topic, ...unsaid })) };
}

describe('what is repeated', () => {
  it('is said once a minute, with how often it was not', () => {
    const { said, clock, say } = start();
    for (let times = 0; times < 5; times += 1) say('a');
    say('b');
    clock.now = 59_999;
    say('a');
    clock.now = 60_000;
    say('a');
    clock.now = 120_000;
    say('a');
    expect(said).toEqual([{ topic: 'a' }, { topic: 'b' }, { topic: 'a', unsaid: 5 }, { topic: 'a' }]);
  });

  it('counts as one beyond a thousand topics, until some are over', () => {
    const { said, clock, say } = start();
    for (let topic = 0; topic < 3_000; topic += 1) say(`t${topic}`);
    expect(said).toHaveLength(1_025);
    clock.now = 60_000;
    say('new');
    expect(said.at(-1)).toEqual({ topic: 'new' });
  });
});
