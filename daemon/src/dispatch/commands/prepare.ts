/**
 * Resolves a command of a resource into everything that it will run on this node, and so finds errors before anything runs: a step that
 * names no command, a missing option, a command that calls itself, a reference to nothing. Pure, except that dispatches load the pattern
 * library.
 */
import { resolve } from 'node:path';
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import {
  type Dispatch,
  durationMs,
  MAX_COMMAND_DEPTH,
  MAX_STEPS,
  type Script,
  type Step,
  type Workflow,
} from '../../../../protocol/definitions/commands.ts';
import { bareType } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { BundledResource } from '../../../../protocol/orders/bundle.ts';
import type { CommandContext, ResolvedCommand } from './commands.types.ts';
import { expand, expandOptions, filledLength, MAX_FILLED, type Scope, tooMuchFilled } from './expand.ts';
import type { PreparedDispatch, PreparedScript, PreparedStep, PreparedWork, PreparedWorkflow } from './prepared.types.ts';
import { resolveCommand } from './resolve-command.ts';
import { type Options, resolveOptions } from './resolve-options.ts';
import { selectRelated } from './select-related.ts';

/** Scripts, steps and resources that one command may consist of. The whole tree stays in memory while it runs. */
const MAX_WORK = 10_000;
/** Wait before the second attempt of a step that does not set one. */
const DEFAULT_RETRY_MS = 1_000;
const DEFAULT_BACKOFF = 2;

export interface Prepared {
  work: PreparedWork;
  /** Options of the command itself, with defaults. */
  options: Options;
  /** All code that it may run, sorted by name. */
  code: CodeRef[];
}

/** A command while the tree is walked. */
interface Frame {
  resource: BundledResource;
  resolved: ResolvedCommand;
  options: Options;
  scope: Scope;
  /** The commands that led here, outermost first, and this one. `object` identifies the resource. */
  path: readonly { object: string; name: string }[];
}

/**
 * Prepares a command for the resource of the context. `command` is a name, looked up as an outside caller may use it, or an already
 * resolved command.
 * Errors: NOT_FOUND, FORBIDDEN (resolveCommand), INVALID.
 */
export async function prepareCommand(context: CommandContext, command: string | ResolvedCommand, given: Options): Promise<Prepared> {
  const { resource } = context;
  const resolved = typeof command === 'string' ? resolveCommand(context.chainOf(resource.type), command) : command;
  return new Preparation(context).start(resource, resolved, given);
}

class Preparation {
  readonly #context: CommandContext;
  readonly #code = new Map<string, CodeRef>();
  #count = 0;
  #filledIn = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async start(resource: BundledResource, resolved: ResolvedCommand, given: Options): Promise<Prepared> {
    const frame = this.#frame(resource, resolved, given, []);
    const work = await this.#work(frame);
    const code = [...this.#code.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { work, options: frame.options, code };
  }

  #frame(resource: BundledResource, resolved: ResolvedCommand, given: Options, path: Frame['path']): Frame {
    const known = path.findIndex(({ object, name }) => object === resource.object && name === resolved.name);
    const now = [...path, { object: resource.object, name: resolved.name }];
    const shown = now.map(({ name }) => name).join(' → ');
    if (known >= 0) {
      throw new DtkdError('INVALID', `the command "${resolved.name}" calls itself: ${shown}`, {
        next: 'Remove the step that leads back to it, or give one of the commands another name.',
      });
    }
    if (now.length > MAX_COMMAND_DEPTH) {
      throw new DtkdError('INVALID', `commands that call commands are nested more than ${MAX_COMMAND_DEPTH} deep: ${shown}`);
    }
    // Code that only lists steps counts as well: whoever changes it changes what runs.
    this.#uses(resolved.code);
    const options = resolveOptions(resolved, given, resource.properties);
    return { resource, resolved, options, scope: scopeOf(this.#context, resource, resolved, options), path: now };
  }

  async #work(frame: Frame): Promise<PreparedWork> {
    const { script, workflow, dispatch, timeout } = frame.resolved.command;
    const timeoutMs = timeout === undefined ? undefined : durationMs(timeout);
    if (script !== undefined) return this.#script(script, frame, frame.resolved.name, timeoutMs);
    if (workflow !== undefined) return this.#workflow(workflow, frame, timeoutMs);
    if (dispatch !== undefined) return this.#dispatch(dispatch, frame, timeoutMs);
    throw new DtkdError('INVALID', `the command "${frame.resolved.name}" is neither a script nor a workflow nor a dispatch`);
  }

