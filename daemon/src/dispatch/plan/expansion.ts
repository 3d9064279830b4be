/**
 * Expands a command of a resource into stages of targets. The starter itself unfolds only dispatches over other nodes, and workflows of
 * such dispatches; everything else is one stage on the nodes where the resource is deployed, and runs entirely there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Command,
  type Dispatch,
  durationMs,
  MAX_COMMAND_DEPTH,
  type Step,
  type Workflow,
} from '../../../../protocol/definitions/commands.ts';
import { bareType } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Bundle, BundledResource } from '../../../../protocol/orders/bundle.ts';
import { type CommandWork, MAX_TARGETS, type OptionValue } from '../../../../protocol/orders/order.ts';
import { codeOf } from '../commands/code-of.ts';
import type { CommandType, PlanContext, ResolvedCommand } from '../commands/commands.types.ts';
import { expandOptions, filledLength, MAX_FILLED, tooMuchFilled } from '../commands/expand.ts';
import { resolveCommand } from '../commands/resolve-command.ts';
import { resolveOptions } from '../commands/resolve-options.ts';
import { selectRelated } from '../commands/select-related.ts';
import type { NodeView } from '../dispatch.types.ts';
import { some } from './some.ts';
import { type Block, inSequence, sideBySide } from './stages.ts';
import { type Deployed, deployedOn, indexOf, inOrder, type NodeIndex } from './targets.ts';

/** Bundles requested at a time. */
const BUNDLES_AT_ONCE = 16;
/** Commands that one command may unfold into, also those without targets: workflows of workflows multiply. */
const MAX_UNFOLDED = 10_000;
/** After this many commands the event loop gets a turn. */
const BREATH = 64;

/** A resource with all that its owner publishes about it. */
export interface Subject {
  bundle: Bundle;
  bytes: Uint8Array;
  resource: BundledResource;
  chainOf(type: string): readonly CommandType[];
  /** The owner's name here. */
  owner: string;
  /** This node owns it. */
  own: boolean;
}

/** One target: a node, and what it is to do. */
export interface Item {
  view: NodeView;
  work: CommandWork;
  bundle: Uint8Array;
}

export interface ExpansionOptions {
  /** This node's name. */
  node: string;
  nodes: readonly NodeView[];
  /** The nodes that the filter chooses. */
  chosen: ReadonlySet<NodeView>;
  /** There is a filter. Without one a command that is not a dispatch runs on this node only. */
  filtered: boolean;
  threads: number | undefined;
  keepGoing: boolean;
  subject(of: { node: string; object: string }): Promise<Subject>;
}

type Options = Readonly<Record<string, OptionValue>>;

export interface Expanded {
  block: Block<Item>;
  /** Where the resource itself is deployed; undefined if its command is unfolded here. */
  deployed: Deployed | undefined;
  /** There are only dispatches that found no resources, and none of them requires any. */
  idle: boolean;
  /** The longest timeout that one of the commands declares, in milliseconds. */
  timeoutMs: number | undefined;
  notes: string[];
}

/**
 * Expands a command. Errors: those of resolveCommand, resolveOptions and codeOf; INVALID for a workflow that cannot be unfolded; NO_MATCH for a dispatch over
 * nothing; TOO_LARGE.
 */
export async function expandCommand(options: ExpansionOptions, subject: Subject, command: string, given: Options): Promise<Expanded> {
  return new Expansion(options).start(subject, command, given);
}

/** A resource as texts name it: `demo.Service.web`. */
export function resourceText({ model, type, name }: { model: string; type: string; name: string }): string {
  return `${model}.${bareType(type)}.${name}`;
}

class Expansion {
  readonly #options: ExpansionOptions;
  readonly #nodes: NodeIndex;
  readonly #notes = new Set<string>();
  readonly #subjects = new Map<string, Promise<Subject>>();
  #timeoutMs: number | undefined;
  #items = 0;
  #unfolded = 0;
  #filledIn = 0;
  #leaves = 0;
  #deployed: Deployed | undefined;

