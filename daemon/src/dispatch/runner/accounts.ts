/** Users of this machine as whom processes may run. */
import { execFile } from 'node:child_process';
import { access, constants, readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { DtkdError } from '../../../../protocol/errors.ts';

export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

/** Accounts change seldom, and directories behind them can be slow. */
const KEPT_MS = 60_000;
const LOOKUP_TIMEOUT_MS = 5_000;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$/;
/** Becomes another user with that user's own groups. Node alone would drop them. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

const run = promisify(execFile);

/** The line of an account in text as /etc/passwd. */
export function findAccount(passwd: string, name: string): Account | undefined {
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid, , home, shell] = line.split(':');
    if (found !== name || uid === undefined || gid === undefined || !/^[0-9]+$/.test(uid) || !/^[0-9]+$/.test(gid)) continue;
    return { name, uid: Number(uid), gid: Number(gid), home: home ?? '/', shell: shell ?? '/bin/sh' };
  }
  return undefined;
}

export interface Accounts {
  /** Errors: INVALID if there is none. */
  find(name: string): Promise<Account>;
  /**
   * What goes before a program so that it runs as that user: nothing if it is the daemon's own. Errors: INVALID if there is no such user,
   * FORBIDDEN if this daemon may not become it.
   */
  become(name: string): Promise<{ prefix: string[]; account: Account | undefined }>;
}

export function createAccounts(now: () => number = Date.now): Accounts {
  const kept = new Map<string, { until: number; account: Promise<Account> }>();
  let setpriv: Promise<string | undefined> | undefined;

  const find = (name: string): Promise<Account> => {
    const known = kept.get(name);
    if (known !== undefined && known.until > now()) return known.account;
    const account = lookUp(name);
    kept.set(name, { until: now() + KEPT_MS, account });
    account.catch(() => kept.delete(name));
    return account;
  };

  return {
    find,
    async become(name) {
      const account = await find(name);
      if (account.uid === process.geteuid?.()) return { prefix: [], account: undefined };
      if (process.geteuid?.() !== 0) {
        throw new DtkdError('FORBIDDEN', `this daemon runs as ${userInfo().username} and cannot run commands as ${name}`, {
          next: 'Run the daemon as root, or leave the user out.',
        });
      }
      setpriv ??= firstExecutable(SETPRIV);
      const program = await setpriv;
      if (program === undefined) {
        throw new DtkdError('FORBIDDEN', `commands cannot run as ${name} here: there is no setpriv`, { next: 'Install util-linux.' });
      }
      return { prefix: [program, `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', '--inh-caps=-all', '--'], account };
    },
  };
}

async function lookUp(name: string): Promise<Account> {
  if (NAME.test(name)) {
    const local = findAccount(await readFile('/etc/passwd', 'utf8').catch(() => ''), name);
    if (local !== undefined) return local;
    // Users of LDAP and the like.
    const asked = await run('getent', ['passwd', '--', name], { timeout: LOOKUP_TIMEOUT_MS }).catch(() => undefined);
    const found = findAccount(asked?.stdout ?? '', name);
    if (found !== undefined) return found;
  }
  throw new DtkdError('INVALID', `there is no user ${JSON.stringify(name)} on this node`);
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}
