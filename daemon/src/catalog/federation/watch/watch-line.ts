/** Decodes and checks one line of a peer's watch. Pure. */
import { z } from 'zod';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import { invalid, peerObject, type RowRules } from '../peer/row.ts';
import { parse } from '../peer/rows-decoder.ts';

export type PeerEvent =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ApiObject }
  | { type: 'BOOKMARK'; version: string }
  | { type: 'ERROR'; status: number; message: string };

const event = z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']), object: z.unknown() });
const bookmark = z.object({ metadata: z.object({ resourceVersion: z.string().regex(/^\d{1,20}$/) }) });
const error = z.object({ code: z.number().int().catch(500), message: z.string().catch('') });

/** Throws FRAME_INVALID. */
export function peerEvent(line: string, rules: RowRules): PeerEvent {
  const read = event.safeParse(parse(line));
  if (!read.success) throw invalid('a line that is not of a watch');
  const { type, object } = read.data;
  if (type === 'BOOKMARK') {
    const marked = bookmark.safeParse(object);
    if (!marked.success) throw invalid('a bookmark without a version');
    return { type, version: marked.data.metadata.resourceVersion };
  }
  if (type === 'ERROR') {
    const said = error.safeParse(object);
    if (!said.success) throw invalid('an error that says nothing');
    return { type, status: said.data.code, message: said.data.message };
  }
  return { type, object: peerObject(object, rules) };
}