  constructor(options: ExpansionOptions) {
    this.#options = options;
    this.#nodes = indexOf(options.nodes);
  }

  async start(subject: Subject, command: string, given: Options): Promise<Expanded> {
    const block = await this.#command(subject, command, given, []);
    return { block, deployed: this.#deployed, idle: this.#leaves === 0, timeoutMs: this.#timeoutMs, notes: [...this.#notes] };
  }

  async #command(subject: Subject, name: string, given: Options, path: readonly string[]): Promise<Block<Item>> {
    await this.#unfold();
    const chain = subject.chainOf(subject.resource.type);
    const resolved = resolveCommand(chain, name, { inside: path.length > 0 });
    const step = `${subject.resource.object} ${resolved.name}`;
    const now = [...path, step];
    if (path.includes(step) || now.length > MAX_COMMAND_DEPTH) {
      throw new DtkdError(
        'INVALID',
        `the command "${name}" of ${resourceText(subject.resource)} dispatches to itself, or is nested too deep`,
        {
          next: `A command cannot dispatch to itself; dispatches can be nested at most ${MAX_COMMAND_DEPTH} deep.`,
        },
      );
    }
    this.#timed(resolved.command.timeout);
    const { dispatch, workflow } = resolved.command;
    if (dispatch !== undefined && isSpread(dispatch)) return this.#dispatch(subject, resolved, dispatch, given, now);
    if (workflow !== undefined && spreads(chain, resolved.command)) return this.#workflow(subject, resolved, workflow, given, now);
    return this.#leaf(subject, resolved, given, path.length > 0);
  }

