import { connect } from 'node:net';

/** Long enough for a machine of the same site, short enough not to be waited for, in milliseconds. */
const PROBE_MS = 1_000;

/** Whether something takes TCP connections at the address, as far as this machine can tell within a second. */
export function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_MS });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('connect', () => done(true));
    socket.on('timeout', () => done(false));
    socket.on('error', () => done(false));
  });
}

/** Whether a URL of the daemon shows that it runs on this machine. */
export function isThisMachine(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.');
}
