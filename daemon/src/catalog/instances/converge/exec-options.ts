/** Checks the options of a requested command, so that what cannot run is refused before there is a task. The target checks them again. */
import { givenOptions } from '../../../../../protocol/definitions/given-options.ts';
import { CopiedTypes } from '../desired/copied-types.ts';
import { BUILTINS } from '../desired/expand.ts';
import { Findings } from '../desired/findings.ts';
import type { ModuleCopy } from '../instances.types.ts';

/** `types`: types of the resources that run the command. Errors: those of givenOptions. */
export async function assertOptions(
  copies: Iterable<ModuleCopy>,
  types: ReadonlySet<string>,
  command: string,
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const book = new CopiedTypes(copies, BUILTINS, new Findings(() => ''));
  for (const name of types) {
    const known = (await book.resolve(name))?.commands.get(command);
    // properties may have changed since the converge, so options that take their values from them are not required here
    if (known !== undefined) givenOptions(`the command "${command}" of ${name}`, known.options ?? {}, given, undefined);
  }
}
