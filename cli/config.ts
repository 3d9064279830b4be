/**
 * Finds the daemon that the CLI talks to, and the credentials for it, from flags, the environment and the data directory. The only file of
 * the CLI that reads the environment. A token found in a data directory is only ever sent to a server that this data directory's own CA
 * vouches for.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { DtkdError } from '../protocol/errors.ts';
import { homeDirectory } from '../protocol/settings/home.ts';
import { shellWord } from '../protocol/text/shell-word.ts';
import { cannotRead } from './input/read-capped.ts';
import { readSecret } from './input/secret.ts';
import { numberAt, textAt } from './json.ts';

/** The data directory of the service. */
export const SERVICE_DATA = '/var/lib/dtkd';

/** Flags that every command takes. */
export interface ConnectionFlags {
  url?: string;
  token?: string;
  data?: string;
  ca?: string;
}

export interface Connection {
  url: URL;
  token: string;
  /** PEM of the certificate authority; undefined: the system's own. */
  ca: string | undefined;
  dataDir: string | undefined;
  /** The daemon's socket in its data directory; undefined if an address or an authority was given. */
  socket?: string | undefined;
}

/** Finds the daemon. Errors say how to start one or which flag to give. */
export async function findDaemon(flags: ConnectionFlags): Promise<Connection> {
  // an empty variable counts as unset, as elsewhere
  const named = flags.url ?? (process.env['DTKD_URL'] || undefined);
  const { dataDir, endpoint } = await findDataDir(flags);
  if (named === undefined && endpoint === undefined) throw noDaemon(dataDir, flags.data ?? process.env['DTKD_DATA']);
  const url = parseUrl(named ?? endpoint?.api ?? '');
  const caFile = flags.ca ?? (process.env['DTKD_CA'] || undefined);
  const ownCa = caFile === undefined && dataDir !== undefined ? await readIfThere(join(dataDir, 'ca.crt')) : undefined;
  const ca = caFile === undefined ? ownCa : await readAuthority(caFile);
  const given = flags.token ?? (process.env['DTKD_TOKEN'] || undefined);
  const socket = named === undefined && caFile === undefined ? endpoint?.socket : undefined;
  if (given !== undefined)
    return { url, ca, dataDir, socket, token: assertToken(await readSecret(given, 'token'), 'what is given as token') };
  if (dataDir !== undefined && caFile === undefined && ownCa === undefined) {
    throw new DtkdError('UNAUTHORIZED', `${join(dataDir, 'ca.crt')} is missing, so the token in that directory can be sent to nobody`, {
      next: 'Restart the daemon: it makes certificates when there are none. Or name the authority of its certificate with --ca, and give a token with --token.',
    });
  }
  if (dataDir === undefined || ownCa === undefined) {
    throw new DtkdError('UNAUTHORIZED', `there is no token for ${url.origin}`, {
      next: "Give it with --token @FILE or DTKD_TOKEN; it is in the file admin.token of the daemon's data directory.",
    });
  }
  return { url, ca, dataDir, socket, token: await readAdminToken(dataDir) };
}

/** What the environment says about the person's terminal and programs. */
export function userPreferences(): { noColor: boolean; editor: string; browser: string | undefined } {
  const onDesktop = Boolean(process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']);
  return {
    noColor: (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb',
    editor: process.env['VISUAL'] || process.env['EDITOR'] || 'vi',
    browser: process.env['BROWSER'] || (process.platform === 'darwin' ? 'open' : onDesktop ? 'xdg-open' : undefined),
  };
}

/** The kubeconfig file that kubectl would change. */
export function kubeconfigFile(): string {
  const [named] = (process.env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const home = homeDirectory();
  if (named !== undefined) return named;
  if (home !== undefined) return join(home, '.kube', 'config');
  throw new DtkdError('CONFIG_INVALID', 'this user has no home directory with a kubeconfig', {
    next: 'Name the file in the variable KUBECONFIG.',
  });
}

/** The environment variables that a daemon reads settings from. */
export function daemonEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('DTKD_')));
}

/** The data directory of interest, whether or not a daemon runs on it; undefined if a daemon elsewhere was named. */
export async function dataDirectory(flags: ConnectionFlags): Promise<string | undefined> {
  const named = flags.data ?? process.env['DTKD_DATA'];
  if (named !== undefined && named !== '') return named;
  if ((flags.url ?? process.env['DTKD_URL'] ?? '') !== '') return undefined;
  for (const file of ['endpoint.json', 'db', '.']) {
    for (const candidate of usualDirectories()) {
      const found = await stat(join(candidate, file)).catch(() => undefined);
      if (found !== undefined) return candidate;
    }
  }
  return usualDirectories()[0];
}

/** The default data directories: the user's own, then the service's. */
function usualDirectories(): string[] {
  const home = homeDirectory();
  return home === undefined ? [SERVICE_DATA] : [join(home, '.local', 'share', 'dtkd'), SERVICE_DATA];
}

