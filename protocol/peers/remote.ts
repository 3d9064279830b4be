/**
 * `/dtkd/api`: a member asks another one's API as one of its own users. One request on each stream: a head, then the body in frames; the
 * answer likewise. The namespace `default` in the path is the asked node. The asked node believes the connection about who the node is, and
 * the node about who its users are; it decides for itself what they may.
 */
import { z } from 'zod';
import { objectName } from '../objects/objects.ts';
import { uid } from '../rights/principal.ts';

export const REMOTE_API_PROTOCOL = '/dtkd/api/1.0.0';
export const MAX_REMOTE_HEAD_BYTES = 32 * 1024;
/** Bytes of one frame of a body. */
export const REMOTE_BODY_CHUNK_BYTES = 64 * 1024;
/** Bytes of a request's body at most; answers are streams and have no such limit, but one row of them has. */
export const MAX_REMOTE_REQUEST_BYTES = 1024 * 1024;

/**
 * Answers in this form come as lines: first `{"metadata":{"resourceVersion":…}}`, then one object on each, and last `{"end":{"continue":…}}`,
 * without which the answer is broken off.
 */
export const ROWS_MEDIA_TYPE = 'application/vnd.dtkd.rows';
/** Bytes of one line at most: an object, which the API takes up to a mebibyte of, and its escapes. */
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
