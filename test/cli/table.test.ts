import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { alignColumns } from '../../cli/output/columns.ts';
import { escapeControls } from '../../cli/output/escape.ts';
import { toJson, toYaml } from '../../cli/output/format.ts';
import { parseTable, TablePrinter } from '../../cli/output/table.ts';

const TABLE = {
  kind: 'Table',
  metadata: { resourceVersion: '7', continue: '' },
  columnDefinitions: [
    { name: 'Name', priority: 0 },
    { name: 'Status', priority: 0 },
    { name: 'Message', priority: 1 },
  ],
  rows: [
    { cells: ['a-long-name', 'Ready', null], object: { metadata: { name: 'a-long-name', namespace: 'node0' } } },
    { cells: ['b', '', 'no service'], object: { metadata: { name: 'b', namespace: 'node1' } } },
  ],
};

function print(style: Partial<ConstructorParameters<typeof TablePrinter>[0]>, ...bodies: unknown[]): string[] {
  const lines: string[] = [];
  const printer = new TablePrinter({ wide: false, namespaces: false, prefix: '', headers: true, ...style }, (more) => lines.push(...more));
  for (const body of bodies) {
    const table = parseTable(body);
    if (table !== undefined) printer.print(table);
  }
  return lines;
}

describe('TablePrinter', () => {
  it('aligns columns and leaves those of priority 1 out', () => {
    expect(print({}, TABLE)).toEqual(['NAME          STATUS', 'a-long-name   Ready', 'b             <none>']);
  });

  it('shows of a text of several lines the first', () => {
    const rows = [{ cells: ['a', 'it failed:\n  here\n  ^'], object: { metadata: { name: 'a', namespace: 'node0' } } }];
    expect(print({}, { ...TABLE, rows })).toEqual(['NAME   STATUS', 'a      it failed:...']);
  });

  it('shows all columns when wide, namespaces first, and prefixes', () => {
    expect(print({ wide: true, namespaces: true, prefix: 'dtapp/' }, TABLE)).toEqual([
      'NAMESPACE   NAME                STATUS   MESSAGE',
      'node0       dtapp/a-long-name   Ready    <none>',
      'node1       dtapp/b             <none>   no service',
    ]);
  });

  it('goes on under the same heading, also where a page repeats no columns', () => {
    const next = { kind: 'Table', rows: [{ cells: ['c', 'Failed', ''] }] };
    expect(print({}, TABLE, next)).toEqual(['NAME          STATUS', 'a-long-name   Ready', 'b             <none>', 'c             Failed']);
  });

  it('keeps what follows an event where it is, whatever the event', () => {
    const lines: string[] = [];
    const printer = new TablePrinter({ wide: false, namespaces: false, prefix: '', headers: true }, (more) => lines.push(...more));
    for (const event of ['ADDED', 'MODIFIED']) {
      const table = parseTable({ ...TABLE, rows: TABLE.rows.slice(0, 1) });
      if (table !== undefined) printer.print(table, event);
    }
    expect(lines).toEqual(['EVENT      NAME          STATUS', 'ADDED      a-long-name   Ready', 'MODIFIED   a-long-name   Ready']);
  });

  it('prints no heading above nothing', () => {
    expect(print({}, { ...TABLE, rows: [] })).toEqual([]);
  });

  it('survives any JSON that calls itself a table', () => {
    fc.assert(
      fc.property(fc.record({ kind: fc.constant('Table'), columnDefinitions: fc.jsonValue(), rows: fc.jsonValue() }), (body) => {
        expect(Array.isArray(print({ wide: true }, body))).toBe(true);
      }),
    );
  });
});

describe('what is printed', () => {
  it('cannot command the terminal', () => {
    expect(alignColumns([['\u001b[2Jgone', 'two\nlines', '\u202edesrever']])).toEqual(['\\u001b[2Jgone   two\\nlines   \\u202edesrever']);
    fc.assert(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the point
      fc.property(fc.string({ unit: 'binary' }), (text) => !/[\u0000-\u001f\u007f-\u009f]/.test(escapeControls(text))),
    );
  });

  it('cannot command the terminal as JSON or YAML either, and says the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom('a', '\n', ' ', '\t', '\u001b', '\u009b', '\u202e', '\u0000', '-', '#', '\r') }),
        async (text) => {
          const json = toJson({ text });
          // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the point
          expect(json).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
          expect(JSON.parse(json)).toEqual({ text });
          const yaml = await toYaml({ text, nested: [text] });
          // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the point
          expect(yaml).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
          expect(parse(`${yaml}\n`)).toEqual({ text, nested: [text] });
        },
      ),
      { examples: [['\n \t\n'], [' \n']] },
    );
  });

  it('lines up whatever the cells are', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'b', 'ü', '-') });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, fc.constant('|')), { minLength: 1 }), (rows) => {
        expect(new Set(alignColumns(rows).map((line) => line.indexOf('|'))).size).toBe(1);
      }),
    );
  });
});
