import { DtkdError } from '../../protocol/errors.ts';
import { isRecord, type JsonRecord } from '../json.ts';
import type { ApiClient, Target } from './api.ts';

/**
 * Watches an object, or all of a collection, until `done` accepts one; an object that does not exist yet is waited for. TIMEOUT after
 * `timeoutMs`, with `what` in the message.
 */
export async function waitForObject(
  client: ApiClient,
  target: Target,
  done: (object: JsonRecord) => boolean,
  { timeoutMs, what }: { timeoutMs: number; what: string },
): Promise<JsonRecord> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const { name, ...collection } = target;
  const byName = name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
  try {
    const events = client.watch(collection, { ...byName, resourceVersion: '0' }, { signal: timeout });
    for await (const { type, object } of events) {
      if (type !== 'DELETED' && isRecord(object) && done(object)) return object;
    }
  } catch (error) {
    if (!timeout.aborted) throw error;
  }
  throw new DtkdError('TIMEOUT', `waited ${Math.round(timeoutMs / 1000)} seconds in vain for ${what}`, {
    next: 'It may still happen; see "dtkd status".',
  });
}
