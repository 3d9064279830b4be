import { isIP } from 'node:net';
import { DtkdError } from '../../protocol/errors.ts';

export interface HostPort {
  host: string;
  port: number;
}

const FORM = /^(?:(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[A-Za-z0-9._-]+))?:)?(?<port>\d{1,5})$/;

/** Parses `HOST:PORT`, `[IPV6]:PORT`, or a port alone, which means this machine. */
export function parseHostPort(text: string): HostPort {
  const match = FORM.exec(text);
  const port = Number(match?.groups?.['port'] ?? 0);
  const v6 = match?.groups?.['v6'];
  if (match === null || port < 1 || port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) {
    throw new DtkdError('ADDRESS_INVALID', `"${text.slice(0, 120)}" is not HOST:PORT`, {
      next: 'Write it like 10.1.2.3:8080, db.local:5432, [2001:db8::5]:80, or 8080 for this machine.',
    });
  }
  return { host: v6 ?? match.groups?.['host'] ?? '127.0.0.1', port };
}

/** The form used in URLs: IPv6 in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
