import { z } from 'zod';
import { codeRef, signingKeyText } from '../definitions/code.ts';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      owner: z
        .object({ node: z.string().max(253).describe('Its name, as it is known here.'), key: signingKeyText })
        .describe('The node whose model has the resource.'),
      resource: z.string().max(253).describe('Name of the Resource object there.'),
      uid: z.string().max(64).describe('Its uid.'),
      model: z.string().max(253).describe('Its model.'),
      type: z.string().max(MAX_TYPE_NAME).describe('Its type.'),
      name: z.string().max(253).describe('Its name within model and type.'),
      revision: z.number().int().nonnegative().describe('What its owner said of it last: grows with each change.'),
    })
    .describe('What is installed.'),
  status: z
    .object({
      phase: z.enum(['Installing', 'Installed', 'Failed']).describe('Whether it is installed.'),
      directory: z.string().max(4_096).describe('Where it is.'),
      code: z.array(codeRef).max(64).describe('Whose code it runs.'),
      installedAt: z.string().max(40).optional().describe('When it was installed.'),
      message: z.string().max(1_024).optional().describe('Why it failed.'),
    })
    .optional()
    .describe('How it is installed.'),
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
  description: 'A resource as it is installed on this node. Made when a command first needs it.',
  schema,
  serverFields: ['spec', 'status'],
  selectableFields: ['spec.model', 'spec.type', 'spec.name', 'spec.owner.node'],
  columns: [
    { name: 'Model', type: 'string', description: 'model that it belongs to', path: 'spec.model', priority: 0 },
    { name: 'Type', type: 'string', description: 'what it is', path: 'spec.type', priority: 0 },
    { name: 'Resource', type: 'string', description: 'its name', path: 'spec.name', priority: 0 },
    { name: 'Owner', type: 'string', description: 'node whose model has it', path: 'spec.owner.node', priority: 0 },
    { name: 'Phase', type: 'string', description: 'whether it is installed', path: 'status.phase', priority: 0 },
    { name: 'Directory', type: 'string', description: 'where it is', path: 'status.directory', priority: 1 },
  ],
};
