/**
 * Secrets of this node: removes values from objects before they are stored, keeps them encrypted in rows `s/…` that change in the same
 * transaction, and provides them to commands that run here. Guarantees that no object contains a value, and so no answer, change log, watch
 * or replica does. Does not decide who may set one.
 */
import { randomUUID } from 'node:crypto';
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_SECRET_BYTES, secretKind, secretSchema } from '../../../../protocol/kinds/secret.ts';
import { type ApiObject, type ObjectRef, toTimestamp } from '../../../../protocol/objects/objects.ts';
import type { Change, ObjectStore, Participant, Transaction } from '../../store/object-store.types.ts';
import { openValue, sealValue } from './secret-box.ts';
import { SECRET_KEY_FILE, SecretKey } from './secret-key.ts';

const PREFIX = 's/';
/**
 * Limit on sealed values on their way into the store. A write that is refused before its transaction leaves its value here until newer ones
 * push it out.
 */
const MAX_PENDING = 256;
/** The annotation in which kubectl repeats all of an object that it applies, including the value. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export interface SecretsOptions {
  store: Pick<ObjectStore, 'kv'>;
  node: { name: string };
  /** The data directory, which holds the key. */
  directory: string;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Secrets {
  /** Add it to the store before the first transaction. */
  participant: Participant;
  /** Handler of the kind Secret. */
  handler: {
    create(object: ApiObject): Promise<ApiObject>;
    update(object: ApiObject, previous: ApiObject): Promise<ApiObject>;
  };
  /** Values for commands that run here. */
  values: {
    get(name: string): Promise<Buffer | undefined>;
    /** Encrypts bytes so that only this node can decrypt them; `about` names what they belong to. */
    seal(about: string, bytes: Uint8Array): Promise<Uint8Array>;
    /** Errors: INTERNAL if the key is missing or a different one, or `about` differs. */
    unseal(about: string, sealed: Uint8Array): Promise<Buffer>;
  };
}

export function createSecrets({ store, node, directory, now }: SecretsOptions): Secrets {
  const key = new SecretKey(directory);
  const pending = new Map<string, Uint8Array>();

  /** The object without its value, ready to be stored. */
  async function withoutValue(object: ApiObject): Promise<ApiObject> {
    const { value, ...spec } = secretSchema.shape.spec.parse(object['spec']) ?? {};
    const bare: ApiObject = { ...object, metadata: withoutCopies(object.metadata) };
    if (Object.keys(spec).length > 0) bare['spec'] = spec;
    else delete bare['spec'];
    if (value === undefined) return bare;
    const bytes = Buffer.from(value);
    if (bytes.length > MAX_SECRET_BYTES) throw new DtkdError('TOO_LARGE', `the value of a secret has at most ${MAX_SECRET_BYTES} bytes`);
    const version = randomUUID();
    const sealed = sealValue(await key.ensure(), object.metadata.name, version, bytes);
    for (const oldest of pending.keys()) if (pending.size >= MAX_PENDING) pending.delete(oldest);
    pending.set(version, sealed);
    return { ...bare, status: { bytes: bytes.length, changedAt: toTimestamp(now()), version } };
  }

  async function follow(change: Change, tx: Transaction): Promise<void> {
    const row = PREFIX + change.ref.name;
    if (change.type === 'DELETED') {
      tx.delRow(row);
      return;
    }
    if (isRecord(change.object['spec']) && change.object['spec']['value'] !== undefined) {
      throw new DtkdError('INTERNAL', 'the value of a secret is not stored in its object');
    }
    const version = versionOf(change.object);
    if (version === undefined || version === versionOf(change.previous)) return;
    const sealed = pending.get(version);
    if (sealed === undefined) throw new DtkdError('TOO_MANY_REQUESTS', 'too many secrets are being set at once', { next: 'Set it again.' });
    tx.putRow(row, sealed);
  }

  async function opener(): Promise<Buffer> {
    const found = await key.find();
    if (found !== undefined) return found;
    throw new DtkdError('INTERNAL', `the key of the secrets, ${SECRET_KEY_FILE}, is gone from the data directory`, {
      next: 'Restore it from a backup, or set the secrets again.',
    });
  }

  const settle = (changes: readonly Change[]) => {
    for (const { ref, object } of changes) if (isOwn(ref)) pending.delete(versionOf(object) ?? '');
  };
  const isOwn = ({ group, plural, namespace }: ObjectRef) =>
    group === secretKind.group && plural === secretKind.plural && namespace === node.name;

  return {
    participant: {
      async prepare(changes, tx) {
        for (const change of changes) if (isOwn(change.ref)) await follow(change, tx);
      },
      committed: settle,
      aborted: settle,
    },
    handler: { create: withoutValue, update: withoutValue },
    values: {
      async get(name) {
        const row = await store.kv.get(PREFIX + name);
        return row === undefined ? undefined : openValue(await opener(), name, row);
      },
      seal: async (about, bytes) => sealValue(await key.ensure(), nameOfOther(about), randomUUID(), bytes),
      unseal: async (about, sealed) => openValue(await opener(), nameOfOther(about), sealed),
    },
  };
}

/** A name that no Secret can have, so that bytes sealed for something else never pass for a Secret. */
function nameOfOther(about: string): string {
  return `/${about}`;
}

function withoutCopies(metadata: ApiObject['metadata']): ApiObject['metadata'] {
  const { annotations, ...rest } = metadata;
  const { [LAST_APPLIED]: _copy, ...others } = annotations ?? {};
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}

function versionOf(object: ApiObject | undefined): string | undefined {
  return secretSchema.shape.status.safeParse(object?.['status']).data?.version;
}
