/** What an incomplete request could be completed with: models, types, resources, commands. */
import type { Command } from '../../../../protocol/commands.ts';
import type { ContextAnswer } from '../../../../protocol/orders/follow.ts';
import type { Principal } from '../../../../protocol/principal.ts';
import { compareText } from '../../../../protocol/text-order.ts';
import { listCommands } from '../commands/resolve-command.ts';
import type { Models, ResourceMatch } from '../dispatch.types.ts';
import { chooseResource, MAX_ADVICE, parseModel, type Sought } from './candidates.ts';
import type { Subject } from './expansion.ts';

/** Resources listed at most. */
const MAX_LISTED = 500;
/** Resources whose deployments are looked up, each by its bundle. */
const MAX_DETAILED = 50;

export interface ContextPorts {
  models: Pick<Models, 'find'>;
  self: string;
  subject(of: { node: string; object: string }): Promise<Subject>;
}

/**
 * Without a resource: the models, types and resources that match what is known so far. With one: its commands, with their options. Errors: NOT_FOUND and AMBIGUOUS for a
 * resource that is named.
 */
export async function contextOf(
  { models, self, subject }: ContextPorts,
  principal: Principal,
  { model, type, resource }: { model?: string; type?: string; resource?: string },
): Promise<ContextAnswer> {
  const sought: Sought = {
    ...parseModel(model),
    ...(type === undefined ? {} : { type }),
    ...(resource === undefined ? {} : { name: resource }),
  };
  const { items, unanswered } = await models.find(principal, sought, MAX_LISTED);
  if (resource !== undefined) {
    const there = items.length > 0 ? [] : (await models.find(principal, { node: self }, MAX_ADVICE)).items;
    const match = chooseResource(sought, items, self, unanswered, there);
    const { resource: found, chainOf } = await subject(match);
    const commands = listCommands(chainOf(found.type)).map(
      ({ name, type: of, command }): { name: string; type: string; command: Command } => ({
        name,
        type: of,
        command,
      }),
    );
    return {
      resources: [
        shown(
          match,
          found.deployments.map(({ node }) => node),
        ),
      ],
      commands,
      unanswered,
    };
  }
  const resources = await Promise.all(
    items.map(async (match, at) => {
      const details = at < MAX_DETAILED ? await subject(match).catch(() => undefined) : undefined;
      return shown(match, details?.resource.deployments.map(({ node }) => node) ?? []);
    }),
  );
  return { models: distinctModels(items), types: distinctTypes(items), resources, unanswered };
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
