import { describe, expect, it } from 'vitest';
import { Turns } from '../../daemon/src/counting/turns.ts';

/** Takes turns by name; `begun` has those whose turn has come. */
function taker(turns: Turns) {
  const begun: string[] = [];
  return { begun, take: (name: string) => turns.take(name.slice(0, 1), () => void begun.push(name)) };
}

describe('turns', () => {
  it('are of each and of all, and come in the order of asking', () => {
    const { begun, take } = taker(new Turns({ each: 2, all: 3 }));
    const [a1, , , b1] = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map(take);
    expect(begun).toEqual(['a1', 'a2', 'b1']);
    b1?.();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'b2']);
    a1?.();
    // ending twice ends no other one
    a1?.();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'b2', 'a3']);
  });

  it('are refused where too many wait, and who waits no more makes room', () => {
    const { begun, take } = taker(new Turns({ each: 1, waitingEach: 1, waiting: 2 }));
    const a1 = take('a1');
    const a2 = take('a2');
    expect(take('a3')).toBeUndefined();
    take('b1');
    take('b2');
    take('c1');
    expect(take('c2')).toBeUndefined();
    a2?.();
    expect(take('c3')).toBeDefined();
    a1?.();
    take('a4');
    expect(begun).toEqual(['a1', 'b1', 'c1', 'a4']);
  });

  it('are shared, where there is always room for the next', () => {
    const { begun, take } = taker(new Turns({ each: 8, all: 16, sharing: true, waitingEach: 0 }));
    for (const who of 'abcd') for (let times = 0; times < 20; times += 1) take(`${who}${times}`);
    const counts = Object.groupBy(begun, (name) => name.slice(0, 1));
    expect(Object.values(counts).map((own) => own?.length)).toEqual([8, 4, 2, 1]);
    expect(take('e0')).toBeDefined();
  });

  it('can be waited for until a signal says otherwise', async () => {
    const turns = new Turns({ each: 1 });
    const end = await turns.wait('a');
    const gone = new AbortController();
    const second = turns.wait('a', gone.signal);
    const third = turns.wait('a');
    gone.abort(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    await expect(turns.wait('a', gone.signal)).rejects.toThrow('gone');
    end?.();
    expect(await third).toBeDefined();
  });
});
