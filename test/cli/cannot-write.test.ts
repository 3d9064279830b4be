import { describe, expect, it } from 'vitest';
import { named } from '../../cli/commands/apply.ts';
import { cannotWrite } from '../../cli/output/cannot-write.ts';
import { DtkdError } from '../../protocol/errors.ts';

describe('a file that cannot be written', () => {
  it('is said to lie on a full disk, with the exit status of one', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    expect(cannotWrite('a.backup', full)).toMatchObject({ code: 'DISK_FULL', message: 'cannot write a.backup: the disk is full' });
  });

  it('is told with its reason, and an error of ours stays', () => {
    expect(cannotWrite('x/a', Object.assign(new Error(), { code: 'ENOENT' })).message).toBe('cannot write x/a: there is no such directory');
    expect(cannotWrite('a', Object.assign(new Error(), { code: 'EIO' })).message).toBe('cannot write a: EIO');
    const ours = new DtkdError('CONFLICT', 'no');
    expect(cannotWrite('a', ours)).toBe(ours);
  });
});

describe('an error about a document', () => {
  const document = { source: 'lab.yaml', line: 1, document: { kind: 'Model', metadata: { name: 'lab' } } };

  it('names it once', () => {
    const said = new DtkdError('INVALID', 'Model "lab" is invalid: spec.x: no');
    expect(named(said, document)).toBe(said);
    expect(named(new DtkdError('CONFLICT', 'it changed'), document)).toMatchObject({ message: 'Model lab: it changed' });
  });
});
