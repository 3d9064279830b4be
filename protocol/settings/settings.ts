/**
 * The settings of a daemon: the schema of `config.yaml`, of the `DTKD_*` variables and of the flags of `dtkd up`, and the form of
 * addresses in them. Pure: the daemon reads the sources, and so does `dtkd doctor`, which checks settings without a daemon.
 */
import { z } from 'zod';
import { DtkdError } from '../errors.ts';
import { type NodeName, parseNodeName } from '../ids.ts';
import { parseAddress } from '../peers/address.ts';
import { nearMiss } from '../text/near-miss.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Listen {
  host: string;
  port: number;
}

export const DEFAULTS = { api: '127.0.0.1:7700', mesh: '7701', ingress: '127.0.0.1:7702', suffix: 'dtkd.localhost' } as const;

const SUFFIX = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

const text = z.string().min(1).max(1024);
const flag = z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')], 'must be true or false');
const list = z.union(
  [text.transform((value) => value.split(',').map((part) => part.trim())), z.array(text)],
  'must be a list of texts, or texts joined by commas',
);
/** YAML reads a bare port as a number. */
const listen = z.union([text, z.number().int()], 'must be HOST:PORT, [IPV6]:PORT or PORT').transform(String);
/** Only digits: other texts that JavaScript converts to a number, such as an empty one, are typing errors. */
const whole = z.union([z.number().int(), z.string().regex(/^\d+$/).transform(Number)], 'must be a whole number');

/** Same as in the Node kind. */
const TAG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const tags = list.pipe(z.array(z.string().regex(TAG, 'must be words of letters, digits, ".", "_" and "-", joined by commas')).max(64));

/** Settings from any source. Unknown keys are refused, so that a typing error is not silently ignored. */
export const settings = z.strictObject({
  data: text.optional(),
  name: text.optional(),
  api: listen.optional(),
  mesh: listen.optional(),
  ingress: listen.optional(),
  announce: list.pipe(z.array(z.string().refine(isAddress, 'must be HOST or HOST:PORT, as other nodes would dial it'))).optional(),
  suffix: text.regex(SUFFIX, 'must be a DNS name in lower case').optional(),
  mdns: flag.optional(),
  operatorGroup: text.optional(),
  tags: tags.optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
  logFormat: z.enum(['text', 'json']).optional(),
  logFile: flag.optional(),
  logMaxBytes: whole.pipe(z.number().min(4096)).optional(),
  logKeep: whole.pipe(z.number().min(0).max(100)).optional(),
});

export type Settings = z.input<typeof settings>;
export type CheckedSettings = z.output<typeof settings>;

function isAddress(value: string): boolean {
  try {
    parseAddress(value);
    return true;
  } catch {
    return false;
  }
}

/** Returns the variable for a key: `DTKD_OPERATOR_GROUP` for `operatorGroup`. */
export function variableOf(key: string): string {
  return `DTKD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Returns the settings in `DTKD_*` variables, by key. Throws CONFIG_INVALID. */
export function settingsOfEnvironment(environment: Readonly<Record<string, string | undefined>>): CheckedSettings {
  const variables = Object.fromEntries(Object.keys(settings.shape).map((key) => [key, environment[variableOf(key)] || undefined]));
  return checkSettings(defined(variables), 'the environment', variableOf);
}

/** Other `DTKD_*` variables, read by the daemon, the command line, and commands that dtkd runs. */
const OTHER_VARIABLES = ['DTKD_CONFIG', 'DTKD_URL', 'DTKD_TOKEN', 'DTKD_CA', 'DTKD_NODE', 'DTKD_NODE_EXECUTABLE'];
const VARIABLES_OF_COMMANDS = /^DTKD_(RESOURCE|PROPERTY|OPTION)_/;

/** Returns `DTKD_*` variables that nothing reads but that resemble a known one. Other unknown ones may belong to other programs. */
export function mistypedVariables(environment: Readonly<Record<string, string | undefined>>): { name: string; meant: string }[] {
  const known = [...Object.keys(settings.shape).map(variableOf), ...OTHER_VARIABLES];
  const bare = new Map(known.map((name) => [name.slice('DTKD_'.length), name]));
  return Object.keys(environment).flatMap((name) => {
    if (!name.startsWith('DTKD_') || known.includes(name) || VARIABLES_OF_COMMANDS.test(name)) return [];
    const meant = nearMiss(name.slice('DTKD_'.length), bare.keys());
    return meant === undefined ? [] : [{ name, meant: bare.get(meant) ?? meant }];
  });
}

/** Returns the values without undefined entries. */
export function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/**
 * Returns the error for a settings file that is not YAML. Only the first line of the parser's message is used: it names the place, and
 * the others just show it.
 */
export function notYaml(file: string, cause: unknown): DtkdError {
  const [said = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  return new DtkdError('CONFIG_INVALID', `${file} cannot be read as YAML: ${said.replace(/:$/, '')}`, {
    next: 'Correct the file: one "key: value" on each line, as in "logLevel: debug".',
    cause,
  });
}

/** Checks settings. Throws CONFIG_INVALID, naming the source and the key as `spell` formats it. */
export function checkSettings(values: unknown, source: string, spell: (key: string) => string = (key) => key): CheckedSettings {
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

/** Throws CONFIG_INVALID. */
export function parseNameSetting(value: string): NodeName {
  try {
    return parseNodeName(value);
  } catch (cause) {
    if (!(cause instanceof DtkdError)) throw cause;
    throw new DtkdError('CONFIG_INVALID', `name: ${cause.message}`, { ...(cause.next === undefined ? {} : { next: cause.next }), cause });
  }
}

/** Parses `host:port`, `[v6]:port`, or a bare port. Port 0 means any free port. */
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

/** Listening addresses. An undefined `host` means all IPv4 and IPv6 addresses. */
export interface Listeners {
  api: Listen;
  mesh: { host: string | undefined; port: number };
  ingress: Listen;
}

/** Returns the addresses that a daemon with these settings listens on. Throws CONFIG_INVALID. */
export function listenersOf(merged: Pick<CheckedSettings, 'api' | 'mesh' | 'ingress'>): Listeners {
  const mesh = parseListen(merged.mesh ?? DEFAULTS.mesh, 'mesh', '*');
  return {
    api: parseListen(merged.api ?? DEFAULTS.api, 'api', '127.0.0.1'),
    mesh: { host: mesh.host === '*' ? undefined : mesh.host, port: mesh.port },
    ingress: parseListen(merged.ingress ?? DEFAULTS.ingress, 'ingress', '127.0.0.1'),
  };
}
