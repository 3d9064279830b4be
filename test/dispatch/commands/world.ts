import { spawn } from 'node:child_process';
import type {
  Clock,
  CommandContext,
  CommandType,
  ReadyScript,
  ScriptResult,
  ScriptRunner,
} from '../../../daemon/src/dispatch/commands/commands.types.ts';
import { environmentOf } from '../../../daemon/src/dispatch/commands/environment.ts';
import { commands as commandsSchema } from '../../../protocol/definitions/commands.ts';
import type { BundledResource } from '../../../protocol/orders/bundle.ts';
import type { LogLevel } from '../../../protocol/orders/records.ts';

/** A type with commands as a module has them: they are read by the schema. */
export function type(name: string, commands: Record<string, unknown>, code: CommandType['code'] = codeNamed(`type/${name}`)): CommandType {
  return { name, commands: commandsSchema.parse(commands), code };
}

export function codeNamed(name: string, digest = 'a'): NonNullable<CommandType['code']> {
  return { name, digest: digest.repeat(64).slice(0, 64), publisher: 'f'.repeat(64) };
}

export function resource(name: string, of: Partial<BundledResource> = {}): BundledResource {
  return {
    object: `shop.${(of.type ?? 'Service').toLowerCase()}.${name.toLowerCase()}`,
    uid: `uid-${name}`,
    model: 'shop',
    type: 'Service',
    name,
    labels: {},
    properties: {},
    parents: [],
    children: [],
    deployments: [],
    ...of,
  };
}

export interface World {
  /** Chains by type, nearest first. */
  chains: Record<string, readonly CommandType[]>;
  resource?: BundledResource;
  children?: readonly BundledResource[];
  parents?: readonly BundledResource[];
  directory?: string;
}

export function context({
  chains,
  resource: about = resource('myService'),
  children = [],
  parents = [],
  directory = '/nowhere',
}: World): CommandContext {
  return {
    resource: about,
    node: 'node1',
    chainOf: (name) => chains[name] ?? [],
    related: (of, over) => {
      if (over === 'deployments') return [of];
      return of.object !== about.object ? [] : over === 'children' ? children : parents;
    },
    directoryOf: () => directory,
  };
}

export interface Recorded extends ScriptRunner {
  /** Lines as a terminal would show them, dtkd's own after their level. */
  lines: string[];
  /** Scripts in the order of their starts, by their text. */
  started: ReadyScript[];
}

/** A runner that starts nothing: each script ends as `end` says of its text. */
export function fakeRunner(
  end: (text: string, script: ReadyScript, signal: AbortSignal) => ScriptResult | Promise<ScriptResult>,
): Recorded {
  const lines: string[] = [];
  const started: ReadyScript[] = [];
  return {
    lines,
    started,
    async run(script, { signal }) {
      started.push(script);
      return end(script.script.inline ?? script.script.file ?? '', script, signal);
    },
    log: (level, _step, _command, text) => void lines.push(logLine(level, text)),
  };
}

function logLine(level: LogLevel, text: string): string {
  return level === 'info' ? text : `[${level}] ${text}`;
}

/** Real processes of /bin/sh, with only the environment that a command gets. */
export function shellRunner(of: Pick<CommandContext, 'node' | 'directoryOf'>): Recorded {
  const lines: string[] = [];
  const started: ReadyScript[] = [];
  return {
    lines,
    started,
    run: (ready, { timeoutMs, signal }) => {
      started.push(ready);
      const { script, resource: about, options } = ready;
      const child = spawn('/bin/sh', ['-c', script.inline ?? '', ready.command, ...(script.args ?? [])], {
        cwd: script.directory,
        env: { PATH: '/usr/bin:/bin', ...environmentOf(of, about, options), ...script.env },
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
      });
      let overdue = false;
      const kill = () => {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      };
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => {
              overdue = true;
              kill();
            }, timeoutMs);
      signal.addEventListener('abort', kill);
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        for (let end = output.indexOf('\n'); end >= 0; end = output.indexOf('\n')) {
          lines.push(output.slice(0, end));
          output = output.slice(end + 1);
        }
      });
      return new Promise((resolve) => {
        child.on('error', (error) => resolve({ error: { code: 'INVALID', message: error.message } }));
        child.on('close', (status, killed) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', kill);
          resolve({
            ...(status === null ? {} : { exitStatus: status }),
            ...(killed === null ? {} : { signal: killed }),
            ...(overdue ? { error: { code: 'DEADLINE', message: 'it took too long' } } : {}),
          });
        });
      });
    },
    log: (level, _step, _command, text) => void lines.push(logLine(level, text)),
  };
}

/** Time that passes only when somebody waits. */
export function fakeClock(): Clock & { waits: number[]; pass(ms: number): void } {
  let now = 1_000_000;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    async wait(ms) {
      waits.push(ms);
      now += ms;
    },
    pass(ms) {
      now += ms;
    },
  };
}
