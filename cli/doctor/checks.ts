/** Checks of this machine that need no daemon. Pure; each returns its findings. */
import { type Finding, ok, problem, warning } from '../../protocol/requests/checkup.ts';
import { shellWord } from '../../protocol/text/shell-word.ts';
import type { DaemonFacts, DirectoryFacts, Listening, LocalFacts, UnitFacts } from './local.types.ts';

const MIB = 1024 * 1024;
/** As in package.json. */
const OLDEST_NODE: readonly [number, number] = [22, 18];
/** LevelDB needs room for a log and a table at any moment. Bytes. */
const LITTLE_DISK = 64 * MIB;
const SCARCE_DISK = 512 * MIB;
const SCARCE_INODES = 0.02;
/** Fewer open files than this may not do for a hundred members, their tunnels and the tables of the database. */
const FEW_FILES = 4_096;
/** Mode bits for users other than the owner and the group. */
const OTHERS = 0o007;
const GROUP = 0o070;

export function judgeLocal(facts: LocalFacts): Finding[] {
  const { directory, daemon } = facts;
  return [
    ...checkNode(facts.nodeVersion),
    ...(directory === undefined
      ? []
      : [...checkDirectory(directory), ...checkSecrets(directory), ...checkFileSystem(directory), ...checkSpace(directory)]),
    ...(directory?.entry === 'closed' ? [] : checkSettings(facts)),
    ...(directory === undefined || daemon === undefined
      ? []
      : [...checkDaemon(facts, directory.path, daemon), ...checkLock(daemon), ...checkOpenFiles(daemon)]),
    ...checkPorts(facts),
    ...checkVersions(facts),
    ...checkClock(facts.clockSynchronised),
    ...(facts.unit === undefined ? [] : checkUnit(facts.unit, daemon)),
  ];
}

function checkNode(version: string): Finding[] {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [oldMajor, oldMinor] = OLDEST_NODE;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return [ok('node.js', `version ${version}`)];
  return [
    problem(
      'node.js',
      `version ${version} is too old`,
      `Install Node.js ${OLDEST_NODE.join('.')} or newer, or dtkd with the Node.js that comes with it.`,
    ),
  ];
}

export function checkDirectory({ path, entry, uid, writable, mode }: DirectoryFacts): Finding[] {
  if (entry === 'closed')
    return [
      problem(
        'data',
        `${path}: this user may not read or write it, so nothing is known of its daemon`,
        `Run doctor as its owner${uid === undefined ? '' : ` (sudo -u '#${uid}' dtkd doctor --data ${shellWord(path)})`}, or as root.`,
      ),
    ];
  if (entry === 'file')
    return [problem('data', `${path} is a file, not a directory`, 'Name the data directory with --data, or move the file away.')];
  if (entry === 'absent')
    return [
      warning(
        'data',
        `${path} is not there: no daemon has run on it yet`,
        `Start one: dtkd up --data ${shellWord(path)}. Or name another directory with --data.`,
      ),
    ];
  if (writable === false)
    return [
      problem(
        'data',
        `${path} cannot be written by this user`,
        'Run the daemon as the user who owns it, or give it to that user (chown -R).',
      ),
    ];
  if (mode !== undefined && (mode & OTHERS) !== 0)
    return [
      problem(
        'data',
        `${path} can be read by every user of this machine (mode ${octal(mode)})`,
        `chmod ${octal(mode & ~OTHERS)} ${shellWord(path)}`,
      ),
    ];
  return [ok('data', path)];
}

/** The operator's group may read the token; nobody but the owner may access anything else. */
function checkSecrets({ path, secrets, uid, operatorGroup }: DirectoryFacts): Finding[] {
  const found = secrets.flatMap(({ name, mode, uid: owner }) => {
    const allowed = name === 'admin.token' && operatorGroup ? OTHERS | 0o030 : OTHERS | GROUP;
    const check = `file ${name}`;
    if ((mode & allowed) !== 0)
      return [
        problem(
          check,
          `others than its owner may read it (mode ${octal(mode)})`,
          `chmod 600 ${shellWord(`${path}/${name}`)}; then replace what may have been read (dtkd token rotate).`,
        ),
      ];
    if (uid !== undefined && owner !== uid)
      return [
        problem(
          check,
          'it belongs to another user than the data directory',
          `chown --reference=${shellWord(path)} ${shellWord(`${path}/${name}`)}`,
        ),
      ];
    return [];
  });
  return found.length > 0 || secrets.length === 0 ? found : [ok('secrets', 'keys and tokens can be read by their owner only')];
}

