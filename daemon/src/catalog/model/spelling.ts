/** Types are told apart without regard to case, and stored as the Type itself spells its name: indexes and queries compare letters. */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import type { Plural } from './objects.ts';

/** Where a kind names a type. */
const FIELD: Readonly<Record<Plural, 'type' | 'extends' | undefined>> = { models: undefined, types: 'extends', resources: 'type' };

/** An object, or the fields of one, with its type's name as `spelled` has it; as it is where that knows no such type. */
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
