/**
 * Makes plans: finds the resource that is meant, gets its bundle from its owner, checks the command and its options, and determines the
 * exact list of targets, before anything runs. Starts nothing, and tells no target.
 */
import { readFile } from 'node:fs/promises';
import { durationMs } from '../../../../protocol/definitions/commands.ts';
import type { ModuleManifest } from '../../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../protocol/kinds/execution.ts';
import type { Bundle } from '../../../../protocol/orders/bundle.ts';
import { DEFAULT_TIMEOUT_MS, MAX_TARGETS, MAX_TIMEOUT_MS, type Work } from '../../../../protocol/orders/order.ts';
import { verifyBundle, verifyStatement } from '../../../../protocol/orders/signed-bundle.ts';
import type { ContextAnswer } from '../../../../protocol/requests/follow.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Content, Models, Modules, Nodes, NodeView, ResourceMatch } from '../dispatch.types.ts';
import { parseBatch } from './batches.ts';
import { chooseResource, isExact, MAX_ADVICE, parseModel, type Sought } from './candidates.ts';
import { chainsOf, modulesOf } from './chains.ts';
import { chooseNodes, noNode } from './chosen-nodes.ts';
import { contextOf, type KnownContext } from './context.ts';
import { type Expanded, expandCommand, resourceText, type Subject } from './expansion.ts';
import type { ChosenNodes, Narrowing, Plan, PlannedPart } from './plan.types.ts';
import { closed } from './stages.ts';
import { inOrder, noTarget, reached, type Self, skipOf } from './targets.ts';

/** Resources considered to find the one that is meant; people could not tell apart more of the same name, either. */
const MAX_MATCHES = 64;
/** Milliseconds to fetch a module, of which only the commands are needed. */
const MODULE_MS = 60_000;

export interface PlannerOptions {
  node: Self;
  models: Models;
  nodes: Nodes;
  modules: Pick<Modules, 'get' | 'keep'>;
  content: Pick<Content, 'fetch'>;
  logger: Logger;
}

export interface Planner {
  /**
   * With `narrowing` the plan has only those pairs, and ignores the request's filter. Errors: NOT_FOUND, AMBIGUOUS, NOT_DEPLOYED,
   * NO_MATCH, INVALID, BAD_REQUEST, TOO_LARGE, and those of the resource's owner.
   */
  plan(principal: Principal, request: DispatchRequestSpec, narrowing?: Narrowing): Promise<Plan>;
  /** What could complete an incomplete request. */
  context(principal: Principal, known: KnownContext): Promise<ContextAnswer>;
}

export function createPlanner(options: PlannerOptions): Planner {
  return new RequestPlanner(options);
}

class RequestPlanner implements Planner {
  readonly #options: PlannerOptions;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  async plan(principal: Principal, request: DispatchRequestSpec, narrowing?: Narrowing): Promise<Plan> {
    assertOneWork(request);
    const batch = request.batch === undefined ? undefined : parseBatch(request.batch);
    const all = await this.#options.nodes.list();
    // a retry repeats its execution's pairs, whatever the filter would choose now
    const nodes = await chooseNodes(narrowing === undefined ? request : { only: request.only }, all);
    if (nodes.none !== undefined && request.allowEmpty !== true) throw noNode(nodes);
    const work = plainWork(request);
    const { plan, idle, timeoutMs } =
      work === undefined
        ? await this.#ofCommand(principal, request, nodes, narrowing)
        : { plan: this.#ofWork(work, request, nodes), idle: false, timeoutMs: undefined };
    const parts = plan.parts.filter(({ target, work: one }) => narrowing?.has(target.node, one) ?? true);
    if (parts.length === 0 && !idle && request.allowEmpty !== true) {
      throw new DtkdError('NO_MATCH', 'there is nothing left to do: no target of that execution is still a target', {
        next: 'Look at the execution with "dtkd executions show", and at where its resource is deployed.',
      });
    }
    const timeout = request.timeout === undefined ? (timeoutMs ?? DEFAULT_TIMEOUT_MS) : durationMs(request.timeout);
    if (timeout <= 0)
      throw new DtkdError('BAD_REQUEST', 'the timeout must be longer than 0', { next: 'Leave it out, or give a duration such as 10m.' });
    return {
      ...plan,
      parts,
      batch,
      timeoutMs: Math.min(timeout, MAX_TIMEOUT_MS),
      notes: [...nodes.notes, ...plan.notes, ...leftOut(parts, narrowing)],
    };
  }

