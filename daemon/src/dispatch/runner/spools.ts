/** The spools of a node: one object for each file, as long as somebody uses it. */
import type { Spool, Spools } from './runner.types.ts';
import { openSpool } from './spool.ts';

/** Spools that nobody holds any more are forgotten when so many are known; and then when there are twice as many as were left. */
const FORGET_FROM = 256;

export function createSpools(): Spools {
  /** Those that are being opened, and those with something to write, are kept; of others it is only known that somebody may have them. */
  const opening = new Map<string, Promise<Spool>>();
  const writing = new Set<Spool>();
  const known = new Map<string, WeakRef<Spool>>();
  let forgetFrom = FORGET_FROM;

  const changed = (spool: Spool, writes: boolean): void => {
    if (writes) writing.add(spool);
    else writing.delete(spool);
  };

  const forget = (): void => {
    for (const [path, ref] of known) if (ref.deref() === undefined) known.delete(path);
    forgetFrom = Math.max(FORGET_FROM, 2 * known.size);
  };

  const start = async (path: string, capBytes: number): Promise<Spool> => {
    const spool = await openSpool(path, capBytes, changed);
    if (known.size >= forgetFrom) forget();
    known.set(path, new WeakRef(spool));
    return spool;
  };

  return {
    async open(path, capBytes) {
      const found = known.get(path)?.deref();
      if (found !== undefined && !found.closed) return found;
      const begun = opening.get(path) ?? start(path, capBytes).finally(() => opening.delete(path));
      opening.set(path, begun);
      return begun;
    },
  };
}
