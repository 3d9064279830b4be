/** Parses YAML (and JSON, which is YAML), with line numbers, and with a limit on aliases so that it cannot expand. */
import type { Node as YamlNode } from 'yaml';
import { DtkdError } from '../../protocol/errors.ts';

/** More uses of anchors than this are taken for an attack on memory. */
const MAX_ALIASES = 100;

export interface YamlDocument {
  value: unknown;
  /** The line of the value at a path of keys and indexes, from 1. */
  lineAt(path: readonly (string | number)[]): number | undefined;
}

/** Errors: BAD_REQUEST with line and column. */
export async function parseYaml(text: string, source: string): Promise<YamlDocument> {
  const { LineCounter, parseDocument, isNode } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: true, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const at = error.linePos?.[0];
    const where = at === undefined ? source : `${source}:${at.line}:${at.col}`;
    throw new DtkdError('BAD_REQUEST', `${where}: ${(error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', `${source}: ${cause instanceof Error ? cause.message : 'the document cannot be read'}`, { cause });
  }
  return {
    value,
    lineAt(path) {
      const node: unknown = document.getIn(path, true);
      const range = isNode(node) ? (node as YamlNode).range : undefined;
      return range === undefined || range === null ? undefined : lines.linePos(range[0]).line;
    },
  };
}