function checkFileSystem({ path, fileSystem }: DirectoryFacts): Finding[] {
  if (fileSystem === undefined) return [];
  if (fileSystem === 'tmpfs')
    return [
      warning(
        'file system',
        `${path} lies in memory (tmpfs): the node is gone with the next restart of the machine`,
        'Move the data to a disk, or keep backups (dtkd backup).',
      ),
    ];
  return [
    warning(
      'file system',
      `${path} lies on a network file system (${fileSystem}), whose locks and fsync may not hold`,
      'Move the data to a local disk.',
    ),
  ];
}

function checkSpace({ freeBytes, freeInodes, inodes }: DirectoryFacts): Finding[] {
  if (freeBytes === undefined) return [];
  const free = `${Math.floor(freeBytes / MIB)} MiB are free`;
  if (freeInodes !== undefined && inodes !== undefined && inodes > 0 && freeInodes / inodes < SCARCE_INODES)
    return [problem('disk', `only ${freeInodes} of ${inodes} inodes are free`, 'Remove what has many small files from that file system.')];
  if (freeBytes < LITTLE_DISK) return [problem('disk', free, 'Make room on the file system of the data directory: writes fail soon.')];
  if (freeBytes < SCARCE_DISK) return [warning('disk', free, 'Make room on the file system of the data directory.')];
  return [ok('disk', free)];
}

export function checkSettings({ settings: { file, closed, error, next } }: Pick<LocalFacts, 'settings'>): Finding[] {
  if (closed)
    return [
      warning('settings', `${file} cannot be read by this user, so the settings are not known`, 'Run doctor as the user who owns it.'),
    ];
  if (error !== undefined) return [problem('settings', error, next ?? 'See "dtkd up --help".')];
  return [ok('settings', file === undefined ? 'defaults and variables; there is no config.yaml' : `${file} can be used`)];
}

/** Checks the daemon of the data directory, as endpoint.json and the system report it. */
function checkDaemon({ answer }: Pick<LocalFacts, 'answer'>, path: string, { pid, alive, damaged }: DaemonFacts): Finding[] {
  const start = `Start it: dtkd up --data ${shellWord(path)}, or the service (systemctl start dtkd).`;
  if (damaged) return [problem('daemon', `${path}/endpoint.json is damaged`, 'Restart the daemon: it writes the file anew.')];
  if (pid === undefined) return [warning('daemon', 'no daemon runs on this data directory', start)];
  if (!alive)
    return [
      problem(
        'daemon',
        `the daemon ended unexpectedly: ${path}/endpoint.json names process ${pid}, which is gone`,
        `See its log (${path}/logs/dtkd.log). ${start}`,
      ),
    ];
  if (answer !== undefined && 'error' in answer)
    return [
      answer.silent
        ? problem(
            'daemon',
            `process ${pid} does not answer: ${answer.error}`,
            `See its log (${path}/logs/dtkd.log); if it hangs, restart it.`,
          )
        : warning('daemon', `it could not be asked for its own checks: ${answer.error}`, answer.next ?? 'Run this as its operator.'),
    ];
  return [ok('daemon', `runs as process ${pid}`)];
}

function checkLock({ lockedBy, pid, alive }: DaemonFacts): Finding[] {
  if (lockedBy === undefined || (alive && lockedBy === pid)) return [];
  return [
    problem(
      'database',
      `process ${lockedBy} has the database open, and is not the daemon that endpoint.json names`,
      `See what it is (ps -fp ${lockedBy}) and end it, or give this node another data directory.`,
    ),
  ];
}

function checkOpenFiles({ openFiles, alive }: DaemonFacts): Finding[] {
  if (openFiles === undefined) return [];
  const whose = alive ? 'the daemon' : 'a program of this user';
  if (openFiles >= FEW_FILES) return [ok('open files', `${whose} may have ${openFiles} open`)];
  return [
    warning(
      'open files',
      `${whose} may have only ${openFiles} files and connections open`,
      'Raise the limit: LimitNOFILE=65536 in the unit, or "ulimit -n 65536" before dtkd up.',
    ),
  ];
}

