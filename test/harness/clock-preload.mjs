// Loaded into a daemon before it: shows it the time of the machine, shifted by the milliseconds that the file in TEST_CLOCK says, which may change at any moment.
import { readFileSync } from 'node:fs';

/** Reading a file takes longer than reading a clock. Milliseconds. */
const LOOK_MS = 10;

const Machine = Date;
const machineNow = Machine.now;
let shift = 0;
let lookedAt = Number.NEGATIVE_INFINITY;

function now() {
  const at = performance.now();
  if (at - lookedAt > LOOK_MS) {
    lookedAt = at;
    shift = Number(readFileSync(process.env.TEST_CLOCK ?? '/dev/null', 'utf8'));
  }
  return machineNow() + shift;
}

globalThis.Date = new Proxy(Machine, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new Machine(now()).toString(),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});
