import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { answerBytes } from '../../../daemon/src/api/flow/answer-bytes.ts';

it('lets go of what an answer needs, however its bytes end', async () => {
  const said: string[] = [];
  const about = { type: 'application/x-tar', end: () => void said.push('end'), release: () => void said.push('release') };
  async function* bytes(fails: boolean): AsyncGenerator<Uint8Array> {
    yield Buffer.from('one');
    if (fails) throw new Error('the disk is full');
    yield Buffer.from('two');
  }
  expect(await (await answerBytes(bytes(false), about)).text()).toBe('onetwo');
  await expect((await answerBytes(bytes(true), about)).text()).rejects.toThrow('the disk is full');
  await (await answerBytes(bytes(false), about)).body?.cancel();
  expect(said).toEqual(['release', 'end', 'end']);
});

it('lets go of what an answer needs where the client takes nothing for long', async () => {
  const ended = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.from('more');
    } finally {
      left.resolve();
    }
  }
  const answer = await answerBytes(bytes(), { type: 'application/x-tar', end: ended.resolve, release: () => undefined, stallMs: 20 });
  const reader = answer.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  await Promise.all([ended.promise, left.promise]);
  await expect(reader?.read()).rejects.toThrow('has stopped reading');
});

it('is told once that the client has gone, and waits for it no longer, where it goes while bytes are made', async () => {
  const next = Promise.withResolvers<Uint8Array>();
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('one');
    yield await next.promise;
  }
  const said: string[] = [];
  const answer = await answerBytes(bytes(), {
    type: 'application/x-tar',
    end: () => void said.push('end'),
    release: () => void said.push('release'),
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const reader = answer.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await turn();
    const gone = reader?.cancel();
    next.resolve(Buffer.from('two'));
    await gone;
    await turn();
    expect(vi.getTimerCount()).toBe(0);
    expect(said).toEqual(['end']);
  } finally {
    vi.useRealTimers();
  }
});
