/** The spools of a node: one object per file, as long as somebody uses it. */
import type { Spool, Spools } from './runner.types.ts';
import { openSpool } from './spool.ts';

/** Number of known spools at which the collected ones are dropped. Next time, it is at least twice the number that remained. */
const FORGET_FROM = 256;

export function createSpools(): Spools {
  /** Spools that are being opened or have something to write are held. The others are held only weakly, in case somebody uses them. */
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
