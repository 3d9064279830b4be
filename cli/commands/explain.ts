import type { Command } from 'commander';
import { z } from 'zod';
import { DtkdError } from '../../protocol/errors.ts';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import { objectMeta } from '../../protocol/objects/objects.ts';
import type { Cli } from '../cli.ts';
import { isRecord, type JsonRecord, recordAt } from '../json.ts';
import { requireKind } from '../kinds.ts';
import { descriptionOf, fieldLines, schemaAt, typeOf, wrap } from '../output/explain.ts';
import { nearest } from '../suggest.ts';

const EXAMPLES = `
Examples:
  dtkd explain dtapp
  dtkd explain dtapp.spec.serviceSelector
  dtkd explain service.spec.ports`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<kind[.field]>', 'a kind, or a field of it')
    .addHelpText('after', EXAMPLES)
    .action((argument: string) => {
      const [kindName = '', ...path] = argument.split('.');
      const kind = requireKind(kindName);
      const schema = documentSchema(kind.schema);
      const found = schemaAt(schema, path);
      if (found === undefined) throw noField(schema, kind.kind, path);
      const serverField = path[0] !== undefined && kind.serverFields.includes(path[0]);
      const fields = fieldLines(found);
      cli.out.lines([
        `KIND:     ${kind.kind}`,
        `VERSION:  ${apiVersionOf(kind)}`,
        ...(path.length === 0 ? [] : [`FIELD:    ${path.join('.')} <${typeOf(found)}>`]),
        '',
        'DESCRIPTION:',
        ...wrap((path.length === 0 ? kind.description : descriptionOf(found)) || '<none>', '  '),
        ...(serverField ? ['  Only the daemon writes this field.'] : []),
        ...(fields.length === 0 ? [] : ['', 'FIELDS:', ...fields]),
        ...(path.length === 0 && kind.serverFields.length > 0
          ? ['', ...wrap(`Only the daemon writes: ${kind.serverFields.join(', ')}.`, '')]
          : []),
      ]);
    });
}

/** The schema of a whole document of a kind, with apiVersion, kind and metadata. */
function documentSchema(schema: z.ZodObject): JsonRecord {
  const envelope = {
    apiVersion: z.string().describe('The group and version of the kind.'),
    kind: z.string().describe('The kind.'),
    metadata: objectMeta.describe('Name, owner, labels and annotations.'),
  };
  const whole: unknown = z.toJSONSchema(z.object({ ...envelope, ...schema.shape }), {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
  });
  return isRecord(whole) ? whole : {};
}

function noField(schema: JsonRecord, kind: string, path: readonly string[]): DtkdError {
  const known = path.findIndex((_, index) => schemaAt(schema, path.slice(0, index + 1)) === undefined);
  const parent = schemaAt(schema, path.slice(0, known)) ?? {};
  const field = path[known] ?? '';
  const guess = nearest(field, Object.keys(recordAt(parent, 'properties')));
  const where = [kind, ...path.slice(0, known)].join('.');
  return new DtkdError('NOT_FOUND', `${where} has no field "${field}"${guess === undefined ? '' : `; did you mean ${guess}?`}`, {
    next: `See "dtkd explain ${where.toLowerCase()}".`,
  });
}
