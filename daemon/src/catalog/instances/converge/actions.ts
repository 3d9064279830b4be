/** The API of service instances and tasks: parses request bodies and calls the parts that do the work. */
import { z } from 'zod';
import { moduleName } from '../../../../../protocol/definitions/code.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import { taskKind } from '../../../../../protocol/kinds/task.ts';
import {
  convergeRequest,
  copyRequest,
  editRequest,
  fileRequest,
  revision,
  rollbackRequest,
  serviceExecRequest,
  stageRequest,
  takeDownRequest,
} from '../../../../../protocol/requests/service.ts';
import type { CapabilityVerb } from '../../../../../protocol/rights/capability.ts';
import type { InstanceAction, InstanceRequest } from '../service-instances.types.ts';
import { taskRef } from '../tasks/task-object.ts';
import { drift, exec } from './acting.ts';
import type { ConvergePorts } from './converge.types.ts';
import { converge, rollback } from './converging.ts';
import { setDefaultTarget } from './default-target.ts';
import { withNotes } from './edit-notes.ts';
import { authorOf, instanceRef } from './instance-object.ts';
import { findInstance } from './planning.ts';
import { stage } from './staging.ts';
import { stateOf } from './state.ts';
import { deleteInstance, uninstall } from './taking-down.ts';

/** Bytes of a request body: a service file and what surrounds it. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
/** Commits of a log in one answer. */
const MAX_COMMITS = 200;

type Handle = (ports: ConvergePorts, request: InstanceRequest) => Promise<unknown>;
type Method = InstanceRequest['method'];

/** Subresources of instances, by `group/plural/subresource`. */
export function instanceSubresources(ports: ConvergePorts): Map<string, InstanceAction> {
  const actions: [string, CapabilityVerb, Partial<Record<Method, Handle>>][] = [
    ['state', 'READ', { GET: (of, { principal, name }) => stateOf(of, principal, name) }],
    ['diff', 'READ', { GET: diff }],
    ['log', 'READ', { GET: log }],
    ['file', 'READ', { GET: content, POST: replaceFile }],
    ['edit', 'UPDATE', { POST: edit }],
    ['modules', 'READ', { GET: copies, POST: copy }],
    [
      'plan',
      'READ',
      { POST: (of, { principal, name, body }) => converge(of, principal, name, { ...read(convergeRequest, body), dryRun: true }) },
    ],
    ['converge', 'EXECUTE', { POST: (of, { principal, name, body }) => converge(of, principal, name, read(convergeRequest, body)) }],
    ['rollback', 'EXECUTE', { POST: (of, { principal, name, body }) => rollback(of, principal, name, readRollback(name, body)) }],
    ['exec', 'EXECUTE', { POST: (of, { principal, name, body }) => exec(of, principal, name, read(serviceExecRequest, body)) }],
    ['drift', 'EXECUTE', { POST: (of, { principal, name, body }) => drift(of, principal, name, read(takeDownRequest, body)) }],
    [
      'delete',
      'DELETE',
      { POST: (of, { principal, name, body, signal }) => deleteInstance(of, principal, name, read(takeDownRequest, body), signal) },
    ],
    [
      'uninstall',
      'DELETE',
      { POST: (of, { principal, name, body, signal }) => uninstall(of, principal, name, read(takeDownRequest, body), signal) },
    ],
    [
      'default-target',
      'MANAGE',
      {
        POST: (of, { principal, name, body }) =>
          setDefaultTarget(of, principal, name, read(z.strictObject({ default: z.boolean() }), body).default),
      },
    ],
  ];
  const { group, plural } = serviceInstanceKind;
  return new Map(actions.map(([name, verb, handles]) => [`${group}/${plural}/${name}`, onInstance(action(ports, verb, handles), ports)]));
}

/** Makes sure that the service exists, so that a later NOT_FOUND is about something that belongs to it. */
function onInstance(run: InstanceAction, ports: ConvergePorts): InstanceAction {
  const found: InstanceAction = async (request) => {
    // an operator's request has no object where none exists
    if (request.object === undefined) await findInstance(ports, request.name);
    return run(request);
  };
  return Object.assign(found, run);
}

export function taskSubresources(ports: ConvergePorts): Map<string, InstanceAction> {
  const { group, plural } = taskKind;
  return new Map([
    [`${group}/${plural}/follow`, action(ports, 'READ', { GET: follow })],
    [`${group}/${plural}/cancel`, action(ports, 'EXECUTE', { POST: cancel })],
  ]);
}

/** Daemon-wide actions, by name. */
export function instanceActions(ports: ConvergePorts): Map<string, InstanceAction> {
  const staging: Handle = (of, { principal, body, signal }) => stage(of, principal, read(stageRequest, body), signal);
  return new Map([['stage', Object.assign(action(ports, undefined, { POST: staging }), { open: 'anybody' as const })]]);
}

function action(ports: ConvergePorts, verb: CapabilityVerb | undefined, handles: Partial<Record<Method, Handle>>): InstanceAction {
  const run: InstanceAction = async (request) => {
    const handle = handles[request.method];
    const methods = Object.keys(handles);
    if (handle === undefined) {
      throw new DtkdError('METHOD_NOT_ALLOWED', `${request.method} is not allowed here`, { next: `Use ${methods.join(' or ')}.` });
    }
    if (request.rest.length > 0) throw new DtkdError('NOT_FOUND', 'there is no such path');
    return handle(ports, request);
  };
  return Object.assign(run, { maxBodyBytes: MAX_BODY_BYTES, ...(verb === undefined ? {} : { verb }) });
}

