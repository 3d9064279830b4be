import { describe, expect, it } from 'vitest';
import { Crowd, networkOf, whoGivesWay } from '../../daemon/src/counting/crowd.ts';

describe('a crowd of strangers', () => {
  it('evicts the oldest of the network that has most', () => {
    const gone: string[] = [];
    const crowd = new Crowd<string>(4, (member) => gone.push(member));
    crowd.add('honest', '192.0.2.1');
    for (let index = 0; index < 20; index += 1) crowd.add(`flood${index}`, '198.51.100.7');
    crowd.add('other', '192.0.2.2');
    expect([...crowd]).toEqual(['honest', 'flood18', 'flood19', 'other']);
    expect(gone[0]).toBe('flood0');
    expect(crowd.delete('honest')).toBe(true);
    expect(crowd.size).toBe(3);
  });

  it('takes the addresses of one IPv6 network for one', () => {
    const one = ['2001:db8:1:2::1', '2001:0db8:0001:0002:ffff:1:2:3', '2001:db8:1:2:a::192.0.2.1', '2001:DB8:1:2::%eth0'];
    expect(new Set(one.map(networkOf))).toEqual(new Set(['2001:db8:1:2']));
    expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0');
    expect(networkOf('::1')).toBe('0:0:0:0');
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(networkOf('192.0.2.1')).not.toBe(networkOf('192.0.2.2'));
    expect(networkOf('some key')).toBe('some key');
  });
});

describe('who gives way where there is no room', () => {
  const all = (text: string) => text.split(' ').map((one) => ({ member: one, network: one.slice(0, 1), waits: one.endsWith('-') }));

  it.each<[string, string, string | undefined, string]>([
    ['a1 b2- a3- a4-', 'b', 'a3-', 'the oldest that waits of whoever has most that wait'],
    ['a1 a2 a3 b4-', 'c', 'b4-', 'one that waits before one that does not'],
    ['a1 a2 a3 b4', 'b', 'a1', 'if none waits, the oldest of whoever holds most'],
    ['a1 a2 b3 b4', 'c', 'a1', 'also of two who hold half of all'],
    ['a1 a2 b3 b4 c5', 'c', undefined, 'nobody who would then hold less'],
    ['a1 a2 b3', 'a', undefined, 'none of its own'],
    ['a1 b2', 'c', undefined, 'nobody who holds but one'],
    ['a1 a2 a3 a4 a5 a6 a7 a8 b9-', 'a', 'b9-', 'one that waits, also to a network that holds more'],
    ['a1 a2 a3 a4 a5 a6 a7 a8 a9 b10-', 'a', undefined, 'not to one that holds many times as much'],
    ['a1 a2 a3 a4 a5 a6 a7 a8 a9- b10-', 'a', 'a9-', 'but to that of its own'],
  ])('of %s to %s: %s, %s', (text, network, victim, _why) => {
    expect(whoGivesWay(all(text), network)).toBe(victim);
  });

  it('comes to equal shares of all who want more than theirs, and leaves the others what they have', () => {
    const present: string[] = [];
    const knock = (network: string) => {
      const victim = present.length < 60 ? undefined : whoGivesWay(all(present.join(' ')), network);
      if (victim !== undefined) present.splice(present.indexOf(victim), 1);
      if (present.length < 60) present.push(`${network}${serial++}`);
    };
    let serial = 0;
    for (const network of ['a', 'b']) for (let times = 0; times < 100; times += 1) knock(network);
    for (let times = 0; times < 100; times += 1) for (const network of 'abc') knock(network);
    for (let times = 0; times < 5; times += 1) knock('d');
    for (let times = 0; times < 100; times += 1) for (const network of 'abc') knock(network);
    const held = Object.groupBy(present, (one) => one.slice(0, 1));
    expect(Object.fromEntries(Object.entries(held).map(([network, own]) => [network, own?.length]))).toEqual({ a: 18, b: 18, c: 19, d: 5 });
  });
});
