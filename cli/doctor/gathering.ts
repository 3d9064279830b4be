/** Gathers the facts for the checks of this machine. Only reads; facts that this user may not see are undefined. */
import { execFile } from 'node:child_process';
import { access, constants, lstat, readdir, readFile, readlink, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { DtkdError } from '../../protocol/errors.ts';
import { checkSettings, listenersOf, notYaml, parseNameSetting, settingsOfEnvironment } from '../../protocol/settings/settings.ts';
import { daemonEnvironment, isAlive, SERVICE_DATA } from '../config.ts';
import { numberAt, parseJson, textAt } from '../json.ts';
import type { DaemonFacts, DirectoryFacts, FileFacts, Listening, LocalFacts, UnitFacts } from './local.types.ts';
import { lockHolder, openFilesLimit, parseListening, parseProperties, programOf } from './proc.ts';

/** Files with secrets. */
const SECRETS = ['admin.token', 'ca.key', 'tls.key', 'secrets.key'] as const;
/** Types that `statfs` reports for file systems unfit for a database. */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'tmpfs'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb'],
  [0x517b, 'smb'],
  [0x01021997, '9p'],
]);
/** At most one of them is ever started. */
const UNITS = ['dtkd.service', 'dtkd-dispatch.service'] as const;
/** The file with the variables of the units. */
const UNIT_VARIABLES = '/etc/default/dtkd';
/** System programs answer at once, or hang. Milliseconds. */
const PROGRAM_MS = 2_000;
/** How many processes are searched for the owner of a port. */
const MAX_PROCESSES = 4_000;
/** A larger config.yaml is not read. Bytes. */
const MAX_SETTINGS_BYTES = 1024 * 1024;

export async function gatherLocal(dataDir: string | undefined, version: string): Promise<Omit<LocalFacts, 'answer'>> {
  const [directory, daemon, settings, clockSynchronised, unit] = await Promise.all([
    dataDir === undefined ? undefined : directoryFacts(dataDir),
    dataDir === undefined ? undefined : daemonFacts(dataDir),
    settingsOf(dataDir),
    clock(),
    unitFacts(),
  ]);
  const { listeners, operatorGroup, ...found } = settings;
  const ports = listeners === undefined ? [] : [listeners.api.port, listeners.mesh.port, listeners.ingress.port];
  return {
    nodeVersion: process.version,
    version,
    // if the group may enter the directory, the daemon itself allowed it (--operator-group)
    directory:
      directory === undefined ? undefined : { ...directory, operatorGroup: operatorGroup || ((directory.mode ?? 0) & 0o050) !== 0 },
    daemon: directory?.entry === 'closed' || directory?.entry === 'file' ? undefined : daemon,
    listeners,
    listening: await listeningOn(new Set(ports)),
    settings: found,
    clockSynchronised,
    unit,
  };
}

async function directoryFacts(path: string): Promise<Omit<DirectoryFacts, 'operatorGroup'>> {
  const [found, refused] = await stat(path).then(
    (info) => [info, false] as const,
    (error: unknown) => [undefined, isRefusal(error)] as const,
  );
  const files = await Promise.all(
    SECRETS.map(async (name): Promise<FileFacts[]> => {
      const file = await stat(join(path, name)).catch(() => undefined);
      return file === undefined ? [] : [{ name, uid: file.uid, mode: file.mode & 0o777 }];
    }),
  );
  const system = await statfs(path).catch(() => undefined);
  const self = process.getuid?.();
  const mine = self === 0 || self === found?.uid;
  const closed = refused || (!mine && found !== undefined && !(await isAllowed(path, constants.R_OK | constants.X_OK)));
  return {
    path,
    entry: closed ? 'closed' : found === undefined ? 'absent' : found.isDirectory() ? 'directory' : 'file',
    uid: found?.uid,
    mode: found === undefined ? undefined : found.mode & 0o777,
    writable: found === undefined || !mine ? undefined : await isAllowed(path, constants.W_OK),
    secrets: files.flat(),
    fileSystem: system === undefined ? undefined : FILE_SYSTEMS.get(Number(system.type) >>> 0),
    freeBytes: system === undefined ? undefined : Number(system.bavail) * Number(system.bsize),
    freeInodes: system === undefined ? undefined : Number(system.ffree),
    inodes: system === undefined ? undefined : Number(system.files),
  };
}

function isRefusal(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(textAt(error, 'code') ?? '');
}

