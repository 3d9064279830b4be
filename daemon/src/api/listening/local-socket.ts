/**
 * The API's socket in the data directory, for commands on this machine. It serves the same requests, answers and tokens as TLS
 * does, without the time that TLS takes. The file system decides who may open it: the directory and the socket belong to the
 * operator, or to the operator group. TLS would protect nothing more, because whoever can read or replace this socket can also read
 * the operator's token and replace the certificate authority next to it. A daemon that cannot have a socket (the path is too long
 * for the system, or the file system has no sockets) works without one.
 */
import { chmod, chown, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { Logger } from '../../logging/logger.types.ts';

/** Maximum length of the path: the size in `sockaddr_un` on Linux without the final zero; four less elsewhere. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

export interface LocalSocketOptions {
  path: string;
  /** The operator group. */
  gid: number | undefined;
  logger: Logger;
}

/** Listens at the path, replacing what an earlier daemon left there. If that fails, logs a line and returns false. */
export async function listenLocally(server: Server, { path, gid, logger }: LocalSocketOptions): Promise<boolean> {
  try {
    if (process.platform === 'win32') return false;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw new Error(`the path is longer than ${MAX_PATH_BYTES} bytes`);
    await rm(path, { force: true });
    await listen(server, path);
    if (gid !== undefined) await chown(path, process.getuid?.() ?? -1, gid);
    await chmod(path, gid === undefined ? 0o600 : 0o660);
    return true;
  } catch (error) {
    server.close();
    logger.info({ err: error, path }, 'The API has no socket in the data directory; commands use TLS');
    return false;
  }
}

function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ path }, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}
