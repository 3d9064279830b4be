import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineAssembler } from '../../../cli/dispatch/line-assembler.ts';
import { optionsOfPairs, optionsOfWords } from '../../../cli/dispatch/option-words.ts';
import { prefixedBytes, printable } from '../../../cli/dispatch/printable.ts';
import { commandLine, remotePrefix, userName } from '../../../cli/dispatch/seed-form.ts';
import { optionWords, shellLine } from '../../../cli/dispatch/shell-line.ts';
import { shellWord } from '../../../protocol/text/shell-word.ts';
import { run } from '../../harness/child.ts';

describe('lines of output', () => {
  it('are the same however they are cut', () => {
    const text = fc.array(fc.constantFrom('a', 'ü', '\n', '\0', 'x y')).map((parts) => Buffer.from(parts.join('')));
    fc.assert(
      fc.property(text, fc.array(fc.nat(20)), (bytes, cuts) => {
        const assembler = new LineAssembler();
        let shown = '';
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          const block = assembler.add(bytes.subarray(at, at + cut));
          expect(block.length === 0 || block.at(-1) === 0x0a).toBe(true);
          shown += block.toString('latin1');
          at += cut;
        }
        expect(shown + assembler.flush().toString('latin1')).toBe(bytes.toString('latin1'));
      }),
    );
  });

  it('without end come in pieces', () => {
    const assembler = new LineAssembler();
    expect(assembler.add(Buffer.alloc(70_000, 'x'))).toHaveLength(70_000);
    expect(assembler.flush()).toHaveLength(0);
  });

  it('keep every byte behind their prefixes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.constantFrom('', 'nöde: ', '$& '), (array, prefix) => {
        const bytes = Buffer.from(array);
        const lines = (bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes).toString('latin1').split('\n');
        const expected = lines.map((line) => `${Buffer.from(prefix).toString('latin1')}${line}\n`).join('');
        expect(Buffer.from(prefixedBytes(bytes, prefix)).toString('latin1')).toBe(expected);
      }),
    );
  });

  it('cannot command a terminal', () => {
    expect(printable(Buffer.from('a\tb\x1b[2J\r\nc\n'))).toBe('a\tb\\u001b[2J\nc\n');
    expect(printable(Buffer.from([0x41, 0xff, 0x07]))).toBe('A\\xff\\x07');
  });

  it('stand in the form of the seed', () => {
    expect(remotePrefix('greg', 'localhost', 'demo.Service.myService Start', 'info')).toBe(
      '[greg@localhost demo.Service.myService Start][INFO] ',
    );
    expect(commandLine({ model: 'demo', type: 'Service', resource: 'myService', command: 'Start', options: { port: '80' } })).toBe(
      'cmd : ctl -p demo -t Service -r myService -c Start -- -port 80',
    );
    expect([userName('greg@node0'), userName('operator'), userName('')]).toEqual(['greg', 'operator', 'operator']);
  });
});

describe('options of a command', () => {
  it('come back out of the words that show them', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,8}$/);
    const value = fc.oneof(fc.string(), fc.constantFrom('-x', '--y', '-5', 'true', ''));
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 5 }), (options) => {
        expect(optionsOfWords(optionWords(options).slice(1))).toEqual({ ...options });
      }),
    );
  });

  it('are flags where no value follows', () => {
    expect(optionsOfWords(['-force', '-port', '80', '--verbose'])).toEqual({ force: 'true', port: '80', verbose: 'true' });
    expect(() => optionsOfWords(['port', '80'])).toThrow('is not an option');
    expect(optionsOfPairs(['a=', 'b=c=d'])).toEqual({ a: '', b: 'c=d' });
  });
});

describe('command lines that are shown', () => {
  it('mean the same to a shell', async () => {
    const words = fc.sample(
      fc.array(fc.string({ unit: fc.constantFrom('a', ' ', "'", '"', '$', '*', '=', '-', '\\', '~', '#', '`', '\n') }), { minLength: 1 }),
      40,
    );
    for (const line of words) {
      const { stdout } = await run({ command: '/bin/sh', args: ['-c', `printf '%s\\0' ${shellLine(line)}`] });
      expect(stdout.split('\0').slice(0, -1)).toEqual(line);
    }
  });

  it('are plain where they can be', () => {
    expect([shellWord('name=node1,node2'), shellWord('.*'), shellWord('')]).toEqual(['name=node1,node2', "'.*'", "''"]);
  });
});
