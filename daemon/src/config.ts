/**
 * The daemon's settings. Each is a flag of `dtkd up`, a key of `config.yaml` and a `DTKD_*` variable; flags win over variables, variables
 * over the file, the file over defaults. No other file of the daemon reads the environment.
 */
import { lstatSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { DtkdError } from '../../protocol/errors.ts';
import { type NodeName, nodeNameFromHost } from '../../protocol/ids.ts';
import { homeDirectory } from '../../protocol/settings/home.ts';
import {
  type CheckedSettings,
  checkSettings,
  DEFAULTS,
  defined,
  type Listen,
  type LogLevel,
  listenersOf,
  notYaml,
  parseNameSetting,
  type Settings,
  settingsOfEnvironment,
} from '../../protocol/settings/settings.ts';

export { DEFAULTS, type Listen, parseListen, type Settings } from '../../protocol/settings/settings.ts';

export interface Config {
  data: string;
  /** The requested name. Undefined: the name in the data directory, otherwise one made from the host name. */
  name: NodeName | undefined;
  api: Listen;
  /** `host` undefined means all IPv4 and IPv6 addresses. */
  mesh: { host: string | undefined; port: number };
  ingress: Listen;
  /** Addresses announced to peers, `host` or `host:port`, in addition to those of the interfaces. */
  announce: string[];
  /** DNS suffix of the URIs of apps. */
  suffix: string;
  mdns: boolean;
  /** Initial tags of this node's Node object. */
  tags: string[];
  /** The environment that the daemon was started with. Policy passes some of it on to commands. */
  environment: Readonly<Record<string, string | undefined>>;
  /** A system group whose members may read the operator token. */
  operatorGroup: string | undefined;
  log: { level: LogLevel; format: 'text' | 'json'; file: boolean; maxBytes: number; keep: number };
}

/** Rotation of `logs/dtkd.log`: 10 MiB a file, five files. */
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_KEEP = 5;

/** Merges flags, variables, file and defaults. Throws CONFIG_INVALID, naming the source and the key. */
export function loadConfig(flags: Settings & { config?: string | undefined }, environment: NodeJS.ProcessEnv = process.env): Config {
  const { config: configFlag, ...rest } = flags;
  const fromFlags = checkSettings(
    defined(rest),
    'the command line',
    (key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
  const fromEnvironment = settingsOfEnvironment(environment);
  const data = dataDirectory(fromFlags.data, environment);
  const path = configFlag ?? (environment['DTKD_CONFIG'] || join(data, 'config.yaml'));
  const explicit = configFlag !== undefined || Boolean(environment['DTKD_CONFIG']);
  const fromFile = isThere(path) || explicit ? checkSettings(readFile(path), path) : {};
  const merged: CheckedSettings = { ...fromFile, ...fromEnvironment, ...fromFlags };
  return {
    data: merged.data === undefined ? data : resolve(merged.data),
    name: merged.name === undefined ? undefined : parseNameSetting(merged.name),
    ...listenersOf(merged),
    announce: merged.announce ?? [],
    suffix: merged.suffix ?? DEFAULTS.suffix,
    mdns: merged.mdns ?? true,
    tags: merged.tags ?? [],
    environment: { ...environment },
    operatorGroup: merged.operatorGroup,
    log: {
      level: merged.logLevel ?? 'info',
      format: merged.logFormat ?? (process.stderr.isTTY ? 'text' : 'json'),
      file: merged.logFile ?? true,
      maxBytes: merged.logMaxBytes ?? LOG_MAX_BYTES,
      keep: merged.logKeep ?? LOG_KEEP,
    },
  };
}

/** The data directory: from the flag, from the variable, or the user's default. Errors: CONFIG_INVALID. */
export function dataDirectory(flag: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const named = flag ?? (environment['DTKD_DATA'] || undefined);
  if (named !== undefined) return resolve(named);
  const home = homeDirectory();
  if (home !== undefined) return join(home, '.local', 'share', 'dtkd');
  throw new DtkdError('CONFIG_INVALID', 'this user has no home directory to keep the data in', {
    next: 'Name a data directory with --data or DTKD_DATA.',
  });
}

/** The name of a new node if none is requested. */
export function defaultNodeName(): NodeName {
  return nodeNameFromHost(hostname());
}

/** True if there is an entry, even a dangling link: the settings that it should lead to must not be silently ignored. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // the directory may not be entered; opening the data directory reports that with a better error
    return false;
  }
}

function whyUnread(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && cause.code === 'ENOENT' ? 'there is no such file' : cause.message;
}

function readFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DtkdError('CONFIG_INVALID', `${path} cannot be read: ${whyUnread(cause)}`, {
      next: 'Let the user that runs dtkd read it, or name another file with --config.',
      cause,
    });
  }
  try {
    return parseYaml(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw notYaml(path, cause);
  }
}
