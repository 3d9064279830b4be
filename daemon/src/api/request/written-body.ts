/** Reads the body of a write: JSON, with duplicate fields reported. */
import { duplicateFields } from '../../../../protocol/encoding/duplicate-fields.ts';
import { parseJsonText, textOf } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type ApiContext, fieldValidation, readBody, warn } from './request.ts';

/** Maximum number of fields that a message names; its causes list all of them. */
export const MAX_SAID = 5;

/** Reads the body of a write, and reports duplicate fields in the way that the client asked for. */
export async function readWritten(c: ApiContext): Promise<unknown> {
  const validation = fieldValidation(c);
  const bytes = await readBody(c);
  if (bytes.length === 0) return undefined;
  const text = textOf(bytes);
  const body = parseJsonText(text);
  const twice = validation === 'Ignore' ? [] : duplicateFields(text);
  if (validation === 'Strict' && twice.length > 0) {
    throw new DtkdError('BAD_REQUEST', `duplicate field ${quoted(twice)}`, {
      details: { causes: twice.map((field) => ({ reason: 'FieldValueDuplicate', message: 'duplicate field', field })) },
      next: 'Say it once.',
    });
  }
  for (const field of twice) warn(c, `duplicate field "${field}": the last one counts`);
  return body;
}

function quoted(fields: readonly string[]): string {
  return fields
    .slice(0, MAX_SAID)
    .map((field) => `"${field}"`)
    .join(', ');
}
