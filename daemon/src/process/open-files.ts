/**
 * How many connections others may have, by how many files this process may have open: each is one, and where there are no more, the database cannot write. So what
 * clients and members can take leaves the larger part to the daemon itself.
 */
import { readFileSync } from 'node:fs';

export interface ConnectionShares {
  /** At the API, and at the ingress, where each may take another to an endpoint. */
  connections: number;
  /** Of members to apps here; a lane and a connection to an endpoint each. */
  tunnels: number;
}

const MOST: ConnectionShares = { connections: 2_048, tunnels: 16_384 };

/** Parts of the limit that one of each stands for: three times a sixteenth, and two times an eighth. */
export function connectionShares(limit: number): ConnectionShares {
  return { connections: Math.min(MOST.connections, Math.floor(limit / 16)), tunnels: Math.min(MOST.tunnels, Math.floor(limit / 8)) };
}

/** Of this process. Infinity where the system does not say. */
export function openFilesLimit(path = '/proc/self/limits'): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
