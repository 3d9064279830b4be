/**
 * The daemon's settings. Each is a flag of `dtkd up`, a key of `config.yaml` and a `DTKD_*` variable; flags win over variables, variables
 * over the file, the file over defaults. No other file of the daemon reads the environment.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { DtkdError } from '../../protocol/errors.ts';
import { type NodeName, nodeNameFromHost, parseNodeName } from '../../protocol/ids.ts';
import { LOG_LEVELS, type LogLevel } from './logger.ts';

export interface Listen {
  host: string;
  port: number;
}

export interface Config {
  data: string;
  /** The name asked for; undefined takes what the data directory already has, else the host name. */
  name: NodeName | undefined;
  api: Listen;
  /** `host` undefined means all IPv4 and IPv6 addresses. */
  mesh: { host: string | undefined; port: number };
  ingress: Listen;
  /** Addresses told to peers, `host` or `host:port`, beside those found on the interfaces. */
  announce: string[];
  /** DNS suffix of the URIs of apps. */
  suffix: string;
  mdns: boolean;
  /** Tags that this node's Node object begins with. */
  tags: string[];
  /** As the daemon was started in: policy lets some of it through to commands. */
  environment: Readonly<Record<string, string | undefined>>;
  /** A system group whose members may read the operator token. */
  operatorGroup: string | undefined;
  log: { level: LogLevel; format: 'text' | 'json'; file: boolean; maxBytes: number; keep: number };
}

export const DEFAULTS = { api: '127.0.0.1:7700', mesh: '7701', ingress: '127.0.0.1:7702', suffix: 'dtkd.localhost' } as const;

/** Rotation of `logs/dtkd.log`: 10 MiB a file, five files. */
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_KEEP = 5;

const SUFFIX = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

const text = z.string().min(1).max(1024);
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')], 'must be true or false');
const list = z.union([text.transform((value) => value.split(',').map((part) => part.trim())), z.array(text)]);

/** As the Node kind takes them. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const tags = list.pipe(z.array(z.string().regex(TAG, 'must be words of letters, digits, ".", "_" and "-", joined by commas')).max(64));

/** Settings as any source may give them; unknown keys are refused so that a typing error is not silently ignored. */
const settings = z.strictObject({
  data: text.optional(),
  name: text.optional(),
  api: text.optional(),
  mesh: z.union([text, z.number().int()]).transform(String).optional(),
  ingress: text.optional(),
  announce: list.optional(),
  suffix: text.regex(SUFFIX, 'must be a DNS name in lower case').optional(),
  mdns: flag.optional(),
  operatorGroup: text.optional(),
  tags: tags.optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
  logFormat: z.enum(['text', 'json']).optional(),
  logFile: flag.optional(),
  logMaxBytes: z.coerce.number().int().min(4096).optional(),
  logKeep: z.coerce.number().int().min(0).max(100).optional(),
});

export type Settings = z.input<typeof settings>;

/** `operatorGroup` is `DTKD_OPERATOR_GROUP`. */
function variableOf(key: string): string {
  return `DTKD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Merges flags, variables, file and defaults. Throws CONFIG_INVALID, naming the source and the key. */
export function loadConfig(flags: Settings & { config?: string | undefined }, environment: NodeJS.ProcessEnv = process.env): Config {
  const { config: configFlag, ...rest } = flags;
  const fromFlags = check(defined(rest), 'the command line', (key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  const variables = Object.fromEntries(Object.keys(settings.shape).map((key) => [key, environment[variableOf(key)] || undefined]));
  const fromEnvironment = check(defined(variables), 'the environment', variableOf);
  const data = dataDirectory(fromFlags.data, environment);
  const path = configFlag ?? (environment['DTKD_CONFIG'] || join(data, 'config.yaml'));
  const explicit = configFlag !== undefined || Boolean(environment['DTKD_CONFIG']);
  const fromFile = existsSync(path) || explicit ? check(readFile(path), path, (key) => key) : {};
  const merged = { ...fromFile, ...fromEnvironment, ...fromFlags };
  return {
    data: merged.data === undefined ? data : resolve(merged.data),
    name: merged.name === undefined ? undefined : parseName(merged.name),
    api: parseListen(merged.api ?? DEFAULTS.api, 'api', '127.0.0.1'),
    mesh: parseMesh(merged.mesh ?? DEFAULTS.mesh),
    ingress: parseListen(merged.ingress ?? DEFAULTS.ingress, 'ingress', '127.0.0.1'),
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

/** The data directory: of the flag, of the variable, or the user's. */
export function dataDirectory(flag: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  return resolve(flag ?? (environment['DTKD_DATA'] || join(homedir(), '.local', 'share', 'dtkd')));
}

/** The name a new data directory gets when none is asked for. */
export function defaultNodeName(): NodeName {
  return nodeNameFromHost(hostname());
}

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function check(values: unknown, source: string, spell: (key: string) => string): z.output<typeof settings> {
  const result = settings.safeParse(values ?? {});
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path[0];
  throw new DtkdError(
    'CONFIG_INVALID',
    `${source}: ${key === undefined ? 'settings' : spell(String(key))}: ${issue?.message ?? 'invalid'}`,
    {
      next: 'See "dtkd up --help" for every setting and its form.',
    },
  );
}

function readFile(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, 'utf8'), { maxAliasCount: 0 });
  } catch (cause) {
    throw new DtkdError('CONFIG_INVALID', `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function parseName(value: string): NodeName {
  try {
    return parseNodeName(value);
  } catch (cause) {
    if (!(cause instanceof DtkdError)) throw cause;
    throw new DtkdError('CONFIG_INVALID', `name: ${cause.message}`, { ...(cause.next === undefined ? {} : { next: cause.next }), cause });
  }
}

/** Parses `host:port`, `[v6]:port`, or a bare port. Port 0 asks for any free one. */
export function parseListen(value: string, key: string, defaultHost: string): Listen {
  const match = /^(?:(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]]+)):)?(?<port>\d{1,5})$/.exec(value);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw new DtkdError('CONFIG_INVALID', `${key}: "${value.slice(0, 100)}" is not an address to listen on`, {
      next: 'Write HOST:PORT, [IPV6]:PORT or PORT, for example 127.0.0.1:7700.',
    });
  }
  return { host: match.groups?.['v6'] ?? match.groups?.['host'] ?? defaultHost, port };
}

function parseMesh(value: string): Config['mesh'] {
  const listen = parseListen(value, 'mesh', '*');
  return { host: listen.host === '*' ? undefined : listen.host, port: listen.port };
}
