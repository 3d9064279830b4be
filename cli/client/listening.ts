import { connect } from 'node:net';
import type { HostPort } from '../input/host-port.ts';

/** Long enough for a machine of the same site, short enough not to be waited for, in milliseconds. */
const PROBE_MS = 1_000;

/** True if nothing takes connections at any of them. Asked only where this machine sees what the daemon of the URL sees. */
export async function isSilent(url: URL, endpoints: readonly HostPort[]): Promise<boolean> {
  if (endpoints.length === 0 || !isThisMachine(url)) return false;
  return (await Promise.all(endpoints.map(({ host, port }) => listens(host, port)))).every((answers) => !answers);
}

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
