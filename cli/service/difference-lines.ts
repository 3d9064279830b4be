/** Changes by kind, with the values before and after. Pure. */
import type { z } from 'zod';
import type { difference, fileDifference, violation } from '../../protocol/requests/service.ts';
import { alignColumns } from '../output/columns.ts';
import { escapeControls } from '../output/escape.ts';
import type { Output } from '../output/output.ts';

export type DifferenceView = z.infer<typeof difference>;
export type FileDifferenceView = z.infer<typeof fileDifference>;
export type ViolationView = z.infer<typeof violation>;

const MARKS = { added: '+', changed: '~', removed: '-' } as const;
const COLOURS = { added: 'green', changed: 'yellow', removed: 'red' } as const;
/** Longer values are cut; `-o json` has them whole. */
const MAX_VALUE = 60;

/** One line for each difference, below a heading; empty without any. */
export function differenceLines(paint: Output['paint'], differences: readonly DifferenceView[]): string[] {
  if (differences.length === 0) return [];
  const rows = differences.map(({ kind, what, op, before, after }) => [MARKS[op], kind, what, changeOf(op, before, after)]);
  const [heading = '', ...lines] = alignColumns([['', 'KIND', 'WHAT', 'VALUE'], ...rows]);
  return [heading, ...lines.map((line, at) => paint(COLOURS[differences[at]?.op ?? 'changed'], line))];
}

function changeOf(op: DifferenceView['op'], before: unknown, after: unknown): string {
  if (op === 'added') return valueText(after);
  if (op === 'removed') return valueText(before);
  const texts = [valueText(before), valueText(after)];
  return texts.every((text) => text === '') ? '' : texts.map((text) => text || '(none)').join(' → ');
}

/** A value on one line. */
export function valueText(value: unknown, max = MAX_VALUE): string {
  if (value === undefined) return '';
  if (value === '') return '""';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const characters = [...text];
  return characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : text;
}

/** The names of files or, with `texts`, also their differences as `diff -u` writes them. */
export function fileLines(paint: Output['paint'], files: readonly FileDifferenceView[], texts: boolean): string[] {
  return files.flatMap(({ path, op, text }) => [
    paint(COLOURS[op], `${MARKS[op]} ${escapeControls(path)}`),
    ...(texts && text !== undefined
      ? text
          .replace(/\n$/, '')
          .split('\n')
          .map((line) => patchLine(paint, line))
      : []),
  ]);
}

function patchLine(paint: Output['paint'], line: string): string {
  const safe = line.split('\t').map(escapeControls).join('\t');
  if (line.startsWith('+')) return paint('green', safe);
  if (line.startsWith('-')) return paint('red', safe);
  return line.startsWith('@@') ? paint('dim', safe) : safe;
}

/** The table that is shown in place of a plan. */
export function violationLines(violations: readonly ViolationView[]): string[] {
  if (violations.length === 0) return [];
  const withNext = violations.some(({ next }) => next !== undefined);
  return alignColumns([
    ['VIOLATION', 'WHERE', 'WHAT IS WRONG', ...(withNext ? ['WHAT TO DO'] : [])],
    ...violations.map(({ kind, where, message, next }) => [kind, where, message, ...(withNext ? [next ?? ''] : [])]),
  ]);
}
