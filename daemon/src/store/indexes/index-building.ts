/**
 * Builds the indexes that a database lacks, or has by other rules than this version's, before the store is used. Records the rules by which
 * each kind is indexed, and starts over after a crash. From then on transactions maintain the indexes.
 */
import { z } from 'zod';
import { KINDS } from '../../../../protocol/kinds/index.ts';
import { INDEXES_KEY, kindPrefix } from '../keys.ts';
import { DEFAULT_PAGE, type Kv, type KvOp, prefixEnd } from '../kv.ts';
import { objectOfRow } from '../rows.ts';
import { bucketsOf, type IndexRules, indexRulesOf } from './index-entries.ts';
import { INDEX_PREFIX } from './index-keys.ts';

/** Signature of the rules for each kind, by the prefix of its index. */
const signatures = z.record(z.string(), z.string());
type Signatures = z.infer<typeof signatures>;

const NO_VALUE = new Uint8Array(0);

export async function buildIndexes(kv: Kv): Promise<void> {
  const stored = await storedSignatures(kv);
  const wanted: Signatures = {};
  let stale = false;
  for (const { group, plural } of KINDS) {
    const rules = indexRulesOf(group, plural);
    if (rules === undefined) continue;
    wanted[rules.prefix] = rules.signature;
    if (stored[rules.prefix] === rules.signature) continue;
    stale = true;
    await build(kv, kindPrefix(group, plural), rules);
  }
  for (const prefix of Object.keys(stored)) {
    if (Object.hasOwn(wanted, prefix) || !prefix.startsWith(INDEX_PREFIX)) continue;
    stale = true;
    await kv.batch([{ type: 'clear', gte: prefix, lt: prefixEnd(prefix) }], { sync: false });
  }
  // written last and synced, so that it proves that everything else is written
  if (stale) await kv.batch([{ type: 'put', key: INDEXES_KEY, value: Buffer.from(JSON.stringify(wanted)) }], { sync: true });
}

async function storedSignatures(kv: Kv): Promise<Signatures> {
  const row = await kv.get(INDEXES_KEY);
  if (row === undefined) return {};
  try {
    return signatures.parse(JSON.parse(Buffer.from(row).toString('utf8')));
  } catch {
    // an unreadable record only causes a rebuild
    return {};
  }
}

async function build(kv: Kv, objects: string, rules: IndexRules): Promise<void> {
  await kv.batch([{ type: 'clear', gte: rules.prefix, lt: prefixEnd(rules.prefix) }], { sync: false });
  let from = objects;
  for (;;) {
    const rows = await kv.page({ gte: from, lt: prefixEnd(objects) });
    const ops: KvOp[] = [];
    for (const [key, row] of rows) {
      for (const bucket of bucketsOf(rules, objectOfRow(row))) {
        ops.push({ type: 'put', key: bucket + key.slice(objects.length), value: NO_VALUE });
      }
    }
    if (ops.length > 0) await kv.batch(ops, { sync: false });
    const last = rows.at(-1)?.[0];
    if (last === undefined || rows.length < DEFAULT_PAGE) return;
    from = `${last}\0`;
  }
}
