/** Workflows of DTK's assemblies: subtasks become steps. */
import { type ServiceStep, type ServiceWorkflow, workflowName } from '../../../protocol/definitions/assembly.ts';
import type { ModuleType } from '../../../protocol/definitions/module.ts';
import { isRecord } from '../../json.ts';
import { readDescription, valueFor } from './attributes.ts';
import { commandNameOf, optionNameOf, parseRef } from './names.ts';
import { type Part, shown } from './part.ts';
import { matching, type Placed } from './placed.ts';

const KNOWN = new Set([
  'name',
  'description',
  'subtask_order',
  'subtasks',
  'node',
  'nodes',
  'node_group',
  'components',
  'component',
  'ordered_components',
  'actions',
  'action',
  'import',
  'flatten',
  'workflow',
  'retry',
  'attempts',
  'timeout',
  'params',
]);
/** Keys that name components to run. */
const COMPONENT_KEYS = ['components', 'component', 'ordered_components', 'actions', 'action'] as const;
/** Keys that name their nodes. */
const PLACES = ['node', 'nodes', 'node_group'] as const;
const MAX_ATTEMPTS = 100;
/** Levels of nested steps. */
const MAX_DEPTH = 3;
const MAX_STEPS = 256;

interface Context {
  what: string;
  workflow: string;
  placed: readonly Placed[];
  types: ReadonlyMap<string, ModuleType>;
}

/** The `actions` and `workflows` of an assembly, and the `workflow` of older files. */
export function readWorkflows(
  part: Part,
  { title: assembly, types }: { title: string; types: ReadonlyMap<string, ModuleType> },
  placed: readonly Placed[],
): Record<string, ServiceWorkflow> {
  const workflows = new Map<string, ServiceWorkflow>();
  const all = [
    ...part.get('actions').entries(`the actions of assembly ${assembly}`),
    ...part.get('workflows').entries(`the workflows of assembly ${assembly}`),
    ...(part.get('workflow').isThere ? [['create', part.get('workflow')] as [string, Part]] : []),
  ];
  for (const [name, said] of all) {
    const what = `workflow ${name} of assembly ${assembly}`;
    if (name === '__proto__' || !workflowName.safeParse(name).success) said.note(`${what} was left out: this is not a valid name`);
    else if (!isRecord(said.value)) said.fault(`${what} must be a mapping`);
    else {
      const workflow = readWorkflow(said, { what, workflow: name, placed, types });
      if (workflow !== undefined) workflows.set(name, workflow);
    }
  }
  // repeated, since a workflow that was dropped may leave another one empty
  for (let before = -1; before !== workflows.size; ) {
    before = workflows.size;
    for (const [name, workflow] of workflows) {
      workflow.steps = dropUnknown(workflow.steps, workflows, part, assembly);
      if (workflow.steps.length === 0) workflows.delete(name);
    }
  }
  return Object.fromEntries(workflows);
}

function readWorkflow(part: Part, context: Context): ServiceWorkflow | undefined {
  const description = readDescription(part);
  const subtasks = part.get('subtasks');
  const steps = subtasks.isThere ? stepsOf(subtasks, context, 1) : stepOf(part, context, 1);
  if (steps.length === 0) {
    part.note(`${context.what} was left out: nothing of it could be kept`);
    return undefined;
  }
  return {
    ...(description === undefined ? {} : { description }),
    ...(orderOf(part, context) === 'concurrent' ? { order: 'concurrent' as const } : {}),
    steps: capped(steps, part, context),
  };
}

function orderOf(part: Part, { what }: Context): 'sequential' | 'concurrent' {
  const order = part.get('subtask_order').text(`subtask_order of ${what}`);
  if (order !== undefined && order !== 'sequential' && order !== 'concurrent')
    part.get('subtask_order').note(`the order ${shown(order)} of ${what} has no counterpart: its steps run one after the other`);
  return order === 'concurrent' ? 'concurrent' : 'sequential';
}

function stepsOf(part: Part, context: Context, depth: number): ServiceStep[] {
  return part.items().flatMap((item) => {
    if (isRecord(item.value)) return stepOf(item, context, depth);
    item.fault(`a subtask of ${context.what} must be a mapping`);
    return [];
  });
}

