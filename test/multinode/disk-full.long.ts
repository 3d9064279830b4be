import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { appDocument, connected, formDomain } from '../harness/domain.ts';
import { fetchText } from '../harness/http.ts';
import { ApiFailure } from '../harness/site.ts';
import { SmallDisk, smallDiskMissing } from '../harness/small-disk.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
const why = smallDiskMissing();
const MEGABYTES = 24;

describe.skipIf(why !== undefined)(`a full disk${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let disk: SmallDisk | undefined;
  afterAll(async () => {
    await disk?.close();
  });

  it('loses nothing that was acknowledged, and writes again when there is room', async () => {
    disk = await SmallDisk.create(`${stage.current.directory}/disk`, MEGABYTES);
    const friend = await stage.current.start({ name: 'friend' });
    const site = await stage.current.start({ name: 'small', ...disk.site() });
    await formDomain('tight', [friend, site]);

    // Most of the disk goes to something else, as it does in life; the daemon fills the rest.
    const ballast = `${disk.root}/ballast`;
    const filling = writeFile(ballast, Buffer.alloc((MEGABYTES - 8) * 1024 * 1024)).catch(() => undefined);
    await filling;
    const acknowledged: string[] = [];
    const padding = 'x'.repeat(15_000);
    let refused: unknown;
    for (let number = 0; refused === undefined && number < 3_000; number += 1) {
      const name = `app-${number}`;
      const document = appDocument(name, ['tight']);
      try {
        await site.create({ ...document, metadata: { name, annotations: { padding } } });
        acknowledged.push(name);
      } catch (error) {
        refused = error;
      }
    }
    expect(refused).toBeInstanceOf(ApiFailure);
    expect(refused).toMatchObject({ status: 507, code: 'DISK_FULL' });
    expect(acknowledged.length).toBeGreaterThan(10);

    // It still answers, and has everything that it acknowledged.
    const seen = new Set((await site.list('dtapps')).map((app) => app.metadata.name));
    expect(acknowledged.filter((name) => !seen.has(name))).toEqual([]);

    await rm(ballast);
    await waitFor(
      async () => {
        await site.create(appDocument('after', ['tight']));
        return true;
      },
      { what: 'a write to succeed when there is room again', pollMs: 250 },
    );
    await site.kill9();
    await site.start();
    const after = new Set((await site.list('dtapps')).map((app) => app.metadata.name));
    expect([...acknowledged, 'after'].filter((name) => !after.has(name))).toEqual([]);
    await connected(site, 'tight', [friend]);
    await waitFor(async () => (await friend.list('dtapps')).length === acknowledged.length + 1, {
      what: 'the friend to have them all',
    });
  });

  it('is not made by files that are handed over: what they leave is enough to go on', async () => {
    const own = await SmallDisk.create(`${stage.current.directory}/uploads`, MEGABYTES);
    try {
      const site = await stage.current.start({ name: 'uploads', ...own.site() });
      const endless = function* () {
        for (;;) yield Buffer.alloc(256 * 1024, 'x');
      };
      await formDomain('spare', [site]);
      const { hostname: host, port } = new URL(site.apiUrl);
      const ca = await readFile(join(site.seenAt, 'ca.crt'), 'utf8');
      const octets = { authorization: `Bearer ${site.token}`, 'content-type': 'application/octet-stream' };
      for (const [path, method] of [
        ['content', 'PUT'],
        ['parcel', 'POST'],
      ] as const) {
        const answer = await fetchText({
          target: { host, port: Number(port) },
          ca,
          path: `/apis/dtkd.dev/v1/daemon/${path}`,
          method,
          headers: octets,
          body: Readable.from(endless()),
        });
        expect([path, answer.status, answer.body]).toEqual([path, 507, expect.stringContaining('DISK_FULL')]);
        await site.create(appDocument(`after-${path}`, ['spare']));
        expect((await site.api('/readyz?verbose')).status).toBe(200);
      }
    } finally {
      await own.close();
    }
  });
});
