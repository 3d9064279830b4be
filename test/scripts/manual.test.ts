import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { manualCommand, manualPage } from '../../scripts/manual.ts';
import { run } from '../harness/child.ts';
import { missing } from '../harness/programs.ts';

const frame = {
  version: '1.2.3',
  time: 0,
  globals: [{ flags: '--url <url>', text: 'the API' }],
  programs: new Map([['dtkd up', ".odd line\n'quoted"]]),
};

describe('the manual page', () => {
  const command = new Command('join').description('join a domain').argument('<address>').argument('[names...]');
  command.option('--wait', "until it's there").addHelpText('after', '\nExamples:\n  dtkd join \\x');
  const commands = [manualCommand(command, 'dtkd domain join'), manualCommand(new Command('up'), 'dtkd up')];
  const page = manualPage(commands, frame);

  it('has usage, options and examples of every command, and nothing that man takes for its own', () => {
    expect(page).toContain('.SS "dtkd domain join"\nJoin a domain.\n.PP\n.B dtkd domain join <address> [names...] [options]\n');
    expect(page).toContain('.TP\n.B \\-\\-wait\nuntil it\\(aqs there\n');
    expect(page).toContain('.nf\nExamples:\n  dtkd join \\ex\n.fi');
    expect(page).toContain('.nf\n\\&.odd line\n\\(aqquoted\n.fi');
  });

  it.skipIf(missing(['groff']) !== undefined)('is free of warnings', async () => {
    expect(await run({ command: 'groff', args: ['-man', '-Tutf8', '-ww', '-z'], stdin: page })).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });
});
