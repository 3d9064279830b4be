import { expect, it } from 'vitest';
import { startingError } from '../../../daemon/src/process/starting-error.ts';
import { DtkdError } from '../../../protocol/errors.ts';

const failure = (code: string, path?: string) => Object.assign(new Error(`${code}: x`), { code, syscall: 'open', path });

it('codes what the file system says of the data directory, whichever part came upon it and under whatever code', () => {
  const within = (code: string) => failure(code, '/data/modules');
  expect(startingError(within('EACCES'), '/data')).toMatchObject({
    code: 'DATA_UNWRITABLE',
    message: expect.stringContaining('/data/modules'),
    next: expect.stringContaining('chown'),
  });
  expect(startingError(within('EEXIST'), '/data')).toMatchObject({ code: 'DATA_UNWRITABLE', next: expect.stringContaining('in the way') });
  expect(startingError(within('ENOSPC'), '/data')).toMatchObject({ code: 'DISK_FULL' });
  expect(startingError(within('EMFILE'), '/data')).toMatchObject({ code: 'UNAVAILABLE', next: expect.stringContaining('ulimit -n') });
  expect(startingError(new DtkdError('FORBIDDEN', 'no', { cause: within('EACCES') }), '/data')).toMatchObject({ code: 'DATA_UNWRITABLE' });
  // systemd starts the daemon again after a full disk, and not where it cannot write
  expect(startingError(new DtkdError('DATA_UNWRITABLE', 'no', { cause: within('ENOSPC') }), '/data')).toMatchObject({ exitStatus: 15 });
});

it('leaves alone what is of something else', () => {
  for (const error of [
    new Error('a defect'),
    failure('EACCES', '/elsewhere'),
    failure('EACCES'),
    new DtkdError('DATA_UNWRITABLE', 'said better', { cause: failure('EACCES', '/data/x') }),
    new DtkdError('PORT_IN_USE', 'taken', { cause: failure('EADDRINUSE') }),
  ]) {
    expect(startingError(error, '/data')).toBe(error);
  }
});
