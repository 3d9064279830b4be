/**
 * The types that every node has: Host, Service, Site, Package, Setting. Open, since what comes from elsewhere brings what it has. Kept as projections of this node, so that nobody writes them and everybody can
 * extend them. A type that a user has made under one of their names, before a version of dtkd had it, stays.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { jsonEqual } from '../../../../protocol/json.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { TypeSpec } from '../../../../protocol/kinds/type.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { type Reads, refIn, typeKey } from './objects.ts';
import { nameRow, readName } from './rows.ts';

/** Exports leave out what every node has. */
const LABELS = { 'dtkd.dev/built-in': 'true' };

const RANK = {
  type: 'integer',
  default: 1,
  description: 'Where it stands in the order of starting, lowest first; stopping goes the other way.',
} as const;

export const BUILTIN_TYPES: readonly (TypeSpec & { name: string })[] = [
  {
    name: 'Host',
    open: true,
    description: 'A machine, whether a daemon runs on it or not.',
    properties: {
      hostname: { description: 'Name or address by which it is reached, and :PORT where that is not the usual one.' },
      osFamily: { description: 'unix or windows.' },
      osName: { description: 'Linux, Darwin, Windows.' },
      osVersion: { description: 'Version of its system.' },
      osArch: { description: 'x64, arm64 and the like.' },
      username: { description: 'Who is to log in there.' },
      tags: { type: 'array', description: 'Words to choose it by.' },
    },
  },
  {
    name: 'Service',
    open: true,
    description: 'A program that runs: it can be started, stopped and asked whether it is up.',
    properties: {
      basedir: { description: 'Directory of its data and configuration.' },
      'install-root': { description: 'Directory into which its packages are installed.' },
      port: { type: 'port', exported: true, description: 'Where it listens.' },
      'startup-rank': RANK,
    },
  },
  {
    name: 'Site',
    open: true,
    description: 'A group of resources that are managed together, on however many nodes.',
    properties: { 'startup-rank': RANK },
  },
  {
    name: 'Package',
    open: true,
    description: 'Something that is installed: an archive, a system package, an image.',
    properties: {
      version: { exported: true, description: 'Its version.' },
      filename: { exported: true, description: 'Its file.' },
      url: { exported: true, description: 'Where it is fetched.' },
      'package-type': { description: 'Its format: tar, deb, rpm, jar, image.' },
      'install-rank': { ...RANK, description: 'Where it stands in the order of installing, lowest first.' },
    },
  },
  {
    name: 'Setting',
    open: true,
    description: 'A value that its parents read.',
    properties: {
      value: { exported: true, description: 'The value.' },
      kind: { exported: true, description: 'What it is a value of: port, path, address.' },
    },
  },
];

/** Makes what is missing or has another form in this version; writes nothing if all is as it should be. */
export async function keepBuiltinTypes(store: ObjectStore, node: string, logger: Logger): Promise<void> {
  for (const type of BUILTIN_TYPES) {
    try {
      await store.transact((tx) => keep(tx, type, node, logger));
    } catch (error) {
      // a newer form that would break what is there: the older one goes on holding
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
    logger.warn({ type: spec.name, object: holder ?? ref.name }, 'A type of this node has the name of a built-in one, and stays');
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
