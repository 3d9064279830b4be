import { rmSync } from 'node:fs';

/** Takes a file along if a signal ends this process: nobody else would know of it. Returns a function that ends this. */
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
