import { rmSync } from 'node:fs';

/** Removes a file if a signal ends this process, since nobody else knows of it. Returns a function that cancels this. */
export function removeWhenEnded(path: string): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const end = (signal: NodeJS.Signals): void => {
    rmSync(path, { force: true });
    forget();
    process.kill(process.pid, signal);
  };
  const forget = (): void => {
    for (const signal of signals) process.off(signal, end);
  };
  for (const signal of signals) process.once(signal, end);
  return forget;
}
