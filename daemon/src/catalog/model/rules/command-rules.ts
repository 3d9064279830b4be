/** Judges the commands of types: what they refer to must exist, and their patterns must compile. */
import type { Commands } from '../../../../../protocol/definitions/commands.ts';
import { compilePattern } from '../../../../../protocol/definitions/pattern.ts';
import { commandFaults } from '../../../../../protocol/modules/command-check.ts';
import type { Faults } from '../refusal.ts';
import type { NamedType } from '../resolved-type.ts';

/** Judges the commands that the first type of a chain defines itself. The files of a module were judged when it was read. */
export async function judgeCommands(chain: readonly NamedType[], faults: Faults): Promise<void> {
  const [own, ...above] = chain;
  if (own === undefined) return;
  const { commands = {}, module, abstract, templates } = own.spec;
  if (templates !== undefined && templates.length > 0 && module === undefined) {
    faults.add('spec.templates', 'only a type of a module has templates: they are files of it', 'FieldValueForbidden');
  }
  const inherited: Commands = {};
  for (const { spec } of above) for (const [name, command] of Object.entries(spec.commands ?? {})) inherited[name] ??= command;
  const files = module === undefined ? 'none' : 'any';
  for (const { field, message } of commandFaults(commands, { files, inherited, open: abstract === true })) {
    faults.add(`spec.commands.${field}`, message);
  }
  for (const [name, { dispatch }] of Object.entries(commands)) {
    for (const [field, pattern] of [['type', dispatch?.type] as const, ['name', dispatch?.name] as const]) {
      const compiled = pattern === undefined ? undefined : await compilePattern(pattern);
      if (compiled !== undefined && 'error' in compiled) faults.add(`spec.commands.${name}.dispatch.${field}`, compiled.error);
    }
  }
}
