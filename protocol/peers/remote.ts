/**
 * `/dtkd/api`: a member calls another member's API on behalf of one of its own users. One request per stream: a head, then the body in
 * frames; the answer likewise. The namespace `default` in the path is the asked node. The asked node takes the identity of the asking
 * node from the connection, and that node's word for who its users are; it decides for itself what they may do.
 */
import { z } from 'zod';
import { objectName } from '../objects/objects.ts';
import { uid } from '../rights/principal.ts';

export const REMOTE_API_PROTOCOL = '/dtkd/api/1.0.0';
export const MAX_REMOTE_HEAD_BYTES = 32 * 1024;
/** Maximum bytes of one frame of a body. */
export const REMOTE_BODY_CHUNK_BYTES = 64 * 1024;
/** Maximum bytes of a request's body. Answers are streams without such a limit, but each of their rows has one. */
export const MAX_REMOTE_REQUEST_BYTES = 1024 * 1024;

/**
 * Answers of this type consist of lines: first `{"metadata":{"resourceVersion":…}}`, then one object per line, and last
 * `{"end":{"continue":…}}`. Without the last line the answer is incomplete.
 */
export const ROWS_MEDIA_TYPE = 'application/vnd.dtkd.rows';
/** Maximum bytes of one line: an object, of which the API accepts up to one mebibyte, and its escapes. */
export const MAX_ROW_BYTES = 2 * 1024 * 1024;

export const remoteRequestHead = z.object({
  version: z.literal(1),
  /** The user of the asking node. */
  user: z.object({ name: objectName, uid }),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  /** Path and query, beginning with `/api` or `/apis`. */
  path: z
    .string()
    .max(16_384)
    .regex(/^\/apis?\//),
  accept: z.string().max(256),
  contentType: z.string().max(256),
  bodyBytes: z.number().int().nonnegative().max(MAX_REMOTE_REQUEST_BYTES),
});
export type RemoteRequestHead = z.infer<typeof remoteRequestHead>;

export const remoteResponseHead = z.object({
  version: z.literal(1),
  status: z.number().int().min(100).max(599),
  contentType: z.string().max(256),
  /** Sentences for people. */
  warnings: z.array(z.string().max(1_024)).max(8),
});
export type RemoteResponseHead = z.infer<typeof remoteResponseHead>;
