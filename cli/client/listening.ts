import { connect } from 'node:net';
import type { HostPort } from '../input/host-port.ts';

/** Milliseconds. Long enough for a machine at the same site, short enough for a person to wait. */
const PROBE_MS = 1_000;

/**
 * True if none of the endpoints accepts connections. False without a check unless the daemon of the URL runs on this machine, and so sees
 * the same network.
 */
export async function isSilent(url: URL, endpoints: readonly HostPort[]): Promise<boolean> {
  if (endpoints.length === 0 || !isThisMachine(url)) return false;
  return (await Promise.all(endpoints.map(({ host, port }) => listens(host, port)))).every((answers) => !answers);
}

/** True if something accepts TCP connections at the address within a second. */
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

/** True if the URL shows that the daemon runs on this machine. */
export function isThisMachine(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.');
}
