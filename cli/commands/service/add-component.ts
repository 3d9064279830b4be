import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, serviceTarget } from '../../client/services.ts';
import { sendEdits, showEdited } from '../../service/editing.ts';
import { addNodeFlag, collect, type NodeFlag } from '../../service/flags.ts';
import { setSettings } from '../../service/set-settings.ts';
import { parseSettings } from '../../service/values.ts';

const EXAMPLES = `
Examples:
  dtkd service add-component shop cache --type Cache --set size=64
  dtkd service add-component shop web --type WebServer --on tags=web --count 3
  dtkd service add-component shop agent --type Agent --count all       one on each node`;

interface Flags extends NodeFlag {
  type: string;
  set?: string[];
  on?: string;
  count?: number | 'all';
}

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<component>', 'its name'))
    .requiredOption('-t, --type <type>', 'its type, from a module of the service')
    .option('--set <name=value>', 'a property; may be repeated. @FILE: from a file; -: from standard input', collect)
    .option('--on <filter>', "nodes where it may run, e.g. 'tags=web' (default: those of the target, or this node)")
    .option('--count <number>', 'how many, each on another node; all: one on each (default: 1)', parseCount)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, component: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & Flags>();
      const service = named(name, flags);
      const { set, type, on, count } = flags;
      const settings = parseSettings(set ?? []);
      const added = await sendEdits(cli, service, [
        { op: 'add-component', name: component, type, ...(on === undefined ? {} : { on }), ...(count === undefined ? {} : { count }) },
      ]);
      if (settings.length === 0) return showEdited(cli, service, added, flags);
      try {
        // the types of its properties, and which are secrets, are known only now
        const set = await setSettings(
          cli,
          service,
          settings.map(({ path, source }) => ({ path: `${component}.${path}`, source })),
          { global: flags },
        );
        showEdited(cli, service, [...added, ...set], flags);
      } catch (error) {
        const client = await cli.client();
        await client.call('POST', serviceTarget(service, 'edit'), { edits: [{ op: 'rm-component', name: component }] });
        cli.out.note(`${component} was removed again.`);
        throw error;
      }
    });
}

function parseCount(text: string): number | 'all' {
  if (text === 'all') return text;
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  throw new DtkdError('BAD_REQUEST', `--count must be a number or all, not "${text.slice(0, 40)}"`);
}
