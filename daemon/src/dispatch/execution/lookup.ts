/** Finds the execution that an id, or the beginning of one, means: started by this node, or by others that can be asked. */
import { decodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ExecutionFields } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { executionIdStart } from '../../../../protocol/orders/messages.ts';
import { planHeader } from '../../../../protocol/orders/order.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Member } from '../dispatch.types.ts';
import { type Merged, mergeFound } from './elsewhere/elsewhere.ts';
import { type FoundPart, findElsewhere } from './elsewhere/finding.ts';
import { executionRef, fieldsOf } from './execution-object.ts';
import type { ExecutionsOptions } from './executions.types.ts';
import { FIND_MS } from './limits.ts';
import type { Run } from './run/run.ts';
import { wireUser } from './starting.ts';

/** Ids shown if several match. */
const MAX_SHOWN = 10;

export type Known =
  | { at: 'running'; run: Run }
  /** Started here, and over. */
  | { at: 'here'; object: ApiObject; fields: ExecutionFields }
  /** Started elsewhere. */
  | { at: 'elsewhere'; merged: Merged };

export type LookupPorts = Pick<ExecutionsOptions, 'store' | 'node' | 'members' | 'target' | 'access' | 'names'> & {
  runs: { has(id: string): boolean; get(id: string): Run | undefined };
};

/** Reads an id as people type it. Errors: BAD_REQUEST. */
function parseId(text: string): string {
  const id = text.toLowerCase();
  if (executionIdStart.safeParse(id).success) return id;
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 80)}" is not the id of an execution`, {
    next: 'Give the id as it is shown, or at least its first six digits.',
  });
}

/** Errors: BAD_REQUEST, AMBIGUOUS, NOT_FOUND (also for what the principal may not READ). */
export async function lookUp(ports: LookupPorts, principal: Principal, text: string): Promise<Known> {
  const id = parseId(text);
  const names = await namesOf(ports, principal, id);
  if (names.length > 1) throw ambiguous(id, names);
  const own = names[0] === undefined ? undefined : await startedHere(ports, principal, names[0]);
  if (own !== undefined) return own;
  const { merged, unanswered } = await findAnywhere(ports, principal, names[0] ?? id);
  if (merged.length > 1)
    throw ambiguous(
      id,
      merged.map((one) => one.id),
    );
  const [only] = merged;
  if (only !== undefined) return { at: 'elsewhere', merged: only };
  throw notFound(principal, id, unanswered);
}

/** Ids of this node's executions that start with `id`, as far as the principal may know of them. */
async function namesOf(ports: LookupPorts, principal: Principal, id: string): Promise<string[]> {
  // a whole id matches no other
  if (ports.runs.has(id)) return [id];
  const names = await ports.names(id, MAX_SHOWN + 1);
  if (names.length < 2 || principal.type === 'operator') return names;
  const objects = await Promise.all(names.map((name) => ports.store.get(executionRef(ports.node.name, name))));
  return names.filter((_name, at) => {
    const object = objects[at];
    return object !== undefined && may(ports, principal, 'READ', object);
  });
}

/** The execution with this id if this node started it and the principal may READ it. */
export async function startedHere(
  ports: LookupPorts,
  principal: Principal,
  id: string,
): Promise<Extract<Known, { at: 'running' | 'here' }> | undefined> {
  const { store, node, runs } = ports;
  const run = runs.get(id);
  // a running one was started here: no need to read it for each part that somebody asks for
  if (run !== undefined) return may(ports, principal, 'READ', run.object()) ? { at: 'running', run } : undefined;
  const object = await store.get(executionRef(node.name, id));
  const fields = object === undefined ? undefined : fieldsOf(object);
  if (object === undefined || fields === undefined || fields.spec.request === undefined) return undefined;
  return may(ports, principal, 'READ', object) ? { at: 'here', object, fields } : undefined;
}

/** Whether a principal has a right to an Execution object of this node. */
export function may({ access }: Pick<LookupPorts, 'access'>, principal: Principal, verb: 'READ' | 'EXECUTE', object: ApiObject): boolean {
  if (principal.type === 'operator') return true;
  const { metadata } = object;
  return access.decide(principal, { verb, ...executionRef('', metadata.name), object }).allowed;
}

/** Returns a check of whether the principal may READ it now. Other nodes have checked that themselves for what they started. */
export function seenBy(ports: Pick<LookupPorts, 'access'>, principal: Principal, known: Known): () => boolean {
  if (known.at === 'elsewhere') return () => true;
  // rights do not depend on its state
  const object = known.at === 'running' ? known.run.object() : known.object;
  return () => may(ports, principal, 'READ', object);
}

async function findAnywhere(ports: LookupPorts, principal: Principal, id: string): Promise<{ merged: Merged[]; unanswered: string[] }> {
  const user = wireUser(principal);
  const [here, there] = await Promise.all([
    findHere(ports, principal, id),
    user === undefined ? { found: [], unanswered: [] } : findElsewhere({ members: ports.members, user, id, timeoutMs: FIND_MS }),
  ]);
  return { merged: mergeFound([...here, ...there.found]), unanswered: there.unanswered };
}

/** Parts whose target is this node. */
async function findHere({ store, node, target }: LookupPorts, principal: Principal, id: string): Promise<FoundPart[]> {
  const object = await store.get(executionRef(node.name, id));
  const fields = object === undefined ? undefined : fieldsOf(object);
  if (fields === undefined) return [];
  const headerBytes = Uint8Array.from(Buffer.from(fields.spec.header, 'base64'));
  const header = decodeCbor(headerBytes, planHeader, 'the header of a plan');
  const handles = await target.find(principal, id);
  return handles.map((handle) => ({
    member: selfAsMember(node),
    id,
    part: handle.part(),
    header,
    headerBytes,
    target: fields.spec.targets.find(({ index }) => index === handle.index),
  }));
}

/** This node among the members that can be asked: it has no domain. */
function selfAsMember({ name, signingKey }: { name: string; signingKey: string }): Member {
  return { node: name, domain: '', key: signingKey, selfKey: signingKey, reach: 'connected' };
}

function ambiguous(id: string, ids: readonly string[]): DtkdError {
  const shown = ids.slice(0, MAX_SHOWN).map((one) => one.slice(0, Math.max(12, id.length + 6)));
  return new DtkdError(
    'AMBIGUOUS',
    `"${id}" is the beginning of ${ids.length > MAX_SHOWN ? 'many ids' : `the ids of ${ids.length} executions`}: ${shown.join(', ')}`,
    {
      next: 'Give more digits of the id.',
    },
  );
}

function notFound(principal: Principal, id: string, unanswered: readonly string[]): DtkdError {
  const next =
    principal.type === 'operator'
      ? 'The operator of a node sees what that node started or runs. Log in as a user to ask other nodes.'
      : unanswered.length > 0
        ? `These nodes did not answer in time: ${unanswered.join(', ')}. Try again.`
        : 'You see executions that you started, and parts of those whose resource you may READ.';
  return new DtkdError('NOT_FOUND', `no node that can be reached knows an execution ${id.slice(0, 12)}`, { next });
}
