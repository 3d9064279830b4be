import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule, type ScheduledStep } from '../../../../daemon/src/catalog/instances/tasks/schedule.ts';

const step = (number: string, after: string[] = []): ScheduledStep => ({ number, after, works: true });
const group = (number: string, after: string[] = []): ScheduledStep => ({ number, after, works: false });

describe('the order of steps', () => {
  it('starts what waits for nothing, and the rest as it comes free', () => {
    const schedule = new Schedule([step('1'), step('2', ['1']), step('3', ['1', '2']), step('4')], { keepGoing: false });
    expect(schedule.ready()).toEqual(['1', '4']);
    schedule.started('1');
    expect(schedule.ready()).toEqual(['4']);
    schedule.ended('1', 'succeeded');
    expect(schedule.ready()).toEqual(['4', '2']);
  });

  it('ends groups with what is in them', () => {
    const schedule = new Schedule([group('1'), step('1.1'), group('1.2'), step('1.2.1'), step('2', ['1'])], { keepGoing: true });
    schedule.started('1.2.1');
    expect(['1', '1.2', '1.1'].map((number) => schedule.state(number))).toEqual(['executing', 'executing', 'created']);
    schedule.ended('1.2.1', 'succeeded');
    expect(schedule.state('1.2')).toBe('succeeded');
    expect(schedule.ready()).toEqual(['1.1']);
    schedule.started('1.1');
    schedule.ended('1.1', 'succeeded');
    expect(schedule.state('1')).toBe('succeeded');
    expect(schedule.ready()).toEqual(['2']);
  });

  it('skips what depends on a failure, and everything unless it is to keep going', () => {
    for (const keepGoing of [true, false]) {
      const schedule = new Schedule([step('1'), step('2', ['1']), step('3'), step('4', ['3'])], { keepGoing });
      schedule.started('1');
      schedule.started('3');
      schedule.ended('1', 'failed');
      expect(schedule.state('2')).toBe('skipped');
      expect(schedule.state('4')).toBe(keepGoing ? 'created' : 'skipped');
      schedule.ended('3', 'succeeded');
      expect(schedule.ready()).toEqual(keepGoing ? ['4'] : []);
      expect(schedule.outcome()).toBe('failed');
    }
  });

  it('starts nothing once it was stopped', () => {
    const schedule = new Schedule([step('1'), step('2')], { keepGoing: true });
    schedule.started('1');
    schedule.stop();
    expect(schedule.ready()).toEqual([]);
    expect(schedule.state('2')).toBe('skipped');
    schedule.ended('1', 'succeeded');
    expect(schedule.outcome()).toBe('failed');
  });

  it('runs each step once, after all that it waits for, whatever ends how', () => {
    const plan = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.boolean()), { minLength: 1, maxLength: 25 }).map((seeds) =>
      seeds.map(([one, two, fails], index) => ({
        step: step(String(index + 1), index === 0 ? [] : [...new Set([one, two].map((seed) => String((seed % index) + 1)))]),
        fails,
      })),
    );
    fc.assert(
      fc.property(plan, fc.boolean(), fc.integer({ min: 1, max: 4 }), (steps, keepGoing, threads) => {
        const schedule = new Schedule(
          steps.map((one) => one.step),
          { keepGoing },
        );
        const [started, good, active] = [new Set<string>(), new Set<string>(), [] as string[]];
        let failed = false;
        for (;;) {
          for (const number of schedule.ready().slice(0, threads - active.length)) {
            expect(started.has(number) || (failed && !keepGoing)).toBe(false);
            const { after } = steps[Number(number) - 1]?.step ?? step('');
            expect(after.every((one) => good.has(one))).toBe(true);
            started.add(number);
            active.push(number);
            schedule.started(number);
          }
          const number = active.shift();
          if (number === undefined) break;
          const fails = steps[Number(number) - 1]?.fails === true;
          failed ||= fails;
          if (!fails) good.add(number);
          schedule.ended(number, fails ? 'failed' : 'succeeded');
        }
        for (const { step: one } of steps) expect(['succeeded', 'failed', 'skipped']).toContain(schedule.state(one.number));
        expect(schedule.outcome()).toBe(good.size === steps.length ? 'succeeded' : 'failed');
      }),
    );
  });
});