/** Checks that the ports are free, unless the daemon runs and holds them itself. */
function checkPorts({ listeners, listening, daemon }: Pick<LocalFacts, 'listeners' | 'listening' | 'daemon'>): Finding[] {
  if (listeners === undefined || listening === undefined || daemon?.alive === true) return [];
  const wanted = [
    { what: 'api', flag: '--api', ...listeners.api },
    { what: 'mesh', flag: '--mesh', host: listeners.mesh.host ?? '::', port: listeners.mesh.port },
    { what: 'ingress', flag: '--ingress', ...listeners.ingress },
  ].filter(({ port }) => port !== 0);
  const double = wanted.find((one, at) => wanted.findIndex(({ host, port }) => port === one.port && overlaps(host, one.host)) !== at);
  if (double !== undefined)
    return [problem(`port ${double.port}`, `two settings name port ${double.port}`, `Choose another one with ${double.flag}.`)];
  const taken = wanted.flatMap(({ what, flag, host, port }) => {
    const other = listening.find((one) => one.port === port && overlaps(one.host, host));
    if (other === undefined) return [];
    return [
      problem(`port ${port}`, `port ${port} (${what}) is taken by ${nameOf(other)}`, `Stop it, or choose another port with ${flag}.`),
    ];
  });
  return taken.length > 0
    ? taken
    : [ok('ports', `${wanted.map(({ port }) => port).join(', ')} ${wanted.length === 1 ? 'is' : 'are'} free`)];
}

function nameOf({ pid, program }: Listening): string {
  if (pid === undefined) return 'a program of another user';
  return program === undefined ? `process ${pid}` : `${program} (process ${pid})`;
}

/** True if two listeners conflict. A wildcard overlaps with every address: by Linux' default, `::` takes IPv4 as well. */
function overlaps(a: string, b: string): boolean {
  const [left, right] = [plain(a), plain(b)];
  return left === right || [left, right].some((host) => host === '::' || host === '0.0.0.0');
}

function plain(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host;
}

export function checkVersions({ version, answer }: Pick<LocalFacts, 'version' | 'answer'>): Finding[] {
  if (answer === undefined || 'error' in answer) return [];
  if (answer.version === version) return [ok('version', `dtkd ${version}, as the daemon`)];
  return [
    warning(
      'version',
      `this command is dtkd ${version}, and the daemon runs ${answer.version}`,
      'Restart the daemon after an upgrade; or call the dtkd that was installed with it.',
    ),
  ];
}

function checkClock(synchronised: boolean | undefined): Finding[] {
  if (synchronised === undefined) return [];
  if (synchronised) return [ok('clock', 'the system says that it is synchronised')];
  return [warning('clock', 'the clock of this machine is not synchronised', 'Turn it on: timedatectl set-ntp true.')];
}

/** Checks the systemd unit: it may be installed but not running, or run another daemon than that of the data directory. */
function checkUnit({ name, active, sub, result, mainPid, needsReload }: UnitFacts, daemon: DaemonFacts | undefined): Finding[] {
  if (active === 'failed')
    return [problem('unit', `${name} failed (${result})`, `See why: journalctl -eu ${name}; then systemctl restart ${name}.`)];
  if (sub === 'auto-restart') return [problem('unit', `${name} ends again and again`, `See why: journalctl -eu ${name}.`)];
  if (needsReload)
    return [warning('unit', `${name} was changed after systemd had read it`, `systemctl daemon-reload; then systemctl restart ${name}.`)];
  if (active !== 'active')
    return daemon?.alive === true
      ? [
          warning(
            'unit',
            `${name} is installed and ${active}, and a daemon runs without it (process ${daemon.pid ?? '?'})`,
            `Stop that one, then: systemctl enable --now ${name}.`,
          ),
        ]
      : [warning('unit', `${name} is installed and ${active}`, `Start it: systemctl enable --now ${name}.`)];
  if (daemon?.alive === true && daemon.pid !== mainPid)
    return [
      warning(
        'unit',
        `${name} runs as process ${mainPid}, and this data directory's daemon is process ${daemon.pid ?? '?'}`,
        'If one of them is left over, stop it; --data names the directory that is meant.',
      ),
    ];
  return [ok('unit', `${name} runs as process ${mainPid}`)];
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
