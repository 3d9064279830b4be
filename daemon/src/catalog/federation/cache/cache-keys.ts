/** Keys of the rows that federation keeps; all begin with `f/`. Numbers that must sort are fixed-width hexadecimal. */
import { createHash } from 'node:crypto';
import { type Subject, subjectText } from '../../../../../protocol/rights/principal.ts';
import { prefixEnd } from '../../../store/kv.ts';

const ASKER_DIGITS = 32;
const VERSION_DIGITS = 14;

export const ASKERS = 'f/a/';
export const MARKS = 'f/j/';
export const VERSION_KEY = 'f/v';
/** Present from the orderly end of one process to the start of the next. */
export const ENDED_KEY = 'f/e';
/** The version before which nobody can go on. */
export const OLDEST_KEY = 'f/b';

/** One kind as one user sees it at other nodes. */
export interface View {
  asker: string;
  group: string;
  plural: string;
}

/** The digest that stands for a user in keys. */
export function askerOf(user: Subject): string {
  return createHash('sha256').update(subjectText(user)).digest('hex').slice(0, ASKER_DIGITS);
}

export function viewText({ asker, group, plural }: View): string {
  return `${asker}/${group}/${plural}`;
}

export function askerKey(asker: string): string {
  return ASKERS + asker;
}

/** The key ranges of all rows of a user. */
export function askerRanges(asker: string): { gte: string; lt: string }[] {
  return [...['k', 'p', 'o', 'l', 'n'].map((sort) => rangeOf(`f/${sort}/${asker}/`))];
}

export function viewKey(view: View): string {
  return `f/k/${viewText(view)}`;
}

export function partKeys(view: View): { gte: string; lt: string } {
  return rangeOf(`f/p/${viewText(view)}/`);
}

export function partKey(view: View, peer: string): string {
  return `f/p/${viewText(view)}/${peer}`;
}

export function rowKey(view: View, peer: string, name: string): string {
  return `f/o/${viewText(view)}/${peer}/${name}`;
}

export function logKey(view: View, version: number): string {
  return `f/l/${viewText(view)}/${versionText(version)}`;
}

export function noteKeys(view: View): { gte: string; lt: string } {
  return rangeOf(`f/n/${viewText(view)}/`);
}

export function noteKey(view: View, version: number): string {
  return `f/n/${viewText(view)}/${versionText(version)}`;
}

export function markKey(version: number): string {
  return MARKS + versionText(version);
}

function versionText(version: number): string {
  return version.toString(16).padStart(VERSION_DIGITS, '0');
}

/** Returns what follows the last `/`. */
export function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

export function versionOfKey(key: string): number {
  return Number.parseInt(lastPart(key), 16);
}

export function rangeOf(prefix: string): { gte: string; lt: string } {
  return { gte: prefix, lt: prefixEnd(prefix) };
}