async function diff(ports: ConvergePorts, { name, query }: InstanceRequest): Promise<unknown> {
  const { status } = await findInstance(ports, name);
  const from = given(query, 'from') ?? (status.applied === undefined ? 'HEAD' : 'applied');
  return ports.files.diff(name, readRevision(name, from), readRevision(name, given(query, 'to')));
}

async function log(ports: ConvergePorts, { name, query }: InstanceRequest): Promise<unknown> {
  const { status } = await findInstance(ports, name);
  const repository = await ports.repositories.open(name);
  const limit = read(z.coerce.number().int().min(1).max(MAX_COMMITS).optional(), given(query, 'limit')) ?? MAX_COMMITS;
  const commits = await repository.log({ from: readRevision(name, given(query, 'from')), limit });
  return {
    commits: commits.map(({ id, message, author, at }) => ({
      id,
      message,
      author: author.name,
      at: new Date(at).toISOString(),
      applied: id === status.applied,
    })),
  };
}

/** Masks, for principals without UPDATE, secrets that somebody wrote where the name of a Secret belongs. */
async function content(ports: ConvergePorts, request: InstanceRequest): Promise<unknown> {
  return ports.files.content(request.name, { masked: !judged(ports, request, 'UPDATE').allowed });
}

async function replaceFile(ports: ConvergePorts, request: InstanceRequest): Promise<unknown> {
  assertMay(ports, request, 'UPDATE');
  const { content, base } = read(fileRequest, request.body);
  return withNotes(ports, request.principal, request.name, await ports.files.replace(request.name, content, base));
}

async function edit(ports: ConvergePorts, { principal, name, body }: InstanceRequest): Promise<unknown> {
  const { edits, base } = read(editRequest, body);
  return withNotes(ports, principal, name, await ports.files.edit(name, edits, base));
}

async function copies({ files }: ConvergePorts, { name, query }: InstanceRequest): Promise<unknown> {
  return { copies: await files.diffModules(name, read(moduleName.optional(), given(query, 'module'))) };
}

async function copy(ports: ConvergePorts, request: InstanceRequest): Promise<unknown> {
  assertMay(ports, request, 'UPDATE');
  const { principal, name, signal } = request;
  const { op, module, version, force, dryRun } = read(copyRequest, request.body);
  const wanted = { instance: name, module, version, principal, author: authorOf(principal, ports.node), dryRun, signal };
  if (op === 'push') return ports.files.pushModule(wanted);
  return ports.turns.alone(name, () => ports.files.pullModule({ ...wanted, force }));
}

async function follow(
  { tasks, store, node }: ConvergePorts,
  { principal, name, object, query, signal }: InstanceRequest,
): Promise<unknown> {
  const task = object ?? (await store.get(taskRef(node, name)));
  if (task === undefined) throw new DtkdError('NOT_FOUND', `there is no task "${name.slice(0, 80)}"`);
  const wanted = given(query, 'output') ?? 'all';
  const of = wanted === 'all' || wanted === 'none' ? wanted : { number: wanted };
  return { stream: tasks.follow(principal, task, { of, signal }) };
}

async function cancel({ tasks, store, node }: ConvergePorts, { principal, name }: InstanceRequest): Promise<unknown> {
  await tasks.cancel(principal, name);
  return store.get(taskRef(node, name));
}

/** For actions whose right depends on the method. */
function assertMay(ports: ConvergePorts, request: InstanceRequest, verb: CapabilityVerb): void {
  const decision = judged(ports, request, verb);
  if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason, { next: `Ask for the right ${verb} on it.` });
}

function judged(
  { decide, node }: ConvergePorts,
  { principal, name, object }: InstanceRequest,
  verb: CapabilityVerb,
): ReturnType<ConvergePorts['decide']> {
  if (principal.type === 'operator') return { allowed: true };
  const { group, plural } = instanceRef(node, name);
  return decide(principal, { verb, group, plural, name, ...(object === undefined ? {} : { object }) });
}

function given(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  return value === null || value === '' ? undefined : value;
}

function readRollback(name: string, body: unknown): z.output<typeof rollbackRequest> {
  const { to } = z.looseObject({ to: z.string().optional() }).safeParse(body).data ?? {};
  readRevision(name, to);
  return read(rollbackRequest, body);
}

/** Checks a revision that a person typed, with an error in their words. */
function readRevision<T extends string | undefined>(name: string, text: T): T {
  if (text === undefined || revision.safeParse(text).success) return text;
  throw new DtkdError('BAD_REQUEST', `${JSON.stringify(text.slice(0, 80))} is not a commit`, {
    next: `Name one such as 1f3a9c2, HEAD~2 or applied: dtkd service log ${name} lists them.`,
  });
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value ?? (schema instanceof z.ZodObject ? {} : undefined));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  throw new DtkdError('BAD_REQUEST', `the request is not as expected: ${where === '' ? '' : `${where}: `}${issue?.message ?? 'invalid'}`);
}
