/** How the model refuses: collects causes, each with object, field and what was expected, into one error. */
import { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ObjectRef } from '../../../../protocol/objects/objects.ts';
import { LISTED, MAX_CAUSES } from './limits.ts';

/** One fault. */
export interface ModelCause {
  reason: 'FieldValueRequired' | 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueDuplicate' | 'FieldValueNotFound';
  message: string;
  field: string;
  /** `PLURAL/NAME` of the faulty object. */
  object: string;
}

const KIND_OF: Readonly<Record<string, string>> = { models: 'Model', types: 'Type', resources: 'Resource', modules: 'Module' };

export function objectText(ref: Pick<ObjectRef, 'plural' | 'name'>): string {
  return `${ref.plural}/${ref.name}`;
}

/** Collects the faults of one object. */
export interface Faults {
  add(field: string, message: string, reason?: ModelCause['reason']): void;
}

/** Collects the faults of a transaction, and throws them as one error. */
export class Refusal {
  readonly causes: ModelCause[] = [];

  /** True if there are enough causes to stop looking. */
  get full(): boolean {
    return this.causes.length >= MAX_CAUSES;
  }

  against(ref: Pick<ObjectRef, 'plural' | 'name'>): Faults {
    const object = objectText(ref);
    return {
      add: (field, message, reason = 'FieldValueInvalid') => {
        if (!this.full) this.causes.push({ reason, message, field, object });
      },
    };
  }

  /** Throws INVALID if there are any causes. */
  assertNone(): void {
    if (this.causes.length > 0) throw invalid(this.causes);
  }
}

/** The message for a parent that does not exist. */
export function noParent(name: string): string {
  return `there is no resource "${name}" on this node; create it first, or send both together`;
}

/** The error for objects that break rules: one sentence with the first causes, and all causes in the details. */
export function invalid(causes: readonly ModelCause[]): DtkdError {
  const objects = [...new Set(causes.map((cause) => cause.object))];
  const first = objects[0] ?? '';
  const shown = causes.filter((cause) => cause.object === first).slice(0, 5);
  const more = causes.length - shown.length;
  const text = shown.map((cause) => `${cause.field}: ${cause.message}`).join('; ');
  return new DtkdError('INVALID', `${titleOf(first)} is invalid: ${text}${more > 0 ? ` and ${more} more` : ''}`, {
    next: objects.length === 1 ? 'Correct it and send it again.' : 'Correct them and send them again.',
    details: { causes },
  });
}

/**
 * The error for an object that cannot be deleted or changed because of its dependents, which it lists. `example`: what would be wrong with
 * the first one.
 */
export function inUse(
  what: Pick<ObjectRef, 'plural' | 'name'>,
  why: string,
  { names, count, more }: Dependents,
  next: string,
  example?: string,
): DtkdError {
  const listed = names.slice(0, LISTED);
  const total = more ? `more than ${count}` : String(count);
  const list = listed.length === 0 ? '' : `: ${listed.join(', ')}${count > listed.length || more ? ', …' : ''}`;
  return new DtkdError('CONFLICT', `${titleOf(objectText(what))} ${why} (${total})${list}${example === undefined ? '' : `; ${example}`}`, {
    next,
    details: { what: objectText(what), why, dependents: listed, count, ...(more ? { moreThan: true } : {}) },
  });
}

const inUseDetails = z.object({
  what: z.string(),
  why: z.string(),
  dependents: z.array(z.string()),
  count: z.number(),
  moreThan: z.boolean().optional(),
});

/** Rewrites such a refusal for somebody who may not see all dependents: names only those that `sees` accepts, and still counts all. */
export async function withoutUnseen(error: unknown, sees: (object: string) => Promise<boolean>): Promise<unknown> {
  const details = error instanceof DtkdError && error.code === 'CONFLICT' ? inUseDetails.safeParse(error.details).data : undefined;
  if (!(error instanceof DtkdError) || details === undefined) return error;
  const names: string[] = [];
  for (const name of details.dependents) if (await sees(name)) names.push(name);
  const cut = details.what.indexOf('/');
  const what = { plural: details.what.slice(0, cut), name: details.what.slice(cut + 1) };
  return inUse(what, details.why, { names, count: details.count, more: details.moreThan ?? false }, error.next ?? '');
}

/** Objects that depend on another. */
export interface Dependents {
  /** `PLURAL/NAME`, in name order. */
  names: readonly string[];
  count: number;
  /** True if there are more than were counted. */
  more: boolean;
}

/** `resources/web1` as people read it: `Resource "web1"`. */
export function titleOf(object: string): string {
  const cut = object.indexOf('/');
  const plural = object.slice(0, cut);
  return `${KIND_OF[plural] ?? plural} "${object.slice(cut + 1)}"`;
}
