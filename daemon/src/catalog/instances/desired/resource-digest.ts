/** What decides whether a resource is as it was applied: pure. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../../../protocol/definitions/code.ts';

/** What all resources of a component have in common: its type with the digests of the archives that its code is in, and its own values. */
export function componentDigest(type: string, code: readonly string[], properties: Readonly<Record<string, unknown>>): string {
  return sha256(canonicalJson({ type, code, properties }));
}

export function resourceDigest(component: string, node: string, parents: readonly string[]): string {
  return sha256(canonicalJson({ component, node, parents: [...parents].sort() }));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
