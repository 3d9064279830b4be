/** Options of a command that is asked for: what cannot run is refused before there is a task of it. Where the command runs they are judged anew. */
import { givenOptions } from '../../../../../protocol/definitions/given-options.ts';
import { CopiedTypes } from '../desired/copied-types.ts';
import { BUILTINS } from '../desired/expand.ts';
import { Findings } from '../desired/findings.ts';
import type { ModuleCopy } from '../instances.types.ts';

/** `types`: of the resources that run it. Errors: those of givenOptions. */
export async function assertOptions(
  copies: Iterable<ModuleCopy>,
  types: ReadonlySet<string>,
  command: string,
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const book = new CopiedTypes(copies, BUILTINS, new Findings(() => ''));
  for (const name of types) {
    const known = (await book.resolve(name))?.commands.get(command);
    // properties that were changed after the converge do not count here
    if (known !== undefined) givenOptions(`the command "${command}" of ${name}`, known.options ?? {}, given, undefined);
  }
}
