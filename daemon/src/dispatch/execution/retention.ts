/** Removes old executions that this node started, and their collected output. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { executionKind } from '../../../../protocol/kinds/execution.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { executionRef, fieldsOf } from './execution-object.ts';

/** Objects per page: they may be large. */
const PAGE = 20;

export interface RetentionPorts {
  store: ObjectStore;
  node: string;
  /** `DATA/dispatch/collected`. */
  directory: string;
  keep: { keepForMs: number; keepBytes: number };
  /** True for executions that still run or settle. */
  open(id: string): boolean;
  now: number;
}

/** Removes executions older than `keepForMs`, and the oldest output beyond `keepBytes`. */
export async function removeOld(ports: RetentionPorts): Promise<void> {
  const known = new Set<string>();
  for await (const { id, finishedAt } of ended(ports)) {
    if (finishedAt + ports.keep.keepForMs < ports.now && !ports.open(id))
      await ports.store.transact((tx) => tx.delete(executionRef(ports.node, id)));
    else known.add(id);
  }
  const kept: { id: string; bytes: number; at: number }[] = [];
  for (const id of await namesIn(ports.directory)) {
    if (ports.open(id)) continue;
    if (known.has(id)) kept.push({ id, ...(await sizeOf(join(ports.directory, id))) });
    else if (await isGone(ports, id)) await removeCollected(ports.directory, id);
  }
  kept.sort((a, b) => b.at - a.at);
  let sum = 0;
  for (const { id, bytes } of kept) {
    sum += bytes;
    if (sum > ports.keep.keepBytes) await removeCollected(ports.directory, id);
  }
}

export async function removeCollected(directory: string, id: string): Promise<void> {
  await rm(join(directory, id), { recursive: true, force: true });
}

async function* ended({ store, node }: RetentionPorts): AsyncGenerator<{ id: string; finishedAt: number }> {
  let next: string | undefined;
  do {
    const page = await store.list({
      group: executionKind.group,
      plural: executionKind.plural,
      namespace: node,
      fieldSelector: `spec.starter=${node},status.phase=Finished`,
      limit: PAGE,
      ...(next === undefined ? {} : { continue: next }),
    });
    for (const object of page.items) {
      const finishedAt = Date.parse(fieldsOf(object)?.status?.finishedAt ?? '');
      if (!Number.isNaN(finishedAt)) yield { id: object.metadata.name, finishedAt };
    }
    next = page.continue;
  } while (next !== undefined);
}

async function isGone({ store, node }: RetentionPorts, id: string): Promise<boolean> {
  return (await store.get(executionRef(node, id))) === undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

async function sizeOf(directory: string): Promise<{ bytes: number; at: number }> {
  let bytes = 0;
  let at = 0;
  for (const name of await namesIn(directory)) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    bytes += found?.size ?? 0;
    at = Math.max(at, found?.mtimeMs ?? 0);
  }
  return { bytes, at };
}
