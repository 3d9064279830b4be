import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { INSTALLED_MS, KEPT_MS } from '../../../daemon/src/catalog/modules/limits.ts';
import { copyRow, parseCopyRow, signedCopy, statementRow } from '../../../daemon/src/catalog/modules/statements.ts';
import { leftCode } from '../../../protocol/definitions/scoped-names.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { digestOf, packArchive } from '../../../protocol/modules/archive.ts';
import { verifyStatement } from '../../../protocol/orders/signed-bundle.ts';
import { waitFor } from '../../wait.ts';
import { refusal } from '../model/fixtures.ts';
import { type Bench, bench, files } from './fixtures.ts';

let made: Bench[] = [];
afterEach(async () => {
  for (const one of made) await one.close();
  made = [];
});

async function fresh(): Promise<Bench> {
  const one = await bench();
  made.push(one);
  return one;
}

const archiveOf = (text: string, name?: string) => packArchive(files({ Web: { description: text } }, name === undefined ? {} : { name }));
const copy = (archive: Uint8Array, { instance = 'shop', revision = 1, module = 'acme/web' } = {}) => ({
  instance,
  revision,
  archive,
  module,
});

describe('copies of modules', () => {
  it('are code of this node under names of their own, in versions that grow', async () => {
    const { modules, store, key, content, clock } = await fresh();
    const first = archiveOf('first');
    const tried = await modules.publishCopy({ ...copy(first), dryRun: true });
    expect(await modules.get(tried.digest)).toBeUndefined();
    const code = await modules.publishCopy(copy(first));
    expect(code).toEqual(tried);
    expect(code).toEqual({ name: 'acme/web@shop', version: '0.0.1', digest: digestOf(first), publisher: key.publicKey });
    expect(verifyStatement((await signedCopy(store.kv, code)) ?? { statement: new Uint8Array(), signature: new Uint8Array() })).toEqual(
      code,
    );
    expect(content.allowed.get(code.digest)).toBe(clock.now + INSTALLED_MS);
    expect(await modules.publishCopy(copy(first, { revision: 7 }))).toEqual(code);

    const second = await modules.publishCopy(copy(archiveOf('second'), { revision: 7 }));
    expect(second).toMatchObject({ name: 'acme/web@shop', version: '0.0.7' });
    // back to what it was: still later, for targets that only follow forward
    expect(await modules.publishCopy(copy(first, { revision: 7 }))).toEqual({ ...code, version: '0.0.8' });
    expect(await modules.publishCopy(copy(first, { instance: 'other', revision: 3 }))).toEqual({
      ...code,
      name: 'acme/web@other',
      version: '0.0.3',
    });
  });

  it('are refused where they are not sound, or of another module', async () => {
    const { modules } = await fresh();
    expect(await refusal(modules.publishCopy(copy(archiveOf('x', 'acme/other'))))).toMatchObject({ code: 'INVALID' });
    const unsound = packArchive(files({ Node: {} }));
    expect(await refusal(modules.publishCopy(copy(unsound)))).toMatchObject({ code: 'INVALID' });
  });

  it('share an archive with the module and with other instances, each letting go for itself', async () => {
    const { modules, install, content, clock, restarted, store, key } = await fresh();
    const all = files({ Web: {} });
    const digest = digestOf(packArchive(all));
    await install(all);
    await modules.publishCopy(copy(packArchive(all)));
    const other = await modules.publishCopy(copy(packArchive(all), { instance: 'other' }));
    expect((await modules.get(digest))?.ref).toEqual({ name: 'acme/web', version: '1.0.0', digest, publisher: key.publicKey });

    await modules.releaseCopies('shop', []);
    expect(content.allowed.get(digest)).toBe(clock.now + INSTALLED_MS);
    expect(await signedCopy(store.kv, other)).toBeDefined();
    await store.kv.batch([{ type: 'del', key: statementRow(digest, key.publicKey) }], { sync: false });
    expect((await restarted().get(digest))?.ref).toEqual(other);
    // what is used is kept on beside the answer
    await waitFor(() => content.allowed.get(digest) === clock.now + KEPT_MS);

    clock.now += 1_000;
    await restarted().start();
    expect(content.allowed.get(digest)).toBe(clock.now + INSTALLED_MS);
  });

  it('are signed by the name of what is left of them, and let go of by both', async () => {
    const { modules, store } = await fresh();
    const old = await modules.publishCopy(copy(archiveOf('old')));
    const left = { ...old, name: leftCode(old.name, old.version) };
    await modules.publishLeft(left);
    expect(verifyStatement((await signedCopy(store.kv, left)) ?? { statement: new Uint8Array(), signature: new Uint8Array() })).toEqual(
      left,
    );
    const now = await modules.publishCopy(copy(archiveOf('now'), { revision: 2 }));
    expect(now).toMatchObject({ name: 'acme/web@shop', version: '0.0.2' });
    await modules.releaseCopies('shop', [now.digest]);
    expect([await signedCopy(store.kv, old), await signedCopy(store.kv, left)]).toEqual([undefined, undefined]);
  });

  it('are let go of when nothing needs them, and not before', async () => {
    const { modules, content, clock, store } = await fresh();
    const [old, now] = [
      await modules.publishCopy(copy(archiveOf('old'))),
      await modules.publishCopy(copy(archiveOf('now'), { revision: 2 })),
    ];
    await modules.releaseCopies('shop', [old.digest, now.digest]);
    await modules.releaseCopies('another', []);
    expect([content.allowed.get(old.digest), content.allowed.get(now.digest)]).toEqual(Array(2).fill(clock.now + INSTALLED_MS));
    await modules.releaseCopies('shop', [now.digest]);
    expect([content.allowed.get(old.digest), content.allowed.get(now.digest)]).toEqual([clock.now + KEPT_MS, clock.now + INSTALLED_MS]);
    expect([await signedCopy(store.kv, old), (await signedCopy(store.kv, now)) !== undefined]).toEqual([undefined, true]);
  });

  it('are taken from others with the version that their statement says, but not of another module', async () => {
    const { modules, store } = await fresh();
    const publisher = generateSigningKey();
    const archive = archiveOf('theirs');
    const signed = (name: string, version: string) => {
      const statement = encodeCbor({ name, version, digest: digestOf(archive), publisher: publisher.publicKey });
      return { statement, signature: publisher.sign('module', statement) };
    };
    const code = await modules.keep(signed('acme/web@shop', '0.0.12'), archive);
    expect(code).toMatchObject({ name: 'acme/web@shop', version: '0.0.12' });
    expect(await store.kv.get(copyRow({ ...code, version: '0.0.12' }))).toBeDefined();
    await modules.keep(signed('acme/web', '1.0.0'), archive);
    expect((await modules.get(code.digest))?.ref.name).toBe('acme/web');
    expect(await refusal(modules.keep(signed('acme/web', '0.0.12'), archive))).toMatchObject({ code: 'CONTENT_ALTERED' });
    expect(await refusal(modules.keep(signed('acme/other@shop', '0.0.12'), archive))).toMatchObject({ code: 'CONTENT_ALTERED' });
  });
});

describe('rows of copies', () => {
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
  const part = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/).filter((one) => one !== 'type');
  const instance = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/);

  it('say again what they were made of; those of modules are none', () => {
    fc.assert(
      fc.property(hex, hex, part, part, instance, fc.nat(), (digest, publisher, space, name, of, revision) => {
        const code = { name: `${space}/${name}@${of}`, version: `0.0.${revision}`, digest, publisher };
        expect(parseCopyRow(copyRow(code))).toEqual(code);
        expect(parseCopyRow(statementRow(digest, publisher))).toBeUndefined();
      }),
    );
  });
});
