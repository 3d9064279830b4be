/**
 * Limits connections by the number of files that this process may open. Each connection takes one, and without a free one the database
 * cannot write. So the shares of clients and members leave the larger part to the daemon itself.
 */
import { readFileSync } from 'node:fs';

export interface ConnectionShares {
  /** At the API, and again at the ingress, where each may need another one to an endpoint. */
  connections: number;
  /** Tunnels of members to apps here. Each takes a lane and a connection to an endpoint. */
  tunnels: number;
}

/**
 * The shares under an open-files limit. They take at most three sixteenths (API, ingress and endpoints) plus two eighths (lanes and
 * endpoints) of it.
 */
export function connectionShares(limit: number): ConnectionShares {
  return { connections: Math.floor(limit / 16), tunnels: Math.floor(limit / 8) };
}

/** This process's limit of open files. Infinity if the system does not say. */
export function openFilesLimit(path = '/proc/self/limits'): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
