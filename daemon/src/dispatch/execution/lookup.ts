/** Which execution an id, or its beginning, means: one that this node started, or one of others that it finds out about. */
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

/** Ids shown where several begin alike. */
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

/** Reads an id as people give it. Errors: BAD_REQUEST. */
function parseId(text: string): string {
  const id = text.toLowerCase();
  if (executionIdStart.safeParse(id).success) return id;
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 80)}" is no id of an execution`, {
    next: 'Give the id as it is shown, or at least its first six digits.',
  });
}

/** Errors: BAD_REQUEST, AMBIGUOUS, NOT_FOUND also for what the principal may not READ. */
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

/** Those of this node that begin so, as far as the principal may know of them. */
async function namesOf(ports: LookupPorts, principal: Principal, id: string): Promise<string[]> {
  // no other begins as a whole one does
  if (ports.runs.has(id)) return [id];
  const names = await ports.names(id, MAX_SHOWN + 1);
  if (names.length < 2 || principal.type === 'operator') return names;
  const objects = await Promise.all(names.map((name) => ports.store.get(executionRef(ports.node.name, name))));
  return names.filter((_name, at) => {
    const object = objects[at];
    return object !== undefined && may(ports, principal, 'READ', object);
  });
}

/** One that this node started, if the principal may READ it. */
export async function startedHere(
  ports: LookupPorts,
  principal: Principal,
  id: string,
): Promise<Extract<Known, { at: 'running' | 'here' }> | undefined> {
  const { store, node, runs } = ports;
  const run = runs.get(id);
  // what runs was made here: it is not read again for each part that somebody asks for
  if (run !== undefined) return may(ports, principal, 'READ', run.object()) ? { at: 'running', run } : undefined;
  const object = await store.get(executionRef(node.name, id));
  const fields = object === undefined ? undefined : fieldsOf(object);
  if (object === undefined || fields === undefined || fields.spec.request === undefined) return undefined;
  return may(ports, principal, 'READ', object) ? { at: 'here', object, fields } : undefined;
}

/** What a principal may with an Execution object of this node. */
export function may({ access }: Pick<LookupPorts, 'access'>, principal: Principal, verb: 'READ' | 'EXECUTE', object: ApiObject): boolean {
  if (principal.type === 'operator') return true;
  const { metadata } = object;
  return access.decide(principal, { verb, ...executionRef('', metadata.name), object }).allowed;
}

/** Says whether the principal may READ it at the time. What others started they have answered for themselves. */
export function seenBy(ports: Pick<LookupPorts, 'access'>, principal: Principal, known: Known): () => boolean {
  if (known.at === 'elsewhere') return () => true;
  // what rights go by does not change with its state
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

/** Parts of which this node itself is the target. */
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

/** This node among those who can be asked: it has no domain. */
function selfAsMember({ name, signingKey }: { name: string; signingKey: string }): Member {
  return { node: name, domain: '', key: signingKey, selfKey: signingKey, reach: 'connected' };
}

function ambiguous(id: string, ids: readonly string[]): DtkdError {
  const shown = ids.slice(0, MAX_SHOWN).map((one) => one.slice(0, Math.max(12, id.length + 6)));
  return new DtkdError(
    'AMBIGUOUS',
    `"${id}" begins ${ids.length > MAX_SHOWN ? 'many ids' : `the ids of ${ids.length} executions`}: ${shown.join(', ')}`,
    {
      next: 'Give more digits of it.',
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
  return new DtkdError('NOT_FOUND', `no node that can be reached tells of an execution ${id.slice(0, 12)}`, { next });
}
