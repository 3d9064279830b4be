/**
 * Keeps this node's Node object: facts about the machine, written when they differ from what is stored, and the head of the audit log.
 * Never changes what the operator sets (`spec`, labels), except for the initial tags of a new node. If the store cannot be written, the
 * next look retries; nothing waits for it.
 */
import { arch, hostname, release, type } from 'node:os';
import { jsonEqual } from '../../../protocol/encoding/json.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import type { AuditHead, NodeFacts } from '../../../protocol/kinds/node.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';

/** Milliseconds between looks at the facts. They hardly ever change while a daemon runs (the host name may); a look costs nothing. */
const LOOK_MS = 60_000;

export interface NodeFactsOptions {
  store: ObjectStore;
  /** This node's name. */
  node: string;
  /** The version of dtkd. */
  version: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Initial tags for a node that has none yet. */
  tags?: readonly string[];
  /** The node's public signing key. */
  signingKey?: string;
  logger: Logger;
  /** Replaces the machine's facts, for tests. */
  facts?: () => NodeFacts;
  lookMs?: number;
}

export interface NodeObject {
  /** Writes the present facts, with the head of the audit log if given, and keeps them up to date. */
  start(head?: AuditHead): Promise<void>;
  /** Publishes a new head of the audit log. */
  publishHead(head: AuditHead): Promise<void>;
  /** The stored Node. */
  get(): Promise<ApiObject | undefined>;
  stop(): void;
}

export function createNodeFacts(options: NodeFactsOptions): NodeObject {
  const { store, node, logger, tags, signingKey, lookMs = LOOK_MS } = options;
  const ref: ObjectRef = { group: DTKD_GROUP, plural: 'nodes', namespace: '', name: node };
  const facts = options.facts ?? (() => machineFacts(options));
  let timer: NodeJS.Timeout | undefined;
  /** The head that is still to be written. */
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

/** What a daemon reports about its node. */
export interface NodeSaid {
  facts: NodeFacts;
  head?: AuditHead | undefined;
  tags?: readonly string[] | undefined;
  signingKey?: string | undefined;
}

/** The Node with what its daemon reports now; everything else as stored. Pure. */
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
  // the store sets these: take them over, so that an up-to-date object compares equal
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
