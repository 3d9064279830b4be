/** An sshd of our own on a loopback port, with keys made for the run, and `ssh -L` through it. Touches nobody's configuration. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Child, run } from '../../test/harness/child.ts';
import { freePort } from '../../test/harness/ports.ts';
import { findProgram } from '../../test/harness/programs.ts';
import { waitFor } from '../../test/wait.ts';

export interface SshForward {
  port: number;
  close(): Promise<void>;
}

/** Forwards a loopback port to `to` through ssh. */
export async function sshForward(directory: string, to: number): Promise<SshForward> {
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
  const sshPort = await freePort();
  const config = join(home, 'sshd_config');
  await writeFile(
    config,
    [
      `Port ${sshPort}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(home, 'host')}`,
      `AuthorizedKeysFile ${authorized}`,
      `PidFile ${join(home, 'sshd.pid')}`,
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      'StrictModes no',
      'UsePAM no',
      '',
    ].join('\n'),
  );
  const server = new Child({ command: findProgram('sshd') ?? 'sshd', args: ['-D', '-e', '-f', config] });
  await waitForPort(sshPort);
  const port = await freePort();
  const client = new Child({
    command: 'ssh',
    args: [
      ...['-F', 'none', '-N', '-i', join(home, 'user'), '-p', String(sshPort)],
      ...['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${join(home, 'known_hosts')}`, '-o', 'ExitOnForwardFailure=yes'],
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
      await server.end('SIGTERM');
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
