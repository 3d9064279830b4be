/** Adapts the daemon to the ports of service instances: nodes to place resources on, objects of this node and of others, and commands. */

import { isRecord, parseJson } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { executionSchema } from '../../../protocol/kinds/execution.ts';
import { kindByPlural, kindOf } from '../../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../../protocol/kinds/kind.ts';
import { INSTANCE_LABEL } from '../../../protocol/kinds/service-instance.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import type { FollowLine } from '../../../protocol/requests/follow.ts';
import { refusedBy } from '../../../protocol/requests/refused-by.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { ApiServer } from '../api/server.types.ts';
import { takenAppText } from '../catalog/instances/apply/taken.ts';
import type { CommandEnd, Commands, Objects, PlacementNode, PlacementNodes, StartedCommand } from '../catalog/instances/instances.types.ts';
import type { Nodes, NodeView } from '../dispatch/dispatch.types.ts';
import type { Executions } from '../dispatch/execution/executions.types.ts';
import { chooseNodes } from '../dispatch/plan/chosen-nodes.ts';
import type { PeerView } from '../mesh/mesh.types.ts';

/** In placement filters: the node that has the service. */
const SELF_FILTER = 'self';
/** Requests within the daemon need some host. Nothing listens there. */
const WITHIN = 'http://localhost';
/** The largest response that is read, in bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Characters of output quoted at the end of a message. */
const TAIL_CHARS = 2_000;
/** Time for a target to send the output that it has. Milliseconds. */
const TAIL_MS = 5_000;

/** The part of the mesh that is needed here. */
interface Peers {
  domains(): readonly { peers: readonly Pick<PeerView, 'displayName' | 'address'>[] }[];
}

/** The nodes of this node's domains, and this node itself. */
export function placementNodes(nodes: Nodes, mesh: Peers): PlacementNodes {
  return {
    async list() {
      const addresses = addressesIn(mesh);
      return (await nodes.list())
        .filter((view) => view.self || view.member !== undefined)
        .map((view): PlacementNode => ({ name: view.node, self: view.self, address: addresses.get(view.node), object: view.object }))
        .sort(byName);
    },
    async members() {
      const own = (await nodes.list()).filter(({ self }) => self).map(({ node }) => node);
      return new Set([...own, ...mesh.domains().flatMap(({ peers }) => peers.map(({ displayName }) => displayName))]);
    },
    async matching({ include, exclude }) {
      const all = (await nodes.list()).filter((view) => view.self || view.member !== undefined);
      const left = exclude === undefined ? new Set<string>() : new Set(await chosen(all, exclude));
      return (await chosen(all, include)).filter((name) => !left.has(name)).sort();
    },
  };
}

async function chosen(all: readonly NodeView[], text: string): Promise<string[]> {
  if (text.trim() === SELF_FILTER) return all.filter(({ self }) => self).map(({ node }) => node);
  const { chosen: views } = await chooseNodes({ filter: { include: [text] } }, all);
  return [...views].map(({ node }) => node);
}

function addressesIn(mesh: Peers): Map<string, string> {
  const addresses = new Map<string, string>();
  for (const { peers } of mesh.domains()) {
    for (const { displayName, address } of peers) {
      const host = address === undefined ? undefined : hostOf(address);
      if (host !== undefined && !addresses.has(displayName)) addresses.set(displayName, host);
    }
  }
  return addresses;
}

/** The host in `HOST:PORT`, without the brackets of an IPv6 address. */
function hostOf(address: string): string | undefined {
  const colon = address.lastIndexOf(':');
  return colon <= 0 ? undefined : address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
}

