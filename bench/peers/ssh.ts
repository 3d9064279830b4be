/** An sshd of our own on a loopback port, with keys made for the run, and `ssh -L` through it. Touches nobody's configuration. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Child, run } from '../../test/harness/child.ts';
import { freePort } from '../../test/harness/ports.ts';
import { findProgram } from '../../test/harness/programs.ts';
import { waitFor } from '../../test/wait.ts';

export interface Sshd {
  port: number;
  /** The private key that may log in. */
  key: string;
  knownHosts: string;
  tail(): string;
  close(): Promise<void>;
}

/** Starts an sshd on a loopback port (or on all loopback addresses) that lets one fresh key in. */
export async function startSshd(directory: string, { listen = '127.0.0.1' }: { listen?: string } = {}): Promise<Sshd> {
  const home = join(directory, 'ssh');
  await mkdir(home, { mode: 0o700 });
  // sshd wants this directory for its unprivileged child, and only its package's service makes it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  for (const key of ['host', 'user']) {
    const made = await run({ command: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, key)] });
    if (made.code !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
  }
  const authorized = join(home, 'authorized_keys');
  const publicKey = await run({ command: 'ssh-keygen', args: ['-y', '-f', join(home, 'user')] });
  await writeFile(authorized, publicKey.stdout);
  await chmod(authorized, 0o600);
  const port = await freePort();
  const config = join(home, 'sshd_config');
  await writeFile(
    config,
    [
      `Port ${port}`,
      `ListenAddress ${listen}`,
      `HostKey ${join(home, 'host')}`,
      `AuthorizedKeysFile ${authorized}`,
      `PidFile ${join(home, 'sshd.pid')}`,
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      'StrictModes no',
      'UsePAM no',
      // fifty connections at once are no attack here
      'MaxStartups 200',
      'MaxSessions 200',
      '',
    ].join('\n'),
  );
  const server = new Child({ command: findProgram('sshd') ?? 'sshd', args: ['-D', '-e', '-f', config] });
  await waitForPort(port);
  return {
    port,
    key: join(home, 'user'),
    knownHosts: join(home, 'known_hosts'),
    tail: () => server.tail(),
    close: async () => {
      await server.end('SIGTERM');
    },
  };
}

export interface SshForward {
  port: number;
  close(): Promise<void>;
}

/** Forwards a loopback port to `to` through ssh. */
export async function sshForward(directory: string, to: number): Promise<SshForward> {
  const server = await startSshd(directory);
  const port = await freePort();
  const client = new Child({
    command: 'ssh',
    args: [
      ...['-F', 'none', '-N', '-i', server.key, '-p', String(server.port)],
      ...['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${server.knownHosts}`, '-o', 'ExitOnForwardFailure=yes'],
      ...['-L', `127.0.0.1:${port}:127.0.0.1:${to}`, `${userInfo().username}@127.0.0.1`],
    ],
  });
  try {
    await client.until(() => accepts(port), { what: 'ssh -L to listen' });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\nsshd: ${server.tail()}`, { cause: error });
  }
  return {
    port,
    close: async () => {
      await client.end('SIGTERM');
      await server.close();
    },
  };
}

async function waitForPort(port: number): Promise<void> {
  await waitFor(() => accepts(port), { what: `port ${port} to accept connections` });
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
