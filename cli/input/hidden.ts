/** Reads a line typed at the terminal without showing it. */
import type { ReadStream } from 'node:tty';
import { DtkdError } from '../../protocol/errors.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const RUB_OUTS = ['\u007f', '\b'];

/** The text typed so far, and whether the input is complete. */
export interface Typed {
  text: string;
  state: 'typing' | 'done' | 'given-up';
}

/** Applies input from a terminal in raw mode; keys after the end are dropped. Pure. */
export function typed(before: Typed, keys: string): Typed {
  let { text, state } = before;
  for (const key of keys) {
    if (state !== 'typing') break;
    if (key === '\r' || key === '\n') state = 'done';
    else if (key === CTRL_C || (key === CTRL_D && text === '')) state = 'given-up';
    else if (key === CTRL_D) state = 'done';
    else if (key === CTRL_U) text = '';
    else if (RUB_OUTS.includes(key)) text = [...text].slice(0, -1).join('');
    else if (key >= ' ' || key === '\t') text += key;
  }
  return { text, state };
}

/** Asks at the terminal. Errors: BAD_REQUEST if the person gives up. */
export async function askHidden(question: string, terminal: ReadStream = process.stdin): Promise<string> {
  process.stderr.write(`${question}: `);
  terminal.setRawMode(true);
  terminal.setEncoding('utf8');
  const { promise, resolve } = Promise.withResolvers<Typed>();
  let now: Typed = { text: '', state: 'typing' };
  const onData = (keys: string) => {
    now = typed(now, keys);
    if (now.state !== 'typing') resolve(now);
  };
  const onEnd = () => resolve({ text: '', state: 'given-up' });
  terminal.on('data', onData).on('end', onEnd);
  terminal.resume();
  try {
    const { text, state } = await promise;
    if (state === 'done') return text;
    throw new DtkdError('BAD_REQUEST', 'nothing was set');
  } finally {
    terminal.off('data', onData).off('end', onEnd);
    terminal.setRawMode(false);
    terminal.pause();
    process.stderr.write('\n');
  }
}
