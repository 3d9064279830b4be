/** Options of a command that is asked for: what cannot run is refused before there is a task of it. Where the command runs they are judged anew. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { missingOptions, readOptionValue } from '../../../../../protocol/option-value.ts';
import { CopiedTypes } from '../desired/copied-types.ts';
import { BUILTINS } from '../desired/expand.ts';
import { Findings, listed } from '../desired/findings.ts';
import type { ModuleCopy } from '../instances.types.ts';

/** `types`: of the resources that run it. Errors: INVALID with all that is wrong. */
export async function assertOptions(
  copies: Iterable<ModuleCopy>,
  types: ReadonlySet<string>,
  command: string,
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const book = new CopiedTypes(copies, BUILTINS, new Findings(() => ''));
  for (const name of types) {
    const known = (await book.resolve(name))?.commands.get(command);
    if (known === undefined) continue;
    const rules = known.options ?? {};
    const faults = Object.entries(given).flatMap(([option, value]) => {
      const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
      if (rule === undefined) return [`there is no option "${option}"`];
      const read = readOptionValue(value, rule);
      return 'error' in read ? [`the option "${option}" ${read.error}`] : [];
    });
    for (const option of missingOptions(rules, given)) faults.push(`the option "${option}" is missing`);
    if (faults.length === 0) continue;
    const names = Object.keys(rules);
    throw new DtkdError('INVALID', `the command "${command}" of ${name} cannot run so: ${faults.join('; ')}`, {
      next: names.length === 0 ? 'It takes no options.' : `Its options are: ${listed(names, 20)}.`,
      details: { command, causes: faults },
    });
  }
}