  /** A stage for a command that runs entirely at its targets. */
  async #leaf(subject: Subject, resolved: ResolvedCommand, given: Options, within: boolean): Promise<Block<Item>> {
    const { resource, bundle, bytes, own } = subject;
    const { chosen, filtered, threads, keepGoing } = this.#options;
    this.#leaves += 1;
    // resolved as for a user: an order cannot name a private command
    const asked = resolveCommand(subject.chainOf(resource.type), resolved.name);
    const code = await codeOf(this.#planContext(subject), asked, given);
    const deployed = deployedOn(resource, this.#nodes, own);
    if (!within) this.#deployed = deployed;
    if (deployed.unknown.length > 0) {
      this.#notes.add(`${resourceText(resource)} is also deployed on ${some(deployed.unknown)}, which is not known here`);
    } else if (within && deployed.views.length === 0) {
      this.#notes.add(`${resourceText(resource)} is not deployed on any node`);
    }
    const work: CommandWork = {
      type: 'command',
      owner: bundle.owner,
      resource: { object: resource.object, uid: resource.uid, model: resource.model, type: resource.type, name: resource.name },
      command: asked.name,
      options: given,
      code: Object.fromEntries(code.map(({ name, digest }) => [name, digest])),
    };
    const here = (view: NodeView) => (filtered || within ? !filtered || chosen.has(view) : view.self);
    const items = inOrder(deployed.views.filter(here)).map((view) => ({ view, work, bundle: bytes }));
    this.#count(items.length);
    const title = `${resourceText(resource)} ${asked.name}`;
    return [{ threads: threads ?? 1, keepGoing, title, items, skips: Number.POSITIVE_INFINITY }];
  }

  async #dispatch(
    subject: Subject,
    resolved: ResolvedCommand,
    dispatch: Dispatch,
    given: Options,
    path: readonly string[],
  ): Promise<Block<Item>> {
    const filled = this.#passed(subject, resolved, given, dispatch.options ?? {});
    const groups = await this.#groups(subject, dispatch);
    const title = `${resourceText(subject.resource)} ${resolved.name}`;
    if (groups.length === 0) {
      const none = `${title} is for ${soughtText(dispatch)}, of which there are none`;
      if (dispatch['require-match'] !== false) {
        throw new DtkdError('NO_MATCH', none, { next: 'Add such resources, or set "require-match: false" in the command.' });
      }
      this.#notes.add(none);
    }
    const { threads = dispatch.threads ?? 1 } = this.#options;
    const atOnce = Math.min(threads, dispatch.threads ?? threads);
    const keepGoing = this.#options.keepGoing || dispatch['keep-going'] === true;
    const blocks: Block<Item>[] = [];
    for (const [at, group] of groups.entries()) {
      const each: Block<Item>[] = [];
      for (const one of group) each.push(await this.#command(one, dispatch.command, filled, path));
      const named = groups.length === 1 ? title : `${title} (${at + 1}/${groups.length})`;
      blocks.push(
        sideBySide(each, named).map((stage) => ({ ...stage, title: named, threads: atOnce, keepGoing: stage.keepGoing || keepGoing })),
      );
    }
    return inSequence(blocks.map((block) => ({ block, ignored: keepGoing })));
  }

  /** The resources that a dispatch is over, in groups, each resource with its own bundle. */
  async #groups(subject: Subject, dispatch: Dispatch): Promise<Subject[][]> {
    if (dispatch.over === 'deployments') {
      const groups = await selectRelated({ related: () => [subject.resource], chainOf: subject.chainOf }, subject.resource, dispatch);
      return groups.map((group) => group.map(() => subject));
    }
    const fetched = new Map<string, Subject>();
    const fetch = async (object: string): Promise<Subject> => {
      const found = await this.#fetched(subject.owner, object);
      fetched.set(object, found);
      return found;
    };
    const bundled = new Map(subject.bundle.resources.map((one) => [one.object, one]));
    const names = subject.resource[dispatch.over].filter((name) => !name.startsWith('node/'));
    const related = await inParallel(names, async (name) => bundled.get(name) ?? (await fetch(name)).resource);
    const chainOf = (type: string) => {
      const other = [...fetched.values()].find(({ resource }) => resource.type === type);
      return (other ?? subject).chainOf(type);
    };
    const groups = await selectRelated({ related: () => related, chainOf }, subject.resource, dispatch);
    const subjects = await inParallel(groups.flat(), ({ object }) => fetch(object));
    const byObject = new Map(subjects.map((one) => [one.resource.object, one]));
    return groups.map((group) => group.flatMap(({ object }) => byObject.get(object) ?? []));
  }

