import { z } from 'zod';
import { codeRef, signingKeyText } from '../definitions/code.ts';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      owner: z
        .object({ node: z.string().max(253).describe('The name of the node, as this node knows it.'), key: signingKeyText })
        .describe('The node that owns the resource.'),
      resource: z.string().max(253).describe('The name of the Resource object on its owner.'),
      uid: z.string().max(64).describe('The UID of the Resource object.'),
      model: z.string().max(253).describe('The model of the resource.'),
      type: z.string().max(MAX_TYPE_NAME).describe('The type of the resource.'),
      name: z.string().max(253).describe('The name of the resource within its model and type.'),
      revision: z
        .number()
        .int()
        .nonnegative()
        .describe('The revision of the resource last received from its owner. It grows with each change.'),
    })
    .describe('The installed resource.'),
  status: z
    .object({
      phase: z.enum(['Installing', 'Installed', 'Failed']).describe('The phase of the installation.'),
      directory: z.string().max(4_096).describe('The directory of the resource on this node.'),
      code: z.array(codeRef).max(64).describe('The code that the resource runs, with its publishers.'),
      installedAt: z.string().max(40).optional().describe('When the resource was installed, in RFC 3339.'),
      message: z.string().max(1_024).optional().describe('Why the installation failed.'),
    })
    .optional()
    .describe('The current state of the installation.'),
});
export type DeploymentFields = z.infer<typeof schema>;

/** A resource as installed on this node: its model, its directory, and whose code it runs. Created when it is first needed. */
export const deploymentKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['depl'],
  scope: 'Namespaced',
  shared: false,
  verbs: READ_VERBS,
  description: 'A resource installed on this node. Created when a command first needs it.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.model', 'spec.type', 'spec.name', 'spec.owner.node'],
  columns: [
    { name: 'Model', type: 'string', description: 'model that it belongs to', path: 'spec.model', priority: 0 },
    { name: 'Type', type: 'string', description: 'type of the resource', path: 'spec.type', priority: 0 },
    { name: 'Resource', type: 'string', description: 'name of the resource', path: 'spec.name', priority: 0 },
    { name: 'Owner', type: 'string', description: 'node that owns the resource', path: 'spec.owner.node', priority: 0 },
    { name: 'Phase', type: 'string', description: 'phase of the installation', path: 'status.phase', priority: 0 },
    { name: 'Directory', type: 'string', description: 'directory of the resource', path: 'status.directory', priority: 1 },
  ],
};