const byName = (a: PlacementNode, b: PlacementNode): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** Access to objects through the API: with the same checks and handlers, and for objects of other nodes by the same way to their owner. */
export function objectsOf(api: Pick<ApiServer, 'answer'>): Objects {
  async function ask(principal: Principal, method: string, path: string, body?: Record<string, unknown>): Promise<Response> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const request = new Request(`${WITHIN}${path}`, {
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return api.answer(request, { own: { principal } });
  }
  /**
   * Undefined if the object does not exist or is not known here yet: apps of other nodes are read from their replicas, and their owner
   * knows better.
   */
  async function storedAt(principal: Principal, path: string): Promise<unknown> {
    const response = await ask(principal, 'GET', path);
    const body = await bodyOf(response);
    if (response.status === 404) return undefined;
    if (response.status >= 400) throw refusedBy(body);
    return body;
  }
  return {
    async apply(principal, node, object, { dryRun = false } = {}) {
      const kind = kindOf(object);
      const name = isRecord(object['metadata']) ? object['metadata']['name'] : undefined;
      if (kind === undefined || typeof name !== 'string') throw new DtkdError('INTERNAL', 'an object to apply has no kind or no name');
      const collection = collectionOf(kind, node);
      const query = dryRun ? '?dryRun=All' : '';
      const created = await ask(principal, 'POST', `${collection}${query}`, object);
      if (created.status !== 409) return expectGood(created);
      const path = `${collection}/${encodeURIComponent(name)}`;
      const stored = await storedAt(principal, path);
      if (stored !== undefined && instanceIn(stored) !== instanceIn(object)) throw notOurs(kind, node, name, instanceIn(object));
      await expectGood(await ask(principal, 'PATCH', `${path}${query}`, object));
    },
    async remove(principal, node, { group, plural, name, instance }) {
      const kind = kindByPlural(group, plural);
      if (kind === undefined) throw new DtkdError('INTERNAL', `there is no kind ${plural}`);
      const path = `${collectionOf(kind, node)}/${encodeURIComponent(name)}`;
      const stored = await storedAt(principal, path);
      // an object that is not the instance's was there first, and prevented the creation of its own
      if (stored !== undefined && instanceIn(stored) !== instance) return;
      const response = await ask(principal, 'DELETE', path);
      if (response.status !== 404) await expectGood(response);
    },
  };
}

function collectionOf(kind: Kind, node: string): string {
  const version = apiVersionOf(kind);
  return `/${kind.group === '' ? 'api' : 'apis'}/${version}/namespaces/${encodeURIComponent(node)}/${kind.plural}`;
}

/** Throws a refusal as it was given. */
async function expectGood(response: Response): Promise<void> {
  const body = await bodyOf(response);
  if (response.status >= 400) throw refusedBy(body);
}

async function bodyOf(response: Response): Promise<unknown> {
  const bytes = Buffer.from(await response.arrayBuffer());
  return bytes.length > MAX_ANSWER_BYTES ? undefined : parseJson(bytes);
}

/** The service instance that an object belongs to. */
function instanceIn(object: unknown): unknown {
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  const labels = isRecord(metadata) ? metadata['labels'] : undefined;
  return isRecord(labels) ? labels[INSTANCE_LABEL] : undefined;
}

function notOurs(kind: Kind, node: string, name: string, instance: unknown): DtkdError {
  const { message, next } = takenAppText(kind, node, name, String(instance));
  return new DtkdError('ALREADY_EXISTS', message, { next });
}

/** Commands as executions of this node. */
export function commandsOf(executions: Pick<Executions, 'dispatch' | 'prepare' | 'ended' | 'abort' | 'follow'>): Commands {
  return {
    async start(principal, request, record) {
      return startedAs(await executions.dispatch(principal, request, { record }));
    },
    async prepare(principal, request) {
      const prepared = await executions.prepare(principal, request);
      return { start: async (record) => startedAs(await prepared.dispatch({ record })) };
    },
    async ended(principal, id, signal, succeeded) {
      const { status } = await executions.ended(principal, id, signal, succeeded);
      // the execution's status was validated when it was made
      return endOf(executionSchema.shape.status.parse(status)?.parts ?? []);
    },
    async abort(principal, id) {
      await executions.abort(principal, id);
    },
    async tail(principal, id) {
      let text = '';
      for await (const line of await executions.follow(principal, id, { signal: AbortSignal.timeout(TAIL_MS) })) {
        text = (text + textOf(line)).slice(-TAIL_CHARS);
      }
      return text.trimEnd();
    },
  };
}

/** An execution without parts has ended as soon as it is made. */
function startedAs({ metadata, status }: ApiObject): StartedCommand {
  const parts = executionSchema.shape.status.parse(status)?.parts ?? [];
  return { id: metadata.name, ...(parts.length === 0 ? { nothing: true } : {}) };
}

function textOf({ output }: FollowLine): string {
  return (output?.records ?? []).map(({ s, text }) => (s === 'log' ? '' : (text ?? ''))).join('');
}

/** One end for all parts: that of the first part that did not succeed. */
function endOf(parts: readonly Part[]): CommandEnd {
  const bad = parts.find(({ outcome }) => outcome !== 'succeeded');
  const { outcome = 'unknown', exitStatus, code, reason } = bad ?? parts[0] ?? {};
  return { outcome, exitStatus, code, reason };
}
