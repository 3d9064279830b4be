// Loaded into a daemon before it: shows it the time of the machine, shifted by the milliseconds that the file in TEST_CLOCK says, which may change at any moment.
import { readFileSync } from 'node:fs';

const Machine = Date;
const machineNow = Machine.now;
/** Reads the offset each time: a test that has set the clock may ask the daemon for it at once. */
function now() {
  return machineNow() + Number(readFileSync(process.env.TEST_CLOCK ?? '/dev/null', 'utf8'));
}

globalThis.Date = new Proxy(Machine, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new Machine(now()).toString(),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});
