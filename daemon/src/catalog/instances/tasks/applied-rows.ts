/** Rows of applied resources: `i/a/INSTANCE/RESOURCE`, JSON. Written in the transactions that record what commands did. */
import { z } from 'zod';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { type Kv, prefixEnd } from '../../../store/kv.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { Act, AppliedResource } from '../instances.types.ts';
import { MAX_ROW_BYTES } from './limits.ts';

const ROWS = 'i/a/';

const appliedResource = z.object({
  name: z.string(),
  component: z.string(),
  type: z.string(),
  node: z.string(),
  properties: z.record(z.string(), z.unknown()),
  parents: z.array(z.string()),
  needs: z.array(z.string()),
  digest: z.string().optional(),
  created: z.boolean(),
  commands: z.array(z.string()),
  secrets: z.array(z.string()),
  port: z.number().optional(),
  due: z.array(z.string()).optional(),
  commit: z.string(),
  at: z.number(),
  check: z.object({ ok: z.boolean(), at: z.number(), message: z.string().optional() }).optional(),
});

export function appliedRow(instance: string, resource: string): string {
  return `${ROWS}${instance}/${resource}`;
}

/** Errors: TOO_LARGE. */
export function encodeApplied(applied: AppliedResource): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(applied));
  if (bytes.length <= MAX_ROW_BYTES) return bytes;
  throw new DtkdError(
    'TOO_LARGE',
    `the properties of resource "${applied.name}" have ${bytes.length} bytes; at most ${MAX_ROW_BYTES} are allowed`,
    {
      next: 'Move large texts into files of the module.',
    },
  );
}

export function putApplied(tx: Transaction, instance: string, applied: AppliedResource): void {
  tx.putRow(appliedRow(instance, applied.name), encodeApplied(applied));
}

/** Undefined: not a valid row. */
export function readApplied(value: unknown): AppliedResource | undefined {
  const read = appliedResource.safeParse(value).data;
  if (read === undefined) return undefined;
  const { check, ...rest } = read;
  return {
    ...rest,
    digest: read.digest,
    ...(check === undefined ? {} : { check: checkOf(check) }),
  };
}

function checkOf({ message, ...check }: NonNullable<z.infer<typeof appliedResource>['check']>): NonNullable<AppliedResource['check']> {
  return message === undefined ? check : { ...check, message };
}

/** All applied resources of an instance, by name. */
export async function appliedOf(kv: Kv, instance: string): Promise<Map<string, AppliedResource>> {
  const found = new Map<string, AppliedResource>();
  const prefix = appliedRow(instance, '');
  for await (const [key, value] of rowsOf(kv, prefix)) {
    const read = readApplied(jsonOf(value));
    if (read !== undefined) found.set(key.slice(prefix.length), read);
  }
  return found;
}

/** All rows whose keys start with `prefix`, read page by page. */
export async function* rowsOf(kv: Kv, prefix: string): AsyncGenerator<[key: string, value: Uint8Array]> {
  for (let gte = prefix; ; ) {
    const page = await kv.page({ gte, lt: prefixEnd(prefix) });
    yield* page;
    const last = page.at(-1)?.[0];
    if (last === undefined) return;
    gte = `${last}\0`;
  }
}

export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}

/** The row from when a command is begun until it has ended well. It has no digest, since the resource may be in any state. */
export function begun(act: Act, before: AppliedResource | undefined, goal: AppliedResource | undefined): AppliedResource | undefined {
  const known = act === 'create' ? (goal ?? before) : (before ?? goal);
  if (known === undefined) return undefined;
  const { check: _check, ...rest } = known;
  return { ...rest, digest: undefined, created: act === 'converge' && known === before && known.created };
}
