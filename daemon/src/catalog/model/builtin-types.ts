/**
 * The types that every node has: projections of this node, so that nobody can write them and everybody can extend them. A type that a user
 * gave one of their names, before dtkd had it, stays.
 */
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { TypeSpec } from '../../../../protocol/kinds/type.ts';
import { BUILTIN_TYPES } from '../../../../protocol/modules/builtin-types.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { type Reads, refIn, typeKey } from './objects.ts';
import { nameRow, readName } from './rows.ts';

/** Exports leave these types out, since every node has them. */
const LABELS = { 'dtkd.dev/built-in': 'true' };

/** Creates missing built-in types and updates those with another form in this version; writes nothing if all are up to date. */
export async function keepBuiltinTypes(store: ObjectStore, node: string, logger: Logger): Promise<void> {
  for (const type of BUILTIN_TYPES) {
    try {
      await store.transact((tx) => keep(tx, type, node, logger));
    } catch (error) {
      // the new form would break existing objects, so the old form stays
      if (!(error instanceof DtkdError) || (error.code !== 'CONFLICT' && error.code !== 'INVALID')) throw error;
      logger.warn({ type: type.name, err: error }, 'A built-in type stays as it was: resources here would not fit its new form');
    }
  }
}

async function keep(
  tx: Reads & Parameters<Parameters<ObjectStore['transact']>[0]>[0],
  spec: TypeSpec & { name: string },
  node: string,
  logger: Logger,
): Promise<void> {
  const ref = refIn(node, 'types', typeKey(spec.name));
  const stored = await tx.get(ref);
  const holder = await readName(tx, nameRow.type(typeKey(spec.name)));
  if ((holder !== undefined && holder !== ref.name) || (stored !== undefined && (await tx.originOf(ref)) !== 'projection')) {
    logger.warn({ type: spec.name, object: holder ?? ref.name }, 'A type of this node has the name of a built-in one; it is kept');
    return;
  }
  if (stored !== undefined && jsonEqual(stored['spec'], spec) && jsonEqual(stored.metadata.labels ?? {}, LABELS)) return;
  const metadata = stored?.metadata ?? {
    name: ref.name,
    namespace: node,
    uid: '',
    resourceVersion: '',
    generation: 0,
    creationTimestamp: '',
  };
  await tx.put(
    { apiVersion: `${DTKD_GROUP}/v1`, kind: 'Type', metadata: { ...metadata, labels: LABELS, generation: metadata.generation + 1 }, spec },
    { origin: 'projection' },
  );
}
