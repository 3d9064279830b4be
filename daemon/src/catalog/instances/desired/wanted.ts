/** Properties that a type's texts refer to. The texts are filled in when a resource is installed and brought up. Pure. */
import { propertiesIn } from '../../../../../protocol/definitions/command-text.ts';
import type { Command, Script, Step } from '../../../../../protocol/definitions/commands.ts';
import { lineOf } from '../../../../../protocol/modules/template-check.ts';
import type { NamedType } from '../../model/resolved-type.ts';
import { copyPath } from '../files/copies.ts';
import type { ModuleCopy } from '../instances.types.ts';

/** Commands that are run without being requested, to bring a resource up. */
const ACTS = ['install', 'create', 'converge'] as const;

/** A property that must have a value, and the text that needs it. */
export interface Wanted {
  property: string;
  where: string;
}

/** A type with its copy; undefined for types that every node has. */
export interface TypeOfCopy {
  named: NamedType;
  copy: ModuleCopy | undefined;
}

/**
 * The properties that the templates of a chain of types (nearest first), and the commands that bring it up, refer to. Each
 * property once.
 */
export function wantedBy(chain: readonly TypeOfCopy[]): Wanted[] {
  const wanted = new Map<string, string>();
  const want = (property: string, where: string): void => void (wanted.has(property) || wanted.set(property, where));
  const made = new Set<string>();
  const commands = new Map<string, { command: Command; where: string }>();
  for (const { named, copy } of chain) {
    for (const { from, to } of named.spec.templates ?? []) {
      const file = made.has(to) ? undefined : copy?.archive.files.find(({ path }) => path === from);
      made.add(to);
      if (copy === undefined || file === undefined) continue;
      const text = Buffer.from(file.data).toString('utf8');
      for (const [property, at] of propertiesIn(text)) want(property, `${copyPath(copy.name, from)}:${lineOf(text, at)}`);
    }
    for (const [name, command] of Object.entries(named.spec.commands ?? {})) {
      if (!commands.has(name)) commands.set(name, { command, where: `${copy?.name ?? ''} types.${named.name}.commands.${name}` });
    }
  }
  const seen = new Set<string>();
  for (const next: string[] = [...ACTS]; next.length > 0; ) {
    const name = next.pop() ?? '';
    const found = commands.get(name);
    if (found === undefined || seen.has(name)) continue;
    seen.add(name);
    const { script, workflow } = found.command;
    if (script !== undefined) inScript(script, (property) => want(property, found.where));
    next.push(...inSteps(workflow?.steps ?? [], (property) => want(property, found.where)));
  }
  return [...wanted].map(([property, where]) => ({ property, where }));
}

function inScript({ args = [], env = {}, directory = '', secrets = [] }: Script, want: (property: string) => void): void {
  for (const text of [...args, ...Object.values(env), directory]) for (const property of propertiesIn(text).keys()) want(property);
  for (const { property, optional } of secrets) if (property !== undefined && optional !== true) want(property);
}

/** Returns the commands that the steps run. */
function inSteps(steps: readonly Step[], want: (property: string) => void): string[] {
  return steps.flatMap(({ command, script, options = {}, 'on-failure': handlers }) => {
    if (script !== undefined) inScript(script, want);
    for (const text of Object.values(options))
      if (typeof text === 'string') for (const property of propertiesIn(text).keys()) want(property);
    return [...(command === undefined ? [] : [command]), ...(Array.isArray(handlers) ? inSteps(handlers, want) : [])];
  });
}