/** True if a process with this pid exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return textAt(error, 'code') === 'EPERM';
  }
}

/** The error for a connection at which nothing answers. */
export async function unreachable(connection: Connection, cause: unknown): Promise<DtkdError> {
  const endpoint = connection.dataDir === undefined ? undefined : await readEndpoint(connection.dataDir);
  const gone = endpoint?.pid !== undefined && !isAlive(endpoint.pid);
  const where = connection.dataDir === undefined ? '' : ` --data ${shellWord(connection.dataDir)}`;
  const elsewhere = endpoint !== undefined && !gone && new URL(endpoint.api).origin !== connection.url.origin;
  const hangs = endpoint?.pid !== undefined && !gone && !elsewhere;
  return new DtkdError(
    'DAEMON_UNREACHABLE',
    gone ? `the daemon of ${connection.dataDir} is not running any more` : `no daemon answers at ${connection.url.origin}`,
    {
      next: elsewhere
        ? `The daemon of ${connection.dataDir} is at ${endpoint.api}: name that with --url, or leave --url out.`
        : hangs
          ? `See "dtkd doctor${where}": process ${endpoint.pid} may be it, and hang. If that is another program, start it with: dtkd up${where}`
          : `Start it with: dtkd up${where}`,
      cause,
    },
  );
}

interface Endpoint {
  api: string;
  pid: number | undefined;
  socket: string | undefined;
}

async function findDataDir(flags: ConnectionFlags): Promise<{ dataDir: string | undefined; endpoint: Endpoint | undefined }> {
  const named = flags.data ?? process.env['DTKD_DATA'];
  if (named !== undefined && named !== '') return { dataDir: named, endpoint: await readEndpoint(named) };
  for (const dataDir of usualDirectories()) {
    const endpoint = await readEndpoint(dataDir);
    if (endpoint !== undefined) return { dataDir, endpoint };
  }
  return { dataDir: undefined, endpoint: undefined };
}

async function readEndpoint(dataDir: string): Promise<Endpoint | undefined> {
  const file = join(dataDir, 'endpoint.json');
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    const api = textAt(parsed, 'api');
    if (api !== undefined) return { api, pid: numberAt(parsed, 'pid'), socket: socketIn(dataDir, textAt(parsed, 'socket')) };
  } catch {
    // The error below covers this.
  }
  throw new DtkdError('CONFIG_INVALID', `${file} is damaged`, { next: 'Restart the daemon: it writes the file anew.' });
}

/** The path of the daemon's socket; undefined unless it is in the data directory itself, since no other is trusted. */
function socketIn(dataDir: string, name: string | undefined): string | undefined {
  return name === undefined || name !== basename(name) ? undefined : join(dataDir, name);
}

async function readAdminToken(dataDir: string): Promise<string> {
  const file = join(dataDir, 'admin.token');
  const token = await readIfThere(file);
  if (token !== undefined && token.trim() !== '') return assertToken(token.trim(), file);
  throw new DtkdError('UNAUTHORIZED', `${file} is missing or empty`, {
    next: 'Restart the daemon: it makes a token when there is none. Or give one with --token @FILE.',
  });
}

/** The text of a file, or undefined if it does not exist. FORBIDDEN if this user may not read it. */
async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = textAt(error, 'code');
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EACCES' || code === 'EPERM') throw await notAllowed(file);
    throw new DtkdError('CONFIG_INVALID', `cannot read ${file} (${code ?? String(error)})`, { cause: error });
  }
}

/** Reads the certificate authority that was named. */
async function readAuthority(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error) => {
    throw cannotRead(`the certificate authority from ${file}`, error);
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new DtkdError('BAD_REQUEST', `there is no certificate in ${file}`, {
    next: "Name the daemon's certificate authority: the file ca.crt of its data directory.",
  });
}

/**
 * Checks that a token is one printable word: anything else could not even be sent in a header. The message does not show it, since part of
 * it may be secret.
 */
function assertToken(token: string, what: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new DtkdError('BAD_REQUEST', `${what} is not a token: it has blanks, line breaks or characters that no token has`, {
    next: 'The token of the operator is in the file admin.token of the data directory; that of a user is what "dtkd user add" printed.',
  });
}

/** The error if the system does not let this user read a file of the daemon; it says whom to ask. */
export async function notAllowed(file: string): Promise<DtkdError> {
  const group = await groupOf(file);
  return new DtkdError('FORBIDDEN', `you are not allowed to read ${file}`, {
    next:
      group === undefined || group === 'root'
        ? "Run the command as the user who runs the daemon, or ask for membership of the daemon's operator group."
        : `The members of the group "${group}" operate this daemon. Join it with: sudo usermod -aG ${shellWord(group)} "$USER" (then log in again).`,
  });
}

/** The group of the file or, if that may not be looked at, of its directory: its members are the operators. */
async function groupOf(file: string): Promise<string | undefined> {
  for (const path of [file, join(file, '..')]) {
    try {
      const { gid } = await stat(path);
      const line = (await readFile('/etc/group', 'utf8')).split('\n').find((text) => text.split(':')[2] === String(gid));
      return line?.split(':')[0];
    } catch {
      // Try the directory.
    }
  }
  return undefined;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // the API has its own paths; another path would be dropped silently
  if (url?.protocol === 'https:' && `${url.origin}/` === url.href) return url;
  throw new DtkdError('ADDRESS_INVALID', `"${text.slice(0, 120)}" is not the address of a daemon's API`, {
    next: 'Write it like https://127.0.0.1:7700, with nothing after the port.',
  });
}

function noDaemon(dataDir: string | undefined, named: string | undefined): DtkdError {
  const where = named === undefined || named === '' ? '' : ` --data ${shellWord(dataDir ?? named)}`;
  return new DtkdError('DAEMON_UNREACHABLE', named ? `no daemon runs on the data directory ${named}` : 'no daemon is running here', {
    next: `Start one with: dtkd up${where}. Or name a running one with --data DIR or --url https://HOST:PORT.`,
  });
}
