import { z } from 'zod';
import { signingKeyText } from '../definitions/code.ts';
import { isRecord } from '../encoding/json.ts';
import { type ConditionNow, conditionFields, truth } from '../objects/conditions.ts';
import type { ApiObject } from '../objects/objects.ts';
import { adoptedWhole } from './adopting.ts';
import type { Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const fact = z.string().max(256).optional();

export const nodeFacts = z.object({
  hostname: fact.describe('The host name.'),
  osFamily: fact.describe('The family of the operating system: unix or windows.'),
  osName: fact.describe('The operating system: Linux, Darwin or Windows.'),
  osVersion: fact.describe('The version of the operating system.'),
  osArch: fact.describe('The processor architecture, such as x64 or arm64.'),
  nodeVersion: fact.describe('The version of Node.js that runs the daemon.'),
  dtkdVersion: fact.describe('The version of dtkd.'),
  startedAt: z.string().max(40).optional().describe('When the daemon started, in RFC 3339.'),
});
export type NodeFacts = z.infer<typeof nodeFacts>;

/** The head of a node's audit log, for its peers to witness. */
export const auditHead = z.object({
  key: z.string().max(64).describe('The Ed25519 public key of the audit log, in base64.'),
  seq: z.number().int().nonnegative().describe('The number of the last line.'),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('The hash of the last line, which covers all lines before it.'),
  time: z.string().max(40).describe('When the last line was written, in RFC 3339.'),
  signature: z.string().max(128).describe('The signature of key, seq, hash and time, in base64.'),
});
export type AuditHead = z.infer<typeof auditHead>;

export const nodeStatus = z.object({
  facts: nodeFacts.optional().describe('Facts about the machine.'),
  audit: auditHead.optional().describe('The head of its audit log, published so that its peers can witness it.'),
  signingKey: signingKeyText
    .optional()
    .describe('The Ed25519 key with which the node signs its modules and the deployments of its models.'),
  ...conditionFields,
});

const schema = z.object({
  spec: z
    .object({
      tags: z
        .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/))
        .max(64)
        .optional()
        .describe('Tags to select the node by.'),
      properties: z
        .record(z.string().max(63), z.union([z.string().max(1024), z.number(), z.boolean()]))
        .optional()
        .describe('Properties to select the node by.'),
      description: z.string().max(1024).optional().describe('A description of the node.'),
      maintenance: z
        .object({
          reason: z.string().max(256).optional().describe('The reason for the maintenance.'),
          since: z.string().max(40).optional().describe('When the maintenance began, in RFC 3339.'),
        })
        .optional()
        .describe('Takes the node out of use. While it is set, commands started on other nodes skip this node.'),
    })
    .optional()
    .describe('What the operator sets for the node.'),
  status: nodeStatus.optional().describe('What the daemon of the node reports.'),
});

/** The published form: no annotations, and no namespace, since each member has one Node, shown under the name that others know it by. */
function publishedNode({ apiVersion, kind, metadata, spec, status }: ApiObject): ApiObject {
  const { annotations: _annotations, namespace: _namespace, ...meta } = metadata;
  return { apiVersion, kind, metadata: meta, ...(isRecord(spec) ? { spec } : {}), ...(isRecord(status) ? { status } : {}) };
}

/** Returns a Node's maintenance; undefined if the node is in use. */
export function maintenanceOf(node: ApiObject | undefined): { since?: string; reason?: string } | undefined {
  const spec = node?.['spec'];
  const maintenance = isRecord(spec) ? spec['maintenance'] : undefined;
  if (!isRecord(maintenance)) return undefined;
  const { since, reason } = maintenance;
  return {
    ...(typeof since === 'string' ? { since } : {}),
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
  };
}

/**
 * Conditions by the node's own daemon: Ready once it has written its facts, and whether its operator has taken it out of use. They do not
 * say whether the node can be reached now: each other node sees that for itself.
 */
function nodeConditions(object: ApiObject): ConditionNow[] {
  const fields = schema.safeParse(object).data;
  const running = fields?.status?.facts !== undefined;
  const maintenance = fields?.spec?.maintenance;
  return [
    { type: 'Ready', status: truth(running), reason: running ? 'DaemonStarted' : 'DaemonNotStarted' },
    {
      type: 'Maintenance',
      status: truth(maintenance !== undefined),
      reason: maintenance === undefined ? 'InUse' : 'TakenOutOfUse',
      message: maintenance?.reason,
    },
  ];
}

/** A machine with a daemon: its facts and tags, published by itself to all its domains. */
export const nodeKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  scope: 'Cluster',
  shared: true,
  verbs: ['get', 'list', 'watch', 'update', 'patch'],
  description:
    'A machine that runs a daemon, with its facts and tags. Each node publishes its own Node object and cannot write the others.',
  schema,
  serverFields: ['status'],
  selectableFields: ['status.facts.hostname', 'status.facts.osFamily', 'status.facts.osName', 'status.facts.osArch', 'spec.tags'],
  indexed: ['spec.tags'],
  aliases: { tag: 'spec.tags', tags: 'spec.tags', facts: 'status.facts', properties: 'spec.properties' },
  columns: [
    { name: 'Hostname', type: 'string', description: 'host name', path: 'status.facts.hostname', priority: 0 },
    { name: 'OS', type: 'string', description: 'operating system', path: 'status.facts.osName', priority: 0 },
    { name: 'Arch', type: 'string', description: 'processor architecture', path: 'status.facts.osArch', priority: 0 },
    {
      name: 'Tags',
      type: 'string',
      description: 'tags to select it by',
      value: (node) => schema.shape.spec.safeParse(node['spec']).data?.tags?.join(','),
      priority: 0,
    },
    { name: 'dtkd', type: 'string', description: 'version of dtkd', path: 'status.facts.dtkdVersion', priority: 0 },
    { name: 'Node.js', type: 'string', description: 'version of Node.js', path: 'status.facts.nodeVersion', priority: 1 },
    { name: 'OS Version', type: 'string', description: 'version of the operating system', path: 'status.facts.osVersion', priority: 1 },
  ],
  conditions: nodeConditions,
  attributed: true,
  domainsOf: () => ['*'],
  published: publishedNode,
  adopted: adoptedWhole,
};