  async #workflow(
    subject: Subject,
    resolved: ResolvedCommand,
    workflow: Workflow,
    given: Options,
    path: readonly string[],
  ): Promise<Block<Item>> {
    const title = `${resourceText(subject.resource)} ${resolved.name}`;
    const blocks: { block: Block<Item>; ignored: boolean }[] = [];
    for (const [at, step] of workflow.steps.entries()) {
      const command = plainStep(resolved.name, step, at);
      const filled = this.#passed(subject, resolved, given, step.options ?? {});
      const block = await this.#command(subject, command, filled, path);
      blocks.push({ block, ignored: step['on-failure'] === 'ignore' });
    }
    if (workflow.order !== 'concurrent') return inSequence(blocks);
    return sideBySide(
      blocks.map(({ block, ignored }) => (ignored ? inSequence([{ block, ignored }]) : block)),
      title,
    );
  }

  /** The options that this command passes to one that it calls. */
  #passed({ resource }: Subject, resolved: ResolvedCommand, given: Options, options: Options): Record<string, OptionValue> {
    const own = resolveOptions(resolved, given, resource.properties);
    const declared = Object.fromEntries(Object.keys(resolved.command.options ?? {}).map((name) => [name, own[name]]));
    const filled = expandOptions(options, {
      options: declared,
      properties: resource.properties,
      resource: { name: resource.name, type: bareType(resource.type), model: resource.model, directory: '' },
      node: { name: this.#options.node },
    });
    this.#filledIn += filledLength(options, filled);
    if (this.#filledIn > MAX_FILLED) throw tooMuchFilled();
    return filled;
  }

  #planContext({ resource, chainOf, bundle }: Subject): PlanContext {
    const byObject = new Map(bundle.resources.map((one) => [one.object, one]));
    return {
      resource,
      chainOf,
      node: this.#options.node,
      related: (one, over) => (over === 'deployments' ? [one] : one[over].flatMap((name) => byObject.get(name) ?? [])),
    };
  }

  #timed(timeout: string | undefined): void {
    if (timeout !== undefined) this.#timeoutMs = Math.max(this.#timeoutMs ?? 0, durationMs(timeout));
  }

  /** A resource with what its owner publishes about it, fetched once per plan. */
  #fetched(owner: string, object: string): Promise<Subject> {
    const id = `${owner} ${object}`;
    const found = this.#subjects.get(id) ?? this.#options.subject({ node: owner, object });
    this.#subjects.set(id, found);
    return found;
  }

  async #unfold(): Promise<void> {
    this.#unfolded += 1;
    if (this.#unfolded > MAX_UNFOLDED) {
      throw new DtkdError('TOO_LARGE', `the plan has more than ${MAX_UNFOLDED} commands`, {
        next: 'Make its workflows call one another less often, or run parts of them separately.',
      });
    }
    if (this.#unfolded % BREATH === 0) await nextTurn();
  }

  #count(more: number): void {
    this.#items += more;
    if (this.#items > MAX_TARGETS) {
      throw new DtkdError('TOO_LARGE', `the plan has more than ${MAX_TARGETS} targets`, {
        next: 'Choose fewer nodes, and run it for the others afterwards.',
      });
    }
  }
}

function isSpread(dispatch: Dispatch): boolean {
  return dispatch.strategy !== 'local';
}

/** True if the starter has to unfold the command: it is a dispatch over nodes, or a workflow with such a step. */
function spreads(chain: readonly CommandType[], command: Command, seen = new Set<Command>()): boolean {
  if (command.dispatch !== undefined) return isSpread(command.dispatch);
  // each command once: the paths through workflows can be too many to walk
  if (command.workflow === undefined || seen.has(command)) return false;
  seen.add(command);
  return allSteps(command.workflow.steps).some((step) => {
    if (step.command === undefined) return false;
    const name = step.command;
    const found = chain.find(({ commands }) => Object.hasOwn(commands, name))?.commands[name];
    return found !== undefined && spreads(chain, found, seen);
  });
}

function allSteps(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => {
    const handlers = step['on-failure'];
    return [step, ...(Array.isArray(handlers) ? allSteps(handlers) : [])];
  });
}

/** The command of a step, which must be one that can be unfolded. Errors: INVALID. */
function plainStep(workflow: string, step: Step, at: number): string {
  const problem =
    step.command === undefined
      ? 'is a script; here it has to be a command of its own'
      : Array.isArray(step['on-failure'])
        ? 'has handlers'
        : step.retry !== undefined
          ? 'is retried'
          : step.timeout !== undefined
            ? 'has a timeout of its own'
            : undefined;
  if (problem === undefined && step.command !== undefined) return step.command;
  throw new DtkdError('INVALID', `the workflow "${workflow}" goes over several nodes, and its step ${at + 1} ${problem}`, {
    next: 'Steps beside a dispatch over nodes are commands with on-failure: fail or ignore. Put the rest into a command of the resources that it is for.',
  });
}

function soughtText({ over, type, name }: Dispatch): string {
  const which = [type === undefined ? [] : `type ${type}`, name === undefined ? [] : `name ${name}`].flat();
  return `${over}${which.length === 0 ? '' : ` with ${which.join(' and ')}`}`;
}

/** Maps the items in batches that run in parallel; results are in the order of the items. */
async function inParallel<T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += BUNDLES_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + BUNDLES_AT_ONCE).map(each))));
  }
  return results;
}