  #script(script: Script, frame: Frame, label: string, timeoutMs: number | undefined): PreparedScript {
    this.#counted();
    const { resource, resolved, options, scope } = frame;
    try {
      return {
        kind: 'script',
        script: { resource, command: label, script: this.#filled(script, resource, scope), code: resolved.code, options },
        timeoutMs,
      };
    } catch (error) {
      throw within(`the script of "${label}"`, error);
    }
  }

  #filled(script: Script, resource: BundledResource, scope: Scope): Script {
    return {
      ...script,
      ...(script.args === undefined ? {} : { args: script.args.map((text) => this.#argument(text, scope)) }),
      ...(script.env === undefined
        ? {}
        : { env: Object.fromEntries(Object.entries(script.env).map(([name, text]) => [name, this.#argument(text, scope)])) }),
      directory: resolve(this.#context.directoryOf(resource), this.#argument(script.directory ?? '.', scope)),
    };
  }

  #argument(text: string, scope: Scope): string {
    const filled = argument(expand(text, scope));
    if (filled !== text) this.#fills(filled.length);
    return filled;
  }

  async #workflow(workflow: Workflow, frame: Frame, timeoutMs: number | undefined): Promise<PreparedWorkflow> {
    const { steps, order, threads } = workflow;
    const { name } = frame.resolved;
    const size = countSteps(steps);
    if (size > MAX_STEPS)
      throw new DtkdError('INVALID', `the workflow "${name}" has ${size} steps with its handlers; at most ${MAX_STEPS} are possible`);
    const prepared = await this.#steps(steps, frame, `step`);
    return {
      kind: 'workflow',
      command: name,
      steps: prepared,
      threads: order === 'concurrent' ? (threads ?? prepared.length) : 1,
      timeoutMs,
    };
  }

  async #steps(steps: readonly Step[], frame: Frame, called: string): Promise<PreparedStep[]> {
    const prepared: PreparedStep[] = [];
    for (const [index, step] of steps.entries()) {
      try {
        prepared.push(await this.#step(step, frame));
      } catch (error) {
        throw within(`${called} ${index + 1} of "${frame.resolved.name}"`, error);
      }
    }
    return prepared;
  }

  async #step(step: Step, frame: Frame): Promise<PreparedStep> {
    this.#counted();
    const { retry, timeout, 'on-failure': onFailure = 'fail' } = step;
    return {
      label: step.name ?? step.command ?? step.script?.file ?? 'script',
      work: await this.#stepWork(step, frame),
      onFailure: typeof onFailure === 'string' ? onFailure : await this.#steps(onFailure, frame, 'handler'),
      attempts: retry?.attempts ?? 1,
      delayMs: retry?.delay === undefined ? DEFAULT_RETRY_MS : durationMs(retry.delay),
      backoff: retry?.backoff ?? DEFAULT_BACKOFF,
      timeoutMs: timeout === undefined ? undefined : durationMs(timeout),
    };
  }

  async #stepWork(step: Step, frame: Frame): Promise<PreparedWork> {
    if ((step.command === undefined) === (step.script === undefined)) {
      throw new DtkdError('INVALID', 'it must be exactly one of command and script');
    }
    if (step.command !== undefined) return this.#called(step.command, step.options ?? {}, frame.resource, frame);
    if (step.options !== undefined) throw new DtkdError('INVALID', 'options are for commands; a script has args');
    return this.#script(step.script ?? {}, frame, step.name ?? frame.resolved.name, undefined);
  }

  async #called(name: string, options: Options, resource: BundledResource, caller: Frame): Promise<PreparedWork> {
    const resolved = resolveCommand(this.#context.chainOf(resource.type), name, { inside: true });
    const filled = expandOptions(options, caller.scope);
    this.#fills(filledLength(options, filled));
    return this.#work(this.#frame(resource, resolved, filled, caller.path));
  }

  async #dispatch(dispatch: Dispatch, frame: Frame, timeoutMs: number | undefined): Promise<PreparedDispatch> {
    const { name } = frame.resolved;
    if (dispatch.strategy !== 'local') {
      throw new DtkdError('INVALID', `the command "${name}" is dispatched to other nodes, which only the node that starts it can do`, {
        next: `Run "${name}" by itself, or make it a dispatch with "strategy: local".`,
      });
    }
    const groups: { label: string; work: PreparedWork }[][] = [];
    for (const group of await selectRelated(this.#context, frame.resource, dispatch)) {
      const prepared: { label: string; work: PreparedWork }[] = [];
      for (const resource of group) {
        this.#counted();
        const label = `${dispatch.command} ${resource.type}/${resource.name}`;
        try {
          prepared.push({ label, work: await this.#called(dispatch.command, dispatch.options ?? {}, resource, frame) });
        } catch (error) {
          throw within(`the dispatch "${name}" to ${resource.type}/${resource.name}`, error);
        }
      }
      groups.push(prepared);
    }
    return {
      kind: 'dispatch',
      command: name,
      groups,
      threads: dispatch.threads ?? 1,
      keepGoing: dispatch['keep-going'] === true,
      requireMatch: dispatch['require-match'] !== false,
      sought: soughtBy(dispatch),
      timeoutMs,
    };
  }

  #counted(): void {
    this.#count += 1;
    if (this.#count > MAX_WORK) throw new DtkdError('INVALID', `it has more than ${MAX_WORK} steps in total`);
  }

  #fills(length: number): void {
    this.#filledIn += length;
    if (this.#filledIn > MAX_FILLED) throw tooMuchFilled();
  }

  #uses(code: CodeRef | undefined): void {
    if (code === undefined) return;
    const other = this.#code.get(code.name);
    if (other !== undefined && other.digest !== code.digest) {
      throw new DtkdError('INVALID', `it would run two different versions of ${code.name}`, {
        next: 'Let all its types come from one version of the module.',
        details: { digests: [other.digest, code.digest] },
      });
    }
    this.#code.set(code.name, code);
  }
}

/** Returns what the texts of a command may refer to. Options that are declared but have no value expand to nothing. */
export function scopeOf(
  context: Pick<CommandContext, 'node' | 'directoryOf'>,
  resource: BundledResource,
  { command }: Pick<ResolvedCommand, 'command'>,
  options: Options,
): Scope {
  const declared = Object.keys(command.options ?? {}).map((name) => [name, undefined] as const);
  const { name, type, model, properties } = resource;
  return {
    options: Object.fromEntries([...declared, ...Object.entries(options)]),
    properties,
    resource: { name, type: bareType(type), model, directory: context.directoryOf(resource) },
    node: { name: context.node },
  };
}

function argument(text: string): string {
  if (text.includes('\0')) throw new DtkdError('INVALID', 'an argument, variable or directory must not hold a NUL character');
  return text;
}

function countSteps(steps: readonly Step[]): number {
  let count = 0;
  for (const step of steps) count += 1 + (typeof step['on-failure'] === 'object' ? countSteps(step['on-failure']) : 0);
  return count;
}

function soughtBy({ over, type, name }: Dispatch): string {
  return [over, ...(type === undefined ? [] : [`of type ${type}`]), ...(name === undefined ? [] : [`of name ${name}`])].join(' ');
}

/** Adds to an error where it occurred. */
function within(where: string, error: unknown): unknown {
  if (!(error instanceof DtkdError)) return error;
  const code = error.code === 'NOT_FOUND' || error.code === 'FORBIDDEN' ? 'INVALID' : error.code;
  const { next, details } = error;
  return new DtkdError(code, `${where}: ${error.message}`, {
    cause: error,
    ...(next === undefined ? {} : { next }),
    ...(details === undefined ? {} : { details }),
  });
}
