/**
 * pdsh, clush and ansible on fifty loopback addresses behind one sshd of our own, as a user whose login shell is plain /bin/dash: a shell's
 * start-up would only spoil their figures. The user is made for the run and removed after it, which needs root.
 */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../test/harness/child.ts';
import { type Sshd, startSshd } from './ssh.ts';

const USER = 'dtkd-bench';

export class RemoteShells {
  readonly #sshd: Sshd;
  readonly #config: string;
  readonly #home: string;
  readonly #hosts: readonly string[];

  private constructor(sshd: Sshd, home: string, config: string, hosts: readonly string[]) {
    this.#sshd = sshd;
    this.#home = home;
    this.#config = config;
    this.#hosts = hosts;
  }

  static async start(directory: string, count: number): Promise<RemoteShells> {
    await must('useradd', '--password', '*', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/bin/dash', USER);
    const sshd = await startSshd(directory, { listen: '0.0.0.0' });
    const home = join(directory, 'shells');
    await mkdir(home);
    const hosts = Array.from({ length: count }, (_, index) => `127.0.1.${index + 1}`);
    const config = join(home, 'ssh_config');
    const options = [
      `User ${USER}`,
      `Port ${sshd.port}`,
      `IdentityFile ${sshd.key}`,
      'IdentitiesOnly yes',
      'StrictHostKeyChecking no',
      `UserKnownHostsFile ${sshd.knownHosts}`,
      'LogLevel ERROR',
    ];
    await writeFile(config, `Host *\n${options.map((line) => `  ${line}\n`).join('')}`);
    const inventory = hosts.map((host) => `${host} ansible_ssh_common_args='-F ${config}'`);
    await writeFile(join(home, 'inventory'), `[all]\n${inventory.join('\n')}\n`);
    await writeFile(
      join(home, 'ansible.cfg'),
      `[defaults]\nhost_key_checking = False\n[ssh_connection]\ncontrol_path_dir = ${join(home, 'cp')}\nssh_args = -o ControlMaster=auto -o ControlPersist=120s\n`,
    );
    const shells = new RemoteShells(sshd, home, config, hosts);
    await shells.#openAuthorizedKeys(directory);
    return shells;
  }

  /** sshd reads the key file as the user who logs in. */
  async #openAuthorizedKeys(directory: string): Promise<void> {
    await chmod(directory, 0o711);
    await chmod(join(directory, 'ssh'), 0o711);
    await chmod(join(directory, 'ssh', 'authorized_keys'), 0o644);
  }

  /** Milliseconds for one cold `ssh HOST true`. */
  ssh(): Promise<number> {
    return timed('ssh', ['-F', this.#config, this.#hosts[0] ?? '127.0.0.1', 'true']);
  }

  pdsh(): Promise<number> {
    const args = ['-S', '-R', 'ssh', '-f', '32', '-w', this.#hosts.join(','), 'true'];
    return timed('pdsh', args, { PDSH_SSH_ARGS: `-F ${this.#config} %h` });
  }

  clush(): Promise<number> {
    return timed('clush', ['-S', '-f', '32', '-o', `-F ${this.#config}`, '-w', this.#hosts.join(','), 'true']);
  }

  /** The first call opens the connections that later ones find warm. */
  ansible(): Promise<number> {
    const args = ['all', '-i', join(this.#home, 'inventory'), '-f', '32', '-m', 'raw', '-a', 'true'];
    return timed('ansible', args, { ANSIBLE_CONFIG: join(this.#home, 'ansible.cfg'), HOME: this.#home });
  }

  async close(): Promise<void> {
    // the connections that ansible keeps warm; their names begin with the path of their socket, which nobody else has
    await run({ command: 'pkill', args: ['-f', `^ssh: ${join(this.#home, 'cp')}/`] });
    await this.#sshd.close();
    await run({ command: 'userdel', args: ['--force', USER] });
    await rm(this.#home, { recursive: true, force: true });
  }
}

async function must(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await run({ command, args });
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
}

async function timed(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const began = performance.now();
  const { code, stdout, stderr } = await run({ command, args, env: { ...process.env, ...env } });
  const took = performance.now() - began;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${`${stdout}${stderr}`.slice(-500)}`);
  return took;
}