function isAllowed(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

async function daemonFacts(path: string): Promise<DaemonFacts> {
  const text = await readText(join(path, 'endpoint.json'));
  const endpoint = text === undefined ? undefined : parseJson(text);
  const pid = numberAt(endpoint, 'pid');
  const alive = pid !== undefined && isAlive(pid);
  const [lock, locks, limits] = await Promise.all([
    stat(join(path, 'db', 'LOCK')).catch(() => undefined),
    readText('/proc/locks'),
    readText(`/proc/${alive ? pid : 'self'}/limits`),
  ]);
  return {
    pid,
    alive,
    damaged: text !== undefined && (pid === undefined || textAt(endpoint, 'api') === undefined),
    lockedBy: lock === undefined || locks === undefined ? undefined : lockHolder(locks, lock),
    openFiles: limits === undefined ? undefined : openFilesLimit(limits),
  };
}

/** The settings with which a daemon would start, without its flags. */
async function settingsOf(
  dataDir: string | undefined,
): Promise<LocalFacts['settings'] & Pick<LocalFacts, 'listeners'> & { operatorGroup: boolean }> {
  const ofUnit = dataDir === SERVICE_DATA ? parseProperties((await readText(UNIT_VARIABLES, MAX_SETTINGS_BYTES)) ?? '') : [];
  const environment = { ...unquoted(ofUnit), ...daemonEnvironment() };
  const named = environment['DTKD_CONFIG'];
  const file = named || (dataDir === undefined ? undefined : join(dataDir, 'config.yaml'));
  const text = file === undefined ? undefined : await readText(file, MAX_SETTINGS_BYTES);
  const closed = file !== undefined && text === undefined && (await access(file, constants.R_OK).then(() => false, isRefusal));
  // lstat, so that a dangling link counts as there
  const isThere =
    file !== undefined &&
    (await lstat(file).then(
      () => true,
      () => false,
    ));
  const there = isThere || named || closed ? file : undefined;
  if (closed) return { file: there, closed, error: undefined, next: undefined, listeners: undefined, operatorGroup: false };
  try {
    if (there !== undefined && text === undefined) {
      const next = named ? 'DTKD_CONFIG names it.' : 'Put a file there that the daemon can read, or remove it: no daemon starts with it.';
      throw new DtkdError('CONFIG_INVALID', `${there} cannot be read`, { next });
    }
    const fromFile = text === undefined || file === undefined ? {} : checkSettings(await parseSettings(text, file), file);
    const merged = { ...fromFile, ...settingsOfEnvironment(environment) };
    if (merged.name !== undefined) parseNameSetting(merged.name);
    return {
      file: there,
      closed,
      error: undefined,
      next: undefined,
      listeners: listenersOf(merged),
      operatorGroup: merged.operatorGroup !== undefined,
    };
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    return { file: there, closed, error: error.message, next: error.next, listeners: undefined, operatorGroup: false };
  }
}

/** Removes quotes as systemd does when it reads an EnvironmentFile. */
function unquoted(variables: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries([...variables].map(([name, value]) => [name.trim(), value.trim().replace(/^(["'])(.*)\1$/, '$2')]));
}

async function parseSettings(text: string, file: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    return parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw notYaml(file, cause);
  }
}

/** Who listens on these ports; undefined if the system has no /proc/net/tcp. */
async function listeningOn(ports: ReadonlySet<number>): Promise<Listening[] | undefined> {
  const texts = await Promise.all([readText('/proc/net/tcp'), readText('/proc/net/tcp6')]);
  if (texts[0] === undefined) return undefined;
  const sockets = texts.flatMap((text) => parseListening(text ?? '')).filter(({ port }) => ports.has(port));
  if (sockets.length === 0) return [];
  const owners = await ownersOf(new Set(sockets.map(({ inode }) => inode)));
  return sockets.map(({ host, port, inode }) => ({ host, port, pid: owners.get(inode)?.pid, program: owners.get(inode)?.program }));
}

/** The processes that have these sockets open, as far as this user may see. */
async function ownersOf(inodes: ReadonlySet<string>): Promise<Map<string, { pid: number; program: string | undefined }>> {
  const owners = new Map<string, { pid: number; program: string | undefined }>();
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES);
  for (const pid of pids) {
    if (owners.size === inodes.size) break;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      owners.set(inode, { pid: Number(pid), program: programOf((await readText(`/proc/${pid}/cmdline`)) ?? '') });
    }
  }
  return owners;
}

async function clock(): Promise<boolean | undefined> {
  const said = parseProperties((await output('timedatectl', ['show', '--property=NTPSynchronized'])) ?? '').get('NTPSynchronized');
  return said === undefined ? undefined : said === 'yes';
}

/** The unit that is active, or else one that is installed. */
async function unitFacts(): Promise<UnitFacts | undefined> {
  const units = (await Promise.all(UNITS.map(unitNamed))).filter((unit) => unit !== undefined);
  return units.find(({ active }) => active === 'active') ?? units[0];
}

async function unitNamed(name: string): Promise<UnitFacts | undefined> {
  const properties = ['LoadState', 'ActiveState', 'SubState', 'Result', 'MainPID', 'NeedDaemonReload'];
  const text = await output('systemctl', ['show', name, ...properties.map((property) => `--property=${property}`)]);
  const said = parseProperties(text ?? '');
  if (said.get('LoadState') !== 'loaded') return undefined;
  return {
    name,
    active: said.get('ActiveState') ?? '',
    sub: said.get('SubState') ?? '',
    result: said.get('Result') ?? '',
    mainPid: Number(said.get('MainPID') ?? 0),
    needsReload: said.get('NeedDaemonReload') === 'yes',
  };
}

/** The output of a system program; undefined if it is missing or fails. */
function output(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: PROGRAM_MS, killSignal: 'SIGKILL' }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}

async function readText(file: string, maxBytes = Number.POSITIVE_INFINITY): Promise<string | undefined> {
  try {
    if (maxBytes !== Number.POSITIVE_INFINITY && (await stat(file)).size > maxBytes) return undefined;
    return await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
}
