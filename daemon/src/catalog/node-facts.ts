/**
 * Keeps this node's Node object: the facts about the machine, written when they differ from what is stored, and the head of the audit log. What
 * the operator says of the node (`spec`, labels) is never touched, but for the tags that a new node begins with. A store that cannot be written
 * is tried again with the next look; nothing waits for it.
 */
import { arch, hostname, release, type } from 'node:os';
import { jsonEqual } from '../../../protocol/encoding/json.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import type { AuditHead, NodeFacts } from '../../../protocol/kinds/node.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/** Facts hardly ever change while a daemon runs (the host name does); a look costs nothing. */
const LOOK_MS = 60_000;

export interface NodeFactsOptions {
  store: ObjectStore;
  /** This node's name. */
  node: string;
  /** Of dtkd. */
  version: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** The tags of a node that has none said yet. */
  tags?: readonly string[];
  /** Its public signing key. */
  signingKey?: string;
  logger: Logger;
  /** In place of the machine's, for tests. */
  facts?: () => NodeFacts;
  lookMs?: number;
}

export interface NodeObject {
  /** Writes what is true now, with the head of the audit log if there is one, and goes on looking. */
  start(head?: AuditHead): Promise<void>;
  /** Publishes where the audit log stands. */
  publishHead(head: AuditHead): Promise<void>;
  /** The Node as it is stored. */
  get(): Promise<ApiObject | undefined>;
  stop(): void;
}

export function createNodeFacts(options: NodeFactsOptions): NodeObject {
  const { store, node, logger, tags, signingKey, lookMs = LOOK_MS } = options;
  const ref: ObjectRef = { group: DTKD_GROUP, plural: 'nodes', namespace: '', name: node };
  const facts = options.facts ?? (() => machineFacts(options));
  let timer: NodeJS.Timeout | undefined;
  /** Kept until it is written. */
  let head: AuditHead | undefined;
  let failed = false;

  async function write(latest?: AuditHead): Promise<void> {
    head = latest ?? head;
    const now = facts();
    const written = head;
    try {
      const stored = await store.get(ref);
      if (stored === undefined || !jsonEqual(stored, nodeObject(node, stored, { facts: now, head: written, tags, signingKey }))) {
        await store.transact(async (tx) => {
          await tx.put(nodeObject(node, await tx.get(ref), { facts: now, head: written, tags, signingKey }));
        });
      }
      if (head === written) head = undefined;
      failed = false;
    } catch (err) {
      if (!failed) logger.warn({ err }, "This node's Node object could not be written yet");
      failed = true;
    }
  }

  return {
    async start(head) {
      await write(head);
      timer = setInterval(() => void write(), lookMs);
      timer.unref();
    },
    publishHead: write,
    get: () => store.get(ref),
    stop: () => clearInterval(timer),
  };
}

/** What a daemon says of its node. */
export interface NodeSaid {
  facts: NodeFacts;
  head?: AuditHead | undefined;
  tags?: readonly string[] | undefined;
  signingKey?: string | undefined;
}

/** The Node with what its daemon says now; all else as it is stored. Pure. */
export function nodeObject(node: string, stored: ApiObject | undefined, { facts, head, tags, signingKey }: NodeSaid): ApiObject {
  const before = stored ?? {
    apiVersion: `${DTKD_GROUP}/v1`,
    kind: 'Node',
    metadata: { name: node, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
  };
  const spec = recordOf(before['spec']);
  const begins = tags !== undefined && tags.length > 0 && spec['tags'] === undefined;
  const status = recordOf(before['status']);
  const audit = head ?? status['audit'];
  // the store says these; with what it has said, an object that is up to date looks so
  const { conditions, observedGeneration } = status;
  const { generation } = before.metadata;
  return {
    ...before,
    metadata: { ...before.metadata, generation: begins && stored !== undefined ? generation + 1 : generation },
    spec: begins ? { ...spec, tags: [...tags] } : spec,
    status: {
      facts: withoutUndefined(facts),
      ...(audit === undefined ? {} : { audit }),
      ...(signingKey === undefined ? {} : { signingKey }),
      ...(conditions === undefined ? {} : { conditions, observedGeneration }),
    },
  };
}

function machineFacts({ version, startedAt }: NodeFactsOptions): NodeFacts {
  const name = { Windows_NT: 'Windows' }[type()] ?? type();
  return {
    hostname: hostname(),
    osFamily: name === 'Windows' ? 'windows' : 'unix',
    osName: name,
    osVersion: release(),
    osArch: arch(),
    nodeVersion: process.versions.node,
    dtkdVersion: version,
    startedAt: new Date(startedAt).toISOString(),
  };
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function withoutUndefined(facts: NodeFacts): NodeFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