/** The steps for a subtask. */
function stepOf(part: Part, context: Context, depth: number): ServiceStep[] {
  const { what } = context;
  for (const [key, said] of part.entries(what)) if (!KNOWN.has(key)) said.note(`${key} in ${what} has no counterpart and was left out`);
  const name = part.get('name').text(`the name of a subtask of ${what}`)?.slice(0, 128);
  const named = name === undefined || depth === 0 ? {} : { name };
  const extra = extraOf(part, what);
  const imported = part.get('import').isThere ? part.get('import') : part.get('workflow');
  const workflow = imported.text(`the workflow that ${what} imports`);
  if (workflow !== undefined) {
    unused(part, [...COMPONENT_KEYS, ...PLACES, 'subtasks', 'params'], 'a workflow that is imported is run as it is', what);
    return [{ ...named, workflow, ...extra }];
  }
  const subtasks = part.get('subtasks');
  if (subtasks.isThere) unused(part, [...COMPONENT_KEYS, ...PLACES, 'params'], 'its subtasks are run', what);
  else if (COMPONENT_KEYS.every((key) => !part.get(key).isThere)) part.note(`a subtask of ${what} was left out: it names nothing to run`);
  const inner = subtasks.isThere ? stepsOf(subtasks, context, depth + 1) : componentSteps(part, context, extra);
  if (inner.length <= 1) return inner.map((step) => ({ ...named, ...step }));
  const order = subtasks.isThere && orderOf(part, context) === 'concurrent' ? { order: 'concurrent' as const } : {};
  if (depth < MAX_DEPTH) return [{ ...named, ...order, steps: capped(inner, part, context) }];
  part.note(`subtasks of ${what} are nested too deeply: those innermost follow one another`);
  return inner;
}

/** Notes keys that are ignored because something else takes their place. */
function unused(part: Part, keys: readonly string[], why: string, what: string): void {
  for (const key of keys) if (part.get(key).isThere) part.get(key).note(`${key} of a subtask of ${what} was left out: ${why}`);
}

function componentSteps(part: Part, context: Context, extra: Partial<ServiceStep>): ServiceStep[] {
  const node = nodeOf(part, context);
  const given = part.get('params').entries(`the params of a subtask of ${context.what}`);
  return COMPONENT_KEYS.flatMap((key) => part.get(key).items()).flatMap((item) => componentStep(item, node, given, context, extra));
}

/** The node whose components are meant; undefined: those of all nodes. */
function nodeOf(part: Part, { what }: Context): string | undefined {
  const nodes = part.get('nodes');
  if (nodes.isThere && !/^all(_applicable)?$/i.test(String(nodes.value)))
    nodes.note(`nodes of a subtask of ${what} was left out: it is run on all`);
  const said = part.get('node').isThere ? part.get('node') : part.get('node_group');
  return said.text(`the node of a subtask of ${what}`);
}

function componentStep(
  part: Part,
  node: string | undefined,
  given: readonly [string, Part][],
  context: Context,
  extra: Partial<ServiceStep>,
): ServiceStep[] {
  const { what, workflow, placed } = context;
  const text = part.text(`a component of ${what}`);
  const ref = text === undefined ? undefined : parseRef(text);
  const on = ref?.node ?? node;
  const found = ref === undefined ? [] : matching({ ...ref, ...(on === undefined ? {} : { node: on }) }, placed);
  if (ref === undefined || found.length === 0) {
    if (text !== undefined)
      part.note(`${shown(text)} in ${what} was left out: the assembly has no such component${on === undefined ? '' : ` on ${on}`}`);
    return [];
  }
  const command = ref.action === undefined ? undefined : commandNameOf(ref.action);
  // these bring a component to its desired state, which is not a command here
  const usual = command === undefined || command === 'create' || command === 'converge' || (workflow === 'delete' && command === 'delete');
  return found.flatMap(({ part: component, type }) => {
    if (usual) {
      if (given.length > 0)
        part.note(`the params of ${shown(part.value)} in ${what} were left out: what brings a component up is run without any`);
      return [{ component, ...extra }];
    }
    const options = optionsFor(command, type, given, part, context);
    return options === undefined ? [] : [{ component, command, ...(Object.keys(options).length === 0 ? {} : { options }), ...extra }];
  });
}

