/** What every handler needs of a request: the caller, the target, the body and the options; and functions to answer it. */
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { parseJson } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Turns } from '../../counting/turns.ts';
import type { ApiOptions } from '../api.types.ts';
import type { Principal } from '../handlers.types.ts';
import type { ViewHistory } from '../views/view-history.ts';
import type { Note } from './audit-note.ts';
import type { OwnCall, RemoteCall } from './call.types.ts';
import type { About } from './status.ts';
import type { VersionParameters } from './versions.ts';

/** Maximum size of a request body, in bytes. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Maximum number of warnings in an answer, and characters in each: headers have to stay small. */
const MAX_WARNINGS = 8;
const MAX_WARNING = 1024;

export interface ApiEnv {
  Bindings: Partial<HttpBindings> & { remote?: RemoteCall; own?: OwnCall };
  Variables: {
    principal: Principal;
    about: About;
    warnings: string[];
    note: Note;
  };
}

export type ApiContext = Context<ApiEnv>;

/** The parts of the API, as its handlers see them. */
export interface Api extends ApiOptions {
  /** Aborts when the server closes, which ends watches and streams. */
  closing: AbortSignal;
  /** Tracks when it last changed who may see what. */
  views: ViewHistory;
  /** Open watches and streams, in all and for each user. */
  streams: { open: number; readonly limit: number; readonly ofUser: Map<string, number> };
  /** Turns for lists, and places for lists that take long. */
  lists: { turns: Turns; slow: Turns };
  /** Running requests of users. */
  underway: Turns;
}

/** The object or collection that a path names. */
export interface Target {
  kind: Kind;
  /** Empty for cluster-scoped kinds and for all namespaces. */
  namespace: string;
  /** Empty for a collection. */
  name: string;
}

/** Where a JSON patch sets the namespace. */
export const NAMESPACE_POINTER = '/metadata/namespace';

/** The namespace that a client means: `default` always means this node. */
export function namespaceOf(api: Pick<ApiOptions, 'node'>, text: string): string {
  return text === 'default' ? api.node.name : text;
}

/** The target that the request's path names. Also noted for error messages. */
export function targetOf(api: Api, c: ApiContext, kind: Kind): Target {
  const named = c.req.param('name') ?? '';
  // this node's Namespace object answers to `default` as well
  const name = kind.plural === 'namespaces' && kind.group === '' ? namespaceOf(api, named) : named;
  c.set('about', { group: kind.group, kind: kind.plural, ...(name === '' ? {} : { name }) });
  return { kind, namespace: kind.scope === 'Cluster' ? '' : namespaceOf(api, c.req.param('namespace') ?? ''), name };
}

export function refOfTarget({ kind, namespace, name }: Target): ObjectRef {
  return { group: kind.group, plural: kind.plural, namespace, name };
}

/** The bearer token of a request. */
export function bearerToken(c: ApiContext): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
}

/** Reads the body, which may have at most `limit` bytes. */
export async function readBody(c: ApiContext, limit = MAX_BODY_BYTES): Promise<Uint8Array> {
  const declared = Number(c.req.header('content-length') ?? Number.NaN);
  if (declared > limit) throw tooLarge(limit);
  // reads from the socket directly: a web stream in between costs more than the reading
  if (c.env?.incoming !== undefined) return readIncoming(c.env.incoming, limit);
  const body = c.req.raw.body;
  if (body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > limit) throw tooLarge(limit);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function readIncoming(incoming: HttpBindings['incoming'], limit: number): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const cut = () => {
    if (!incoming.readableEnded) reject(new DtkdError('BAD_REQUEST', 'the connection ended before the whole body had arrived'));
  };
  if (incoming.destroyed) cut();
  const parts: Uint8Array[] = [];
  let size = 0;
  incoming.on('data', (part: Uint8Array) => {
    size += part.length;
    if (size <= limit) parts.push(part);
    else reject(tooLarge(limit));
  });
  incoming.on('end', () => resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)));
  incoming.on('close', cut);
  return promise;
}

