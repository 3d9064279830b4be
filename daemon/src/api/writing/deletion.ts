/** Reads how an object is to be deleted, from DeleteOptions or the query, and marks an object that is being deleted. */
import { z } from 'zod';
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { isForDependents, PROPAGATION_POLICIES, type PropagationPolicy } from '../../../../protocol/objects/finalizers.ts';
import { type ApiObject, toTimestamp } from '../../../../protocol/objects/objects.ts';
import { DELETION_ANNOTATION, type Principal, principalText } from '../../../../protocol/rights/principal.ts';
import { assertJson } from '../request/media.ts';
import { type ApiContext, isDryRun, readJson } from '../request/request.ts';
import { annotated, withGeneration } from './document.ts';

const options = z.object({
  preconditions: z.object({ uid: z.string().max(64).optional(), resourceVersion: z.string().max(20).optional() }).nullish(),
  dryRun: z.array(z.literal('All')).max(1).nullish(),
  propagationPolicy: z.enum(['', ...PROPAGATION_POLICIES]).nullish(),
  /** For old clients: true means Orphan, false Background. */
  orphanDependents: z.boolean().nullish(),
  /** Accepted and ignored: nothing here has a grace period. */
  gracePeriodSeconds: z.number().int().nonnegative().nullish(),
});

export interface DeleteOptions {
  preconditions: { uid?: string | undefined; resourceVersion?: string | undefined };
  /** What happens to dependents. Undefined: what the object itself says, else they are deleted after it. */
  policy: PropagationPolicy | undefined;
  dryRun: boolean;
}

/** Reads the body, or the query if there is none. Errors: BAD_REQUEST, INVALID for contradicting options. */
export async function readDeleteOptions(c: ApiContext): Promise<DeleteOptions> {
  assertJson(c.req.header('content-type'));
  const body = await readJson(c);
  const isEmpty = body === undefined || body === null || (isRecord(body) && Object.keys(body).length === 0);
  const parsed = options.safeParse(isEmpty ? fromQuery(c) : body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DtkdError('BAD_REQUEST', `the body is not valid DeleteOptions: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`, {
      next: 'Leave the body out, or correct it.',
    });
  }
  const { preconditions, dryRun, propagationPolicy, orphanDependents } = parsed.data;
  const named = propagationPolicy === '' ? undefined : (propagationPolicy ?? undefined);
  const orphan = orphanDependents ?? undefined;
  if (named !== undefined && orphan !== undefined) {
    throw new DtkdError('INVALID', 'propagationPolicy and orphanDependents cannot both be given', { next: 'Use propagationPolicy alone.' });
  }
  const policy = orphan === undefined ? named : orphan ? 'Orphan' : 'Background';
  return { preconditions: preconditions ?? {}, policy, dryRun: isDryRun(c) || (dryRun?.length ?? 0) > 0 };
}

function fromQuery(c: ApiContext): Record<string, unknown> {
  const text = (name: string): string | undefined => c.req.query(name);
  const [grace, orphan, policy] = [text('gracePeriodSeconds'), text('orphanDependents'), text('propagationPolicy')];
  return {
    ...(grace === undefined || grace === '' ? {} : { gracePeriodSeconds: /^\d+$/.test(grace) ? Number(grace) : grace }),
    ...(orphan === undefined || orphan === '' ? {} : { orphanDependents: { true: true, false: false }[orphan] ?? orphan }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
  };
}

/**
 * The object while it waits for its finalizers. Pure. Returns the same object if it waits for them already, at the request of the
 * same principal.
 */
export function markedObject(stored: ApiObject, finalizers: readonly string[], principal: Principal, now: number): ApiObject {
  const { deletionTimestamp, finalizers: before = [] } = stored.metadata;
  const word = finalizers.some(isForDependents) ? principalText(principal) : undefined;
  const isSame = before.length === finalizers.length && before.every((finalizer, index) => finalizer === finalizers[index]);
  if (deletionTimestamp !== undefined && isSame && stored.metadata.annotations?.[DELETION_ANNOTATION] === word) return stored;
  const marked = annotated({ ...stored, metadata: { ...stored.metadata, finalizers: [...finalizers] } }, DELETION_ANNOTATION, word);
  if (deletionTimestamp !== undefined) return marked;
  const begun = withGeneration(marked, stored.metadata.generation + 1);
  return { ...begun, metadata: { ...begun.metadata, deletionTimestamp: toTimestamp(now), deletionGracePeriodSeconds: 0 } };
}
