import type { run } from '../test/harness/child.ts';

/** How long a program takes, in milliseconds. Throws with what it said if it fails. */
export async function timed(start: () => ReturnType<typeof run>): Promise<number> {
  const began = performance.now();
  const { code, stdout, stderr } = await start();
  const took = performance.now() - began;
  if (code !== 0) throw new Error(`status ${code}\n${stdout}${stderr}`.slice(-2_000));
  return took;
}
