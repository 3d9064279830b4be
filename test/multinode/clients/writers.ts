/** Several writers at one site at once, who create, change and delete objects out of a small set of names, as its operator. */
import type { Site } from '../../harness/site.ts';

/** Names that all writers of a site share: small enough that they meet. */
const NAMES = 40;
const MERGE = 'application/merge-patch+json';

export interface Written {
  created: number;
  updated: number;
  deleted: number;
}

/** A small generator, so that a run can be repeated. */
export function chance(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function documentOf(kind: string, name: string, revision: number, tier: string): Record<string, unknown> {
  const metadata = { name, labels: { tier } };
  if (kind === 'Model') return { apiVersion: 'dtkd.dev/v1', kind, metadata, spec: { description: `as of ${revision}` } };
  return {
    apiVersion: 'v1',
    kind,
    metadata: { ...metadata, annotations: { revision: String(revision) } },
    spec: { ports: [{ port: 80 + (revision % 100) }] },
  };
}

/** Makes so many changes that took effect, `at once` at a time; what conflicts or comes too late is no change. */
export async function writeChanges(
  site: Site,
  kinds: readonly string[],
  count: number,
  { seed, atOnce = 4 }: { seed: number; atOnce?: number },
): Promise<Written> {
  const written: Written = { created: 0, updated: 0, deleted: 0 };
  const random = chance(seed);
  let left = count;
  let revision = seed * 100_000;
  const write = async () => {
    while (left > 0) {
      left -= 1;
      revision += 1;
      const kind = kinds[random(kinds.length)] ?? 'Model';
      const name = `m${random(NAMES)}`;
      const tier = random(3) === 0 ? 'back' : 'front';
      if (!(await change(site, kind, name, revision, tier, random(10), written))) left += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, write));
  return written;
}

async function change(
  site: Site,
  kind: string,
  name: string,
  revision: number,
  tier: string,
  dice: number,
  written: Written,
): Promise<boolean> {
  const document = documentOf(kind, name, revision, tier);
  if (dice < 3) {
    const made = await site.api(site.path(kind), { method: 'POST', body: document });
    if (made.status === 201) written.created += 1;
    return made.status === 201;
  }
  if (dice < 5) {
    const gone = await site.api(site.path(kind, name), { method: 'DELETE' });
    if (gone.status === 200) written.deleted += 1;
    return gone.status === 200;
  }
  const changed = await site.api(site.path(kind, name), { method: 'PATCH', body: document, contentType: MERGE });
  if (changed.status === 200) written.updated += 1;
  return changed.status === 200;
}

/** More than a site keeps of its changes: who goes on from before it is told 410. */
export async function outrunHistory(site: Site): Promise<void> {
  // each update is kept with what stood there before
  const rounds = 30;
  const atOnce = 8;
  const text = 'x'.repeat(4_000);
  const annotations = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`text-${index}`, text]));
  const names = Array.from({ length: atOnce }, (_, index) => `large-${index}`);
  const kind = 'Endpoints';
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(
      names.map(async (name) => {
        const metadata = { name, annotations: { ...annotations, round: String(round) } };
        const body = { apiVersion: 'v1', kind, metadata };
        const changed = await site.api(site.path(kind, name), { method: 'PATCH', body, contentType: MERGE });
        if (changed.status === 404) await site.create({ ...body, subsets: [] });
        else if (changed.status !== 200) throw new Error(`history could not be outrun: ${changed.status} ${JSON.stringify(changed.body)}`);
      }),
    );
  }
}
