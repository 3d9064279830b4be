/**
 * Reads a YAML file of an instance: its value by its schema and the place of each field, or everything that is wrong with it.
 * Never throws because of the content.
 */
import type { z } from 'zod';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { readYamlDocument } from '../../../../../protocol/modules/yaml.ts';
import type { Violation } from '../instances.types.ts';
import { offsetOf } from './positions.ts';
import { fieldText, schemaFaults } from './schema-faults.ts';

export type Path = readonly (string | number)[];

export interface YamlFile<T> {
  /** Undefined: it cannot be read or does not fit its schema; violations say why. */
  value: T | undefined;
  violations: readonly Violation[];
  /** `FILE:LINE:COLUMN` of a field, or of its nearest ancestor that is there. */
  place(path: Path): string;
}

export interface YamlFileSchema<T> {
  name: string;
  schema: z.ZodType<T>;
  maxBytes: number;
}

export async function readYamlFile<T>(data: Uint8Array, { name, schema, maxBytes }: YamlFileSchema<T>): Promise<YamlFile<T>> {
  const broken = (where: string, message: string): YamlFile<T> => ({
    value: undefined,
    violations: [{ kind: 'PARSING_ERROR', where, message, next: 'Correct it, and try again.' }],
    place: () => name,
  });
  if (data.length > maxBytes) return broken(name, `is larger than ${maxBytes / 1024} KiB`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    return broken(name, 'is not UTF-8 text');
  }
  try {
    const { document, value, where } = await readYamlDocument(text, name);
    const yaml = await import('yaml');
    const place = (path: Path) => where(offsetOf(yaml, document, path));
    const parsed = schema.safeParse(value);
    if (parsed.success) return { value: parsed.data, violations: [], place };
    const violations = schemaFaults(parsed.error).map(({ path, message }): Violation => {
      const field = fieldText(path);
      return { kind: 'PARSING_ERROR', where: place(path), message: field === '' ? message : `${field}: ${message}` };
    });
    return { value: undefined, violations, place };
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    const [, where = name, message = error.message] = /^(\S+): ([\s\S]*)$/.exec(error.message) ?? [];
    return broken(where, message);
  }
}