  async context(principal: Principal, known: KnownContext): Promise<ContextAnswer> {
    const { models, node, nodes } = this.#options;
    let listed: Promise<readonly NodeView[]> | undefined;
    const all = () => {
      listed ??= nodes.list();
      return listed;
    };
    return contextOf({ models, self: node.name, subject: (of) => this.#subject(principal, of, all) }, principal, known);
  }

  /** A plan for exec and cp, which work on nodes themselves. */
  #ofWork(
    work: Work,
    { threads = 1, keepGoing = false }: DispatchRequestSpec,
    { all, chosen, filtered }: ChosenNodes,
  ): Pick<Plan, 'parts' | 'stages' | 'notes' | 'unanswered'> {
    const views = inOrder(all.filter((view) => (filtered ? chosen.has(view) : view.self)));
    if (views.length > MAX_TARGETS) throw tooMany();
    const parts = views.flatMap((view) => this.#part(view, work, 0, undefined));
    return { parts, stages: [{ threads, keepGoing, afterFailure: 1, title: work.type }], notes: [], unanswered: [] };
  }

  async #ofCommand(
    principal: Principal,
    request: DispatchRequestSpec,
    nodes: ChosenNodes,
    narrowing: Narrowing | undefined,
  ): Promise<{ plan: Pick<Plan, 'parts' | 'stages' | 'notes' | 'unanswered'>; idle: boolean; timeoutMs: number | undefined }> {
    const { resource: name, type, command, options = {}, keepGoing = false, threads, allowEmpty = false } = request;
    if (name === undefined || command === undefined) throw incomplete(request);
    const sought: Sought = { ...parseModel(request.model), name, ...(type === undefined ? {} : { type }) };
    const { match, unanswered } = await this.#meant(principal, sought);
    const subjectOf = (of: { node: string; object: string }) => this.#subject(principal, of, () => nodes.all);
    const subject = await subjectOf(match);
    const expanded = await expandCommand(
      {
        node: this.#options.node.name,
        nodes: nodes.all,
        chosen: nodes.chosen,
        filtered: nodes.filtered,
        threads,
        keepGoing,
        subject: subjectOf,
      },
      subject,
      command,
      options,
    );
    const { stages, items: open } = closed(expanded.block);
    const parts = open.flatMap(({ stage, item: { view, work, bundle } }) => this.#part(view, work, stage, bundle));
    const idle = expanded.idle && narrowing === undefined;
    if (parts.length === 0 && !idle && !allowEmpty && narrowing === undefined) throw nothing(subject, expanded, nodes);
    return { plan: { parts, stages, notes: expanded.notes, unanswered }, idle, timeoutMs: expanded.timeoutMs };
  }

  /** The resource that is meant. Other nodes are asked only if this node has none, since its own take precedence. */
  async #meant(principal: Principal, sought: Sought): Promise<{ match: ResourceMatch; unanswered: string[] }> {
    const { models, node } = this.#options;
    if (sought.node === undefined) {
      const { items } = await models.find(principal, { ...sought, node: node.name }, MAX_MATCHES);
      if (isExact(sought, items)) return { match: chooseResource(sought, items, node.name, []), unanswered: [] };
    }
    const { items, unanswered } = await models.find(principal, sought, MAX_MATCHES);
    const there = items.length > 0 ? [] : (await models.find(principal, { node: node.name }, MAX_ADVICE)).items;
    return { match: chooseResource(sought, items, node.name, unanswered, there), unanswered };
  }

  #part(view: NodeView, work: Work, stage: number, bundle: Uint8Array | undefined): PlannedPart[] {
    const target = reached(view, this.#options.node);
    if (target === undefined) return [];
    const skip = skipOf(view);
    return [{ target, work, stage, ...(bundle === undefined ? {} : { bundle }), ...(skip === undefined ? {} : { skip }) }];
  }

  /** `all`: the nodes as listed once for the whole request, since listing is expensive; called only if another node is the owner. */
  async #subject(
    principal: Principal,
    { node, object }: { node: string; object: string },
    all: () => readonly NodeView[] | Promise<readonly NodeView[]>,
  ): Promise<Subject> {
    const { models, node: self } = this.#options;
    const bytes = await models.bundle(principal, { node, object });
    const own = node === self.name;
    const signingKey = own ? self.signingKey : (await all()).find((view) => view.node === node)?.signingKey;
    const { bundle } = verifyBundle(bytes, signingKey);
    const [resource] = bundle.resources;
    if (resource === undefined || resource.object !== object) {
      throw new DtkdError('CONTENT_ALTERED', `node "${node}" answered with another resource than "${object}"`);
    }
    return { bundle, bytes, resource, chainOf: chainsOf(bundle, await this.#manifests(bundle)), owner: node, own };
  }

  /** Manifests of the modules of a bundle, fetched where they are not here. */
  async #manifests(bundle: Bundle): Promise<Map<string, ModuleManifest>> {
    const manifests = new Map<string, ModuleManifest>();
    for (const digest of modulesOf(bundle)) manifests.set(digest, await this.#manifest(bundle, digest));
    return manifests;
  }

  async #manifest(bundle: Bundle, digest: string): Promise<ModuleManifest> {
    const { modules, content } = this.#options;
    const here = await modules.get(digest);
    if (here !== undefined) return here.manifest;
    const signed = bundle.modules.find((one) => verifyStatement(one).digest === digest);
    const name = Object.values(bundle.types).find(({ code }) => code?.digest === digest)?.code?.name ?? digest;
    if (signed === undefined) throw new DtkdError('CONTENT_ALTERED', `the resource bundle has no signature for module ${name}`);
    const path = await content.fetch(digest, { signal: AbortSignal.timeout(MODULE_MS) });
    await modules.keep(signed, await readFile(path));
    const kept = await modules.get(digest);
    if (kept === undefined) throw new DtkdError('CONTENT_MISSING', `the module ${name} could not be kept`);
    return kept.manifest;
  }
}

/** A request has exactly one of command, exec, put and get. Errors: BAD_REQUEST. */
function assertOneWork({ command, resource, exec, put, get }: DispatchRequestSpec): void {
  const works = [command ?? resource, exec, put, get].filter((one) => one !== undefined);
  if (works.length === 1) return;
  throw new DtkdError(
    'BAD_REQUEST',
    works.length === 0 ? 'the request does not say what to do' : 'the request asks for several things at once',
    {
      next: 'Give one of: resource with command, exec, put, get.',
    },
  );
}

function plainWork({ exec, put, get }: DispatchRequestSpec): Work | undefined {
  if (exec !== undefined) return { type: 'exec', ...exec, env: exec.env ?? {} };
  if (put !== undefined) return { type: 'put', ...absolute(put) };
  if (get !== undefined) return { type: 'get', ...absolute(get) };
  return undefined;
}

function absolute<T extends { path: string }>(file: T): T {
  if (file.path.startsWith('/')) return file;
  throw new DtkdError('BAD_REQUEST', `the path "${file.path.slice(0, 80)}" is not absolute`, { next: 'Give a path that begins with /.' });
}

function incomplete({ command }: DispatchRequestSpec): DtkdError {
  const what = command === undefined ? 'which command to run' : 'for which resource to run it';
  return new DtkdError('BAD_REQUEST', `the request does not say ${what}`, {
    next: 'See what can be run: dtkd ctl, with the flags given so far.',
  });
}

function nothing(subject: Subject, { deployed, notes }: Expanded, nodes: ChosenNodes): DtkdError {
  const what = resourceText(subject.resource);
  if (deployed !== undefined) return noTarget(what, deployed, nodes);
  return new DtkdError('NO_MATCH', `${nodes.filtered ? nodes.text : 'the plan'} leaves no target for the resources of ${what}`, {
    next: notes[0] === undefined ? 'Change the filter, or add --allow-empty if it is fine that nothing runs.' : `Note: ${notes[0]}.`,
    details: { notes },
  });
}

/** A note about pairs that a retry was to repeat and that are no longer targets. */
function leftOut(parts: readonly PlannedPart[], narrowing: Narrowing | undefined): string[] {
  if (narrowing === undefined || narrowing.size <= parts.length) return [];
  const count = narrowing.size - parts.length;
  return [`${count} of ${narrowing.size} targets of that execution are no longer targets`];
}

function tooMany(): DtkdError {
  return new DtkdError('TOO_LARGE', `the plan has more than ${MAX_TARGETS} targets`, {
    next: 'Choose fewer nodes, and run it for the others afterwards.',
  });
}
