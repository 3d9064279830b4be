/**
 * Normalizes the spelling of types: they are compared without regard to case, but stored as the Type spells its name, since indexes and
 * queries compare letters.
 */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import type { Plural } from './objects.ts';

/** The field of each kind that names a type. */
const FIELD: Readonly<Record<Plural, 'type' | 'extends' | undefined>> = { models: undefined, types: 'extends', resources: 'type' };

/** Returns an object, or the fields of one, with its type's name as given by `spelled`; unchanged if there is no such type. */
export async function withSpelling<T extends Record<string, unknown>>(
  plural: Plural,
  object: T,
  spelled: (name: string) => Promise<string | undefined>,
): Promise<T> {
  const field = FIELD[plural];
  const spec = object['spec'];
  const name = field !== undefined && isRecord(spec) ? spec[field] : undefined;
  if (field === undefined || !isRecord(spec) || typeof name !== 'string') return object;
  const known = await spelled(name);
  return known === undefined || known === name ? object : { ...object, spec: { ...spec, [field]: known } };
}
