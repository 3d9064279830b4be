import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noteKill, readKillNote } from '../../../daemon/src/dispatch/target/work/kill-note.ts';

let room: string;
beforeEach(async () => {
  room = await mkdtemp(join(tmpdir(), 'dtkd-note-'));
});
afterEach(() => rm(room, { recursive: true, force: true }));

describe('why a process is ended', () => {
  it('is read as it was noted, and stays', async () => {
    const noted = await noteKill(room, { code: 'ABORTED', message: 'it was aborted by "ops"' });
    expect(noted).toMatchObject({ code: 'ABORTED', message: 'it was aborted by "ops"' });
    expect(await noteKill(room, { code: 'DEADLINE', message: 'it took longer than allowed' })).toBeUndefined();
    expect(await readKillNote(room)).toEqual(noted);
  });

  it('was noted no later than what was written after it', async () => {
    for (let round = 0; round < 50; round += 1) {
      const inner = await mkdtemp(join(room, 'round-'));
      const noted = await noteKill(inner, { code: 'ABORTED', message: '' });
      await writeFile(join(inner, 'record'), '');
      expect(Math.round((await stat(join(inner, 'record'))).mtimeMs)).toBeGreaterThanOrEqual(noted?.at ?? Number.POSITIVE_INFINITY);
    }
  });

  it('fits, however long and odd it is', async () => {
    await noteKill(room, { code: 'ABORTED', message: '\u0001'.repeat(5_000) });
    expect(await readKillNote(room)).toMatchObject({ code: 'ABORTED', message: '\u0001'.repeat(1_024) });
  });

  it.each(['', '{"code":"ABOR', '[]', '{"code":1,"message":"a"}', ' '.repeat(10_000)])('is not taken from %j', async (text) => {
    await writeFile(join(room, 'why'), text);
    expect(await readKillNote(room)).toBeUndefined();
  });

  it('is not known where there is no place for it', async () => {
    expect(await noteKill(join(room, 'none'), { code: 'ABORTED', message: '' })).toBeUndefined();
    expect(await readKillNote(join(room, 'none'))).toBeUndefined();
  });
});
