/** The users of this machine that processes may run as. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

/** How long a lookup is cached: accounts seldom change, and the directories behind them can be slow. */
const KEPT_MS = 60_000;
const LOOKUP_TIMEOUT_MS = 5_000;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$/;
/** Runs a program as another user, with that user's own groups and without the daemon's capabilities. Node alone cannot do that. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

const run = promisify(execFile);

/** Finds an account in text of the form of /etc/passwd. */
export function findAccount(passwd: string, name: string): Account | undefined {
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid, , home, shell] = line.split(':');
    if (found !== name || uid === undefined || gid === undefined || !/^[0-9]+$/.test(uid) || !/^[0-9]+$/.test(gid)) continue;
    return { name, uid: Number(uid), gid: Number(gid), home: home ?? '/', shell: shell ?? '/bin/sh' };
  }
  return undefined;
}

export interface Accounts {
  /** Errors: INVALID if there is no such user. */
  find(name: string): Promise<Account>;
  /**
   * Returns the arguments to put before a program so that it runs as that user, without the daemon's capabilities. They are empty if the
   * user is the daemon's own (or undefined) and the daemon has no capabilities to pass on. `account` is undefined for the daemon's own
   * user.
   * Errors: INVALID if there is no such user, FORBIDDEN if this daemon may not become it, or setpriv is missing.
   */
  become(name: string | undefined): Promise<{ prefix: string[]; account: Account | undefined }>;
}

export function createAccounts(now: () => number = performance.now.bind(performance)): Accounts {
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

  /** Errors: FORBIDDEN. */
  const change = async (): Promise<string> => {
    setpriv ??= firstExecutable(SETPRIV);
    const program = await setpriv;
    if (program !== undefined) return program;
    throw new DtkdError(
      'FORBIDDEN',
      'commands cannot run here: the program setpriv is missing, which takes the rights of the daemon from them',
      {
        next: 'Install util-linux.',
      },
    );
  };

  return {
    find,
    async become(name) {
      const account = name === undefined ? undefined : await find(name);
      const rights = ownRights();
      if (account === undefined || account.uid === process.geteuid?.()) {
        return { prefix: rights.handedOn ? [await change(), ...NO_RIGHTS] : [], account: undefined };
      }
      if (!rights.mayBecome) {
        throw new DtkdError('FORBIDDEN', `this daemon runs as ${userInfo().username} and cannot run commands as ${account.name}`, {
          next: 'Run the daemon as dtkd-dispatch.service does, or leave the user out.',
        });
      }
      return { prefix: [await change(), `--reuid=${account.uid}`, `--regid=${account.gid}`, '--init-groups', ...NO_RIGHTS], account };
    },
  };
}

/** Without inheritable capabilities, no ambient ones are passed on either. */
const NO_RIGHTS = ['--inh-caps=-all', '--'];

export interface Rights {
  /** The process may become any user. */
  mayBecome: boolean;
  /** Programs that it starts inherit capabilities that their user does not have. */
  handedOn: boolean;
}

/** Bit masks of Linux capabilities. */
const CAP_SETGID = 1n << 6n;
const CAP_SETUID = 1n << 7n;

/** Reads a process's rights from the text of its /proc/PID/status. Pure. */
export function rightsOf(status: string): Rights | undefined {
  const [effective, ambient] = ['CapEff', 'CapAmb'].map((name) => new RegExp(`^${name}:\\s*([0-9a-f]{1,16})$`, 'm').exec(status)?.[1]);
  if (effective === undefined) return undefined;
  const both = CAP_SETUID | CAP_SETGID;
  return { mayBecome: (BigInt(`0x${effective}`) & both) === both, handedOn: ambient !== undefined && BigInt(`0x${ambient}`) !== 0n };
}

let own: Rights | undefined;

/** The rights of this process, which do not change. */
function ownRights(): Rights {
  own ??= readRights() ?? { mayBecome: process.geteuid?.() === 0, handedOn: false };
  return own;
}

function readRights(): Rights | undefined {
  try {
    return rightsOf(readFileSync('/proc/self/status', 'utf8'));
  } catch {
    return undefined;
  }
}

async function lookUp(name: string): Promise<Account> {
  if (NAME.test(name)) {
    const local = findAccount(await readFile('/etc/passwd', 'utf8').catch(() => ''), name);
    if (local !== undefined) return local;
    // Users from LDAP and the like.
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