/** The options that a step gives to a command. Undefined if the command does not exist, or cannot be run with them. */
function optionsFor(
  command: string,
  type: string,
  given: readonly [string, Part][],
  part: Part,
  { what, types }: Context,
): Record<string, string | number | boolean> | undefined {
  const own = types.get(type);
  const commands = own?.commands ?? {};
  const known = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (own !== undefined && known === undefined) {
    part.note(`${shown(part.value)} in ${what} was left out: ${type} has no command ${command} here`);
    return undefined;
  }
  const rules = known?.options;
  const options: Record<string, string | number | boolean> = {};
  for (const [name, said] of given) {
    const rule = rules !== undefined && Object.hasOwn(rules, name) ? rules[name] : undefined;
    const value = valueFor(rule?.type ?? 'string', said.value);
    const option = own !== undefined && rule === undefined ? undefined : optionNameOf(name);
    if (option === undefined || (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean'))
      said.note(`${shown(name)} for ${command} in ${what} was left out: it is not an option, or cannot have this value`);
    else options[option] = typeof value === 'string' ? value.replaceAll('${', () => '$${') : value;
  }
  const missing = Object.entries(rules ?? {}).find(
    ([name, rule]) => rule.required === true && rule.default === undefined && !Object.hasOwn(options, name),
  );
  if (missing === undefined) return options;
  part.note(`${shown(part.value)} in ${what} was left out: ${command} needs ${missing[0]}`);
  return undefined;
}

function extraOf(part: Part, what: string): Partial<ServiceStep> {
  const again = part.get('retry');
  const said = again.isThere && !isRecord(again.value) ? again : isRecord(again.value) ? again.get('attempts') : part.get('attempts');
  if (isRecord(again.value))
    for (const [key, value] of again.entries(what))
      if (key !== 'attempts') value.note(`${key} of retry in ${what} has no counterpart and was left out`);
  const number = valueFor('integer', said.value);
  // a plain `retry` counts the attempts after the first
  const attempts = typeof number === 'number' ? number + (said === again ? 1 : 0) : undefined;
  if (said.isThere && (attempts === undefined || attempts > MAX_ATTEMPTS))
    said.note(`the attempts in ${what} were left out: they are not a number up to ${MAX_ATTEMPTS}`);
  const timeout = valueFor('integer', part.get('timeout').value);
  const limit = typeof timeout === 'number' && timeout > 0 && timeout < 1_000_000 ? timeout : undefined;
  if (part.get('timeout').isThere && limit === undefined)
    part.get('timeout').note(`a timeout in ${what} was left out: it is not a number of seconds`);
  return {
    ...(attempts !== undefined && attempts >= 2 && attempts <= MAX_ATTEMPTS ? { retry: { attempts } } : {}),
    ...(limit === undefined ? {} : { timeout: `${limit}s` }),
  };
}

function capped(steps: ServiceStep[], part: Part, { what }: Context): ServiceStep[] {
  if (steps.length > MAX_STEPS) part.fault(`${what} has more than ${MAX_STEPS} subtasks beside one another`);
  return steps;
}

/** Drops steps that import a workflow which does not exist or was dropped. */
function dropUnknown(steps: readonly ServiceStep[], known: { has(name: string): boolean }, part: Part, assembly: string): ServiceStep[] {
  return steps.flatMap((step): ServiceStep[] => {
    if (step.workflow !== undefined && !known.has(step.workflow)) {
      part.note(`the workflow ${shown(step.workflow)}, which assembly ${assembly} imports, was left out: it is not there`);
      return [];
    }
    if (step.steps === undefined) return [step];
    const inner = dropUnknown(step.steps, known, part, assembly);
    return inner.length === 0 ? [] : [{ ...step, steps: inner }];
  });
}
