/** Digests that tell whether a resource is still as it was applied. Pure. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../../../protocol/definitions/code.ts';

/** The part that all resources of a component share: type, archive digests of its code, own values. */
export function componentDigest(type: string, code: readonly string[], properties: Readonly<Record<string, unknown>>): string {
  return sha256(canonicalJson({ type, code, properties }));
}

export function resourceDigest(component: string, node: string, parents: readonly string[]): string {
  return sha256(canonicalJson({ component, node, parents: [...parents].sort() }));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
