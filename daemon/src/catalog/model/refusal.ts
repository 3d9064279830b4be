/** How the model refuses: causes that name object, field and what was expected, gathered into one error. */
import { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ObjectRef } from '../../../../protocol/objects/objects.ts';
import { LISTED, MAX_CAUSES } from './limits.ts';

/** One thing that is wrong. */
export interface ModelCause {
  reason: 'FieldValueRequired' | 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueDuplicate' | 'FieldValueNotFound';
  message: string;
  field: string;
  /** `PLURAL/NAME` of the object that is wrong. */
  object: string;
}

const KIND_OF: Readonly<Record<string, string>> = { models: 'Model', types: 'Type', resources: 'Resource', modules: 'Module' };

export function objectText(ref: Pick<ObjectRef, 'plural' | 'name'>): string {
  return `${ref.plural}/${ref.name}`;
}

/** The causes against one object, as they are found. */
export interface Faults {
  add(field: string, message: string, reason?: ModelCause['reason']): void;
}

/** Gathers what is wrong with a transaction; throws it in one error. */
export class Refusal {
  readonly causes: ModelCause[] = [];

  /** True if enough is known: looking further would only cost. */
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

  /** Throws INVALID if anything is wrong. */
  assertNone(): void {
    if (this.causes.length > 0) throw invalid(this.causes);
  }
}

/** Of a parent that is not there. */
export function noParent(name: string): string {
  return `there is no resource "${name}" on this node; make it first, or send both together`;
}

/** The error for objects that break rules: one sentence with the first causes, all of them in the details. */
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

/** The error for what cannot go, or change, because of others; lists them. `example`: what would be wrong with the first. */
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

/** The same refusal for somebody who may not know of all dependents: names those that `sees` lets pass, and counts all. */
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
  /** There are more than were counted. */
  more: boolean;
}

/** `resources/web1` as people read it: `Resource "web1"`. */
export function titleOf(object: string): string {
  const cut = object.indexOf('/');
  const plural = object.slice(0, cut);
  return `${KIND_OF[plural] ?? plural} "${object.slice(cut + 1)}"`;
}
