/**
 * Assemblies: templates of what belongs together. An assembly names components, each of which becomes one or more resources when a
 * service staged from it is converged; how they are linked, which nodes they go on, and what is done with all of them. Values may contain
 * `${parameters.NAME}` and `${target.NAME}`, and in offers and apps also `${components.NAME.PROPERTY}`. A text that consists of one
 * reference takes over the value with its type.
 */
import { z } from 'zod';
import { commandName, durationText, optionName, optionRule, retry } from './commands.ts';
import { linkMapping, propertyName, propertyRule, typeName } from './type-rules.ts';

/** Name of an assembly, a component, an app, or a kind of target. It becomes part of object names. */
export const partName = z
  .string()
  .regex(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/, 'must be a name of at most 40 characters: a lower-case letter, then letters, digits and -');

/** Components of one assembly; and resources that they become in total. */
export const MAX_COMPONENTS = 256;
export const MAX_INSTANCE_RESOURCES = 1_000;

const description = z.string().max(4_096).optional();
const text = z.string().max(16_384);

/** `db`: a component of the same service; `backend/db`: of another service of this node; `target`: what the target offers. */
export const linkEnd = z
  .string()
  .max(128)
  .regex(/^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)?$/, 'must be COMPONENT, SERVICE/COMPONENT or target');

/** Either just the other end, with the mappings that the type declares for a link of this name, or the other end with its own mappings. */
export const link = z.union([linkEnd, z.strictObject({ to: linkEnd, take: linkMapping.optional(), give: linkMapping.optional() })]);
export type Link = z.infer<typeof link>;

/** A filter as for `-I`: `tags=web`, `name=node1,node2`, or `self` for the node that has the service. */
const nodesText = z.string().min(1).max(4_096);

export const placement = z.union([
  nodesText,
  z.strictObject({
    nodes: nodesText
      .optional()
      .describe('A filter of nodes to place resources on. Default: the `nodes` that the target offers, otherwise this node.'),
    except: nodesText.optional(),
    count: z
      .union([z.number().int().min(0).max(MAX_INSTANCE_RESOURCES), z.string().max(256)])
      .optional()
      .describe('The number of resources, each on a different node. `all` places one on each node. Default: 1.'),
    together: z.boolean().optional().describe('Whether several resources may be on the same node. Default: false.'),
  }),
]);
export type Placement = z.infer<typeof placement>;

export const component = z.strictObject({
  type: typeName,
  description,
  properties: z.record(propertyName, z.unknown()).optional(),
  on: placement.optional(),
  parents: z.array(partName).max(64).optional().describe('The components whose resources are the parents of its resources.'),
  links: z.record(partName, link).optional(),
  after: z
    .array(partName)
    .max(64)
    .optional()
    .describe('The components that are brought up before it. Components that it takes values from always are.'),
});
export type Component = z.infer<typeof component>;

/** An app for each node that has a resource of the component: a dtApp with the Service and the Endpoints that it needs. */
const assemblyApp = z.strictObject({
  component: partName,
  port: propertyName.optional().describe('The property of the component that has the port. Default: port.'),
  address: text.optional().describe('The address that the component listens on. Default: 127.0.0.1.'),
  domains: z.array(z.string().min(1).max(253)).min(1).max(64).describe('The names of the domains that the app is shared into.'),
  authenticationType: z.enum(['None', 'Custom', 'Capability']).optional(),
  authenticationURL: z.string().max(2_048).optional(),
});
export type AssemblyApp = z.infer<typeof assemblyApp>;

export interface ServiceStep {
  name?: string | undefined;
  /** A component means all its resources, `COMPONENT-N` one of them. Without a command, they are brought to their desired state. */
  component?: string | undefined;
  command?: string | undefined;
  options?: Record<string, string | number | boolean> | undefined;
  /** Another workflow of the same assembly. */
  workflow?: string | undefined;
  steps?: ServiceStep[] | undefined;
  order?: 'sequential' | 'concurrent' | undefined;
  /** How many resources of the component to run at a time, or which share of them: `1`, `25%`. Default: all. */
  batch?: string | undefined;
  'on-failure'?: 'fail' | 'ignore' | undefined;
  retry?: z.infer<typeof retry> | undefined;
  timeout?: string | undefined;
}

const plainStep = z.strictObject({
  name: z.string().max(128).optional(),
  component: z.string().max(64).optional(),
  command: commandName.optional(),
  options: z.record(optionName, z.union([text, z.number(), z.boolean()])).optional(),
  workflow: z.string().max(63).optional(),
  order: z.enum(['sequential', 'concurrent']).optional(),
  batch: z
    .string()
    .regex(/^[1-9][0-9]{0,5}%?$/, 'must be a number, or a percentage such as 25%')
    .optional(),
  'on-failure': z.enum(['fail', 'ignore']).optional(),
  retry: retry.optional(),
  timeout: durationText.optional(),
});

const grouped = (inner: z.ZodType<ServiceStep>): z.ZodType<ServiceStep> =>
  plainStep
    .extend({ steps: z.array(inner).min(1).max(256).optional() })
    .refine(({ component, workflow, steps }) => [component, workflow, steps].filter((one) => one !== undefined).length === 1, {
      message: 'must be exactly one of component, workflow and steps',
    });
const leaf: z.ZodType<ServiceStep> = plainStep.refine(({ component, workflow }) => (component === undefined) !== (workflow === undefined), {
  message: 'must be exactly one of component and workflow; steps are nested too deeply',
});

/** Steps may be nested three levels deep. */
const serviceStep: z.ZodType<ServiceStep> = grouped(grouped(leaf));

/**
 * What is done with a service as a whole. A converge follows `create` (components that it does not name come after it, in the order of
 * their links); `delete` takes everything down; all others are run with `dtkd service exec`.
 */
const serviceWorkflow = z.strictObject({
  description,
  options: z.record(optionName, optionRule).optional(),
  order: z
    .enum(['sequential', 'concurrent'])
    .optional()
    .describe('Whether steps run one after another or at the same time. Default: sequential.'),
  threads: z.number().int().min(1).max(256).optional().describe('The maximum number of commands that run at the same time. Default: 16.'),
  steps: z.array(serviceStep).min(1).max(256),
});
export type ServiceWorkflow = z.infer<typeof serviceWorkflow>;

/** Depth of nested workflows, including the groups in them. Keeps step numbers such as 3.1.2 short. */
export const MAX_WORKFLOW_LEVELS = 12;
/** Maximum number of domains that one dtApp of a service is shared with. */
export const MAX_APP_DOMAINS = 16;

export const workflowName = commandName;

/** Fields that assemblies and services have in common. */
export const assemblyBody = {
  description,
  role: z.literal('target').optional().describe('Set to target if services can be staged against its instances.'),
  kind: partName.optional().describe('For a target: the kind of target that it is.'),
  target: partName.optional().describe('The kind of target that it must be staged against.'),
  parameters: z.record(propertyName, propertyRule).optional(),
  components: z.record(partName, component).optional(),
  apps: z.record(partName, assemblyApp).optional(),
  offers: z
    .record(propertyName, z.unknown())
    .optional()
    .describe('For a target: the values offered to services staged against it. `nodes` is a filter of the nodes for their components.'),
  workflows: z.record(workflowName, serviceWorkflow).optional(),
};

export const assembly = z.strictObject(assemblyBody);
export type Assembly = z.infer<typeof assembly>;
