import { createServer } from 'node:net';

/**
 * Ports below the kernel's ephemeral range (32768 and up), so that no outgoing connection takes one between the moment when it was
 * found free and the moment when a daemon listens on it; a restarted daemon finds its port free for the same reason.
 */
const FIRST = 20_000;
const LAST = 32_000;

/** A loopback TCP port that nothing listens on and that has not been handed out, here or to tests that run beside. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if ((await isFree(port)) && (await reserve(port))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The kernel knows a name of the port for as long as this process lives, also while no daemon listens there. */
function reserve(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const holder = createServer().unref();
    holder.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'));
    holder.listen(`\0dtkd-test-port-${port}`, () => resolve(true));
  });
}