function tooLarge(limit: number): DtkdError {
  return new DtkdError('TOO_LARGE', `the body is larger than ${limit} bytes`, {
    next: 'Split it, or keep large data outside objects.',
  });
}

/** Reads a JSON body; undefined if there is none. */
export async function readJson(c: ApiContext, limit?: number): Promise<unknown> {
  const bytes = await readBody(c, limit);
  return bytes.length === 0 ? undefined : parseJson(bytes);
}

/** True if nothing is to be stored. */
export function isDryRun(c: ApiContext): boolean {
  const values = c.req.queries('dryRun') ?? [];
  const wrong = values.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined) throw new DtkdError('BAD_REQUEST', `dryRun "${wrong.slice(0, 80)}" is not known`, { next: 'Use dryRun=All.' });
  return values.includes('All');
}

/** Refuses a dry run of an action, which would carry it out. */
export function assertNoTrial(c: ApiContext, what: string): void {
  if (c.req.method === 'GET' || !isDryRun(c)) return;
  c.get('note').change = false;
  throw new DtkdError('BAD_REQUEST', `${what} cannot be tried with dryRun=All; nothing was done`, {
    next: 'Leave it out. Some actions take "dryRun": true in the body: see the reference.',
  });
}

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export function fieldValidation(c: ApiContext): FieldValidation {
  const value = c.req.query('fieldValidation') ?? '';
  if (value === '' || value === 'Warn') return 'Warn';
  if (value === 'Strict' || value === 'Ignore') return value;
  throw new DtkdError('BAD_REQUEST', `fieldValidation "${value.slice(0, 80)}" is not known`, { next: 'Use Strict, Warn or Ignore.' });
}

/** A query parameter that is a whole number; undefined if it is absent. */
export function wholeNumber(c: ApiContext, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new DtkdError('BAD_REQUEST', `${name} "${text.slice(0, 80)}" is not a whole number`);
  return Number(text);
}

export function flag(c: ApiContext, name: string): boolean {
  const text = c.req.query(name);
  return text === 'true' || text === '1' || text === '';
}

/** The parameters of a request that concern versions. */
export function versionParameters(c: ApiContext): VersionParameters {
  return {
    resourceVersion: c.req.query('resourceVersion'),
    resourceVersionMatch: c.req.query('resourceVersionMatch'),
    continue: c.req.query('continue'),
    sendInitialEvents: c.req.query('sendInitialEvents') === undefined ? undefined : flag(c, 'sendInitialEvents'),
  };
}

/** Adds a short sentence for the person who asked, sent as a `Warning` header. */
export function warn(c: ApiContext, text: string): void {
  const warnings = c.get('warnings');
  if (warnings.length < MAX_WARNINGS) warnings.push(warningHeader(text));
}

/** `299 - "text"`, limited to the characters that a header may contain. */
function warningHeader(text: string): string {
  const plain = text
    .slice(0, MAX_WARNING)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/[\\"]/g, '\\$&');
  return `299 - "${plain}"`;
}

export function answerJson(c: ApiContext, value: unknown, status = 200): Response {
  return answerText(c, JSON.stringify(value), status);
}

export function answerText(
  c: ApiContext,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  status = 200,
  contentType = 'application/json',
): Response {
  const plain = { 'content-type': contentType, 'cache-control': 'no-store' };
  const warnings = c.get('warnings');
  const isWholeForMember = c.env?.remote !== undefined && !(body instanceof ReadableStream);
  if (warnings.length === 0 && !isWholeForMember) return new Response(body, { status, headers: plain });
  const headers = new Headers(plain);
  for (const warning of warnings) headers.append('warning', warning);
  // answers to members are sent in frames; a body that is complete needs no stream
  if (isWholeForMember) headers.set('content-length', String(Buffer.byteLength(body)));
  return new Response(body, { status, headers });
}
