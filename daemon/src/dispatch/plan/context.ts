/** Completes an incomplete request: the models, types, resources and commands that are possible. */
import type { Command } from '../../../../protocol/definitions/commands.ts';
import type { ContextAnswer } from '../../../../protocol/requests/follow.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { compareText } from '../../../../protocol/text/text-order.ts';
import type { ResolvedCommand } from '../commands/commands.types.ts';
import { listCommands } from '../commands/resolve-command.ts';
import type { Models, ResourceMatch } from '../dispatch.types.ts';
import { chooseResource, MAX_ADVICE, parseModel, type Sought } from './candidates.ts';
import type { Subject } from './expansion.ts';

/** The most resources listed. */
const MAX_LISTED = 500;
/** Resources searched for those that have a command; that takes one bundle for each of their types. */
const MAX_SOUGHT = 10_000;
/** Resources whose deployments are looked up, for each of which a bundle is fetched. */
const MAX_DETAILED = 50;

export interface ContextPorts {
  models: Pick<Models, 'find'>;
  self: string;
  subject(of: { node: string; object: string }): Promise<Subject>;
}

/** What the request says so far. */
export interface KnownContext {
  model?: string;
  type?: string;
  resource?: string;
  command?: string;
}

/**
 * Without a resource: the models, types and resources that match what is known so far; with a command, only those that have it, and its
 * options. With a resource: its commands, with their options. Errors: NOT_FOUND and AMBIGUOUS for a named resource.
 */
export async function contextOf(
  { models, self, subject }: ContextPorts,
  principal: Principal,
  { model, type, resource, command }: KnownContext,
): Promise<ContextAnswer> {
  const sought: Sought = {
    ...parseModel(model),
    ...(type === undefined ? {} : { type }),
    ...(resource === undefined ? {} : { name: resource }),
  };
  const isByCommand = resource === undefined && command !== undefined;
  const limit = isByCommand ? MAX_SOUGHT : MAX_LISTED;
  const { items, unanswered } = await models.find(principal, sought, limit + 1);
  if (resource !== undefined) {
    const there = items.length > 0 ? [] : (await models.find(principal, { node: self }, MAX_ADVICE)).items;
    const match = chooseResource(sought, items, self, unanswered, there);
    const { resource: found, chainOf } = await subject(match);
    return {
      resources: [
        shown(
          match,
          found.deployments.map(({ node }) => node),
        ),
      ],
      commands: listCommands(chainOf(found.type)).map(shownCommand),
      unanswered,
    };
  }
  const having = isByCommand ? await havingCommand(items.slice(0, limit), command, subject) : { items, commands: undefined };
  return {
    ...(await listed(having.items.slice(0, MAX_LISTED), subject)),
    commands: having.commands,
    ...(items.length > limit || having.items.length > MAX_LISTED ? { truncated: true } : {}),
    unanswered,
  };
}

/** The resources whose types have the command, and the command as each type has it. Leaves out a type whose bundle is not available now. */
async function havingCommand(
  items: readonly ResourceMatch[],
  name: string,
  subject: ContextPorts['subject'],
): Promise<{ items: ResourceMatch[]; commands: ContextAnswer['commands'] }> {
  const samples = new Map(items.map((match) => [typeAt(match), match]));
  const found = new Map<string, ResolvedCommand>();
  for (const [key, match] of samples) {
    const chain = await subject(match).then(
      ({ chainOf, resource }) => chainOf(resource.type),
      () => [],
    );
    const command = listCommands(chain).find((one) => one.name === name);
    if (command !== undefined) found.set(key, command);
  }
  const distinct = new Map([...found].map(([, one]) => [one.type, one]));
  return { items: items.filter((match) => found.has(typeAt(match))), commands: [...distinct.values()].map(shownCommand) };
}

/** A key for a type: a type's name is unique only within a node. */
function typeAt({ node, type }: ResourceMatch): string {
  return `${node}/${type}`;
}

async function listed(
  items: readonly ResourceMatch[],
  subject: ContextPorts['subject'],
): Promise<Pick<ContextAnswer, 'models' | 'types' | 'resources'>> {
  const resources = await Promise.all(
    items.map(async (match, at) => {
      const details = at < MAX_DETAILED ? await subject(match).catch(() => undefined) : undefined;
      return shown(match, details?.resource.deployments.map(({ node }) => node) ?? []);
    }),
  );
  return { models: distinctModels(items), types: distinctTypes(items), resources };
}

function shownCommand({ name, type, command }: ResolvedCommand): { name: string; type: string; command: Command } {
  return { name, type, command };
}

function shown({ node, model, type, name }: ResourceMatch, deployments: string[]) {
  return { node, model, type, name, deployments };
}

function distinctModels(items: readonly ResourceMatch[]): { node: string; name: string }[] {
  const models = new Map(items.map(({ node, model }) => [`${node}/${model}`, { node, name: model }]));
  return [...models.values()];
}

function distinctTypes(items: readonly ResourceMatch[]): { name: string }[] {
  return [...new Set(items.map(({ type }) => type))].sort(compareText).map((name) => ({ name }));
}
