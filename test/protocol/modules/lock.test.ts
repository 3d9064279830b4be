import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LockFile, MAX_LOCK_BYTES } from '../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { allFaults } from '../../../protocol/modules/check.ts';
import { lockText, readLock } from '../../../protocol/modules/lock.ts';

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
const part = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const version = fc
  .tuple(fc.nat(99), fc.nat(99), fc.nat(99), fc.constantFrom('', '-rc.1', '-0e1'))
  .map(([a, b, c, tail]) => `${a}.${b}.${c}${tail}`);
const name = fc
  .tuple(part, part)
  .map(([a, b]) => `${a}/${b}`)
  .filter((one) => !one.startsWith('type/'));

describe('a lock', () => {
  it('is read as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.record({ version, digest: hex, publisher: hex }), { maxKeys: 5 }), async (modules) => {
        const lock: LockFile = { dsl_version: '1.0', modules: { ...modules } };
        expect(await readLock(lockText(lock))).toEqual(lock);
      }),
      { numRuns: 50 },
    );
  });

  it('is refused with words if it is none', async () => {
    await expect(readLock('x'.repeat(MAX_LOCK_BYTES + 1))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    await expect(readLock(Buffer.from([0xff, 0xfe]))).rejects.toMatchObject({ code: 'INVALID' });
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        await readLock(text).catch((error: unknown) => expect(error).toBeInstanceOf(DtkdError));
      }),
      { numRuns: 50 },
    );
  });

  it('that nobody could keep to is a fault of its module', async () => {
    const file = (path: string, text: string) => ({ path, executable: false, data: Buffer.from(text) });
    const manifest = file('dtk.module.yaml', '{dsl_version: "1.0", module: acme/web, version: 1.0.0}');
    expect(await allFaults({ version: 1, files: [file('dtk.lock.yaml', 'a: ['), manifest] })).toMatchObject([{ field: 'dtk.lock.yaml' }]);
    expect(
      await allFaults({ version: 1, files: [file('dtk.lock.yaml', lockText({ dsl_version: '1.0', modules: {} })), manifest] }),
    ).toEqual([]);
  });
});
