/**
 * Edits YAML text and keeps what people wrote: comments, order, blank lines, quotes. The result is parsed again and must have the
 * intended value, or the edit is refused.
 */
import type { Document } from 'yaml';
import { jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { readYamlDocument } from '../../../../../protocol/modules/yaml.ts';
import type { Yaml } from '../files/positions.ts';
import { splice } from './splice.ts';
import { type Change, changed } from './values.ts';
import { hasOpenEnds } from './yaml-text.ts';

/** Errors: INVALID if the text cannot be read, or is written so that only a person can edit it. */
export async function editYaml(text: string, changes: readonly Change[], source: string): Promise<string> {
  let edited = text;
  for (const change of changes) edited = await editOnce(edited, change, source);
  return edited;
}

async function editOnce(text: string, change: Change, source: string): Promise<string> {
  const yaml = await import('yaml');
  const { document, value } = await readYamlDocument(text, source);
  const wanted = changed(value, change);
  if (jsonEqual(value, wanted)) return text;
  const isWanted = async (candidate: string | undefined): Promise<boolean> => {
    if (candidate === undefined) return false;
    const read = await readYamlDocument(candidate, source).catch(() => undefined);
    return read !== undefined && jsonEqual(read.value, wanted);
  };
  const spliced = splice(yaml, text, document, change);
  if (spliced !== undefined && (await isWanted(spliced))) return spliced;
  try {
    if ('remove' in change) removeIn(document, change.path);
    else setIn(document, change.path, nodeOf(yaml, document, change.value));
    const written = document.toString({ lineWidth: 0, indent: indentOf(text), indentSeq: /^( *)\S.*:\s*\n\1 +- /m.test(text) });
    if (await isWanted(written)) return written;
  } catch {
    // aliases and the like: refused below
  }
  throw new DtkdError('INVALID', `${source} is written so that ${change.path.join('.')} cannot be changed alone`, {
    next: 'Edit the file itself.',
  });
}

function nodeOf(yaml: Yaml, document: Document, value: unknown): unknown {
  const node = document.createNode(value);
  if (!yaml.isNode(node)) return node;
  yaml.visit(node, {
    Scalar: (_key, scalar) => {
      if (hasOpenEnds(scalar.value)) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return node;
}

interface Editable {
  setIn(path: readonly string[], value: unknown): void;
  deleteIn(path: readonly string[]): boolean;
  getIn(path: readonly string[]): unknown;
}

function setIn(document: Editable, path: readonly string[], value: unknown): void {
  for (let depth = 1; depth < path.length; depth++) {
    // "properties:" without a value
    if (document.getIn(path.slice(0, depth)) === null) document.deleteIn(path.slice(0, depth));
  }
  document.setIn(path, value);
}

function removeIn(document: Editable, path: readonly string[]): void {
  document.deleteIn(path);
  for (let depth = path.length - 1; depth > 0; depth--) {
    const around = document.getIn(path.slice(0, depth));
    const size: unknown = Reflect.get(Object(Reflect.get(Object(around), 'items')), 'length');
    if (size !== 0) return;
    document.deleteIn(path.slice(0, depth));
  }
}

/** The indentation that the text uses. */
function indentOf(text: string): number {
  const first = /^( {1,8})[^\s#-]/m.exec(text)?.[1];
  return first?.length ?? 2;
}
