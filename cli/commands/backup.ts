import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { backupToFile, backupToStream } from '../client/backups.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { formatSize } from '../output/size.ts';

const EXAMPLES = `
Examples:
  dtkd backup node1.dtkd-backup                  all of this node, while it runs
  dtkd backup - | age -r KEY > node1.age         encrypted on its way; nothing readable touches a disk
  dtkd restore node1.dtkd-backup --check         verify it

Whoever has the file can be this node: its keys and tokens are in it. See docs/backup.md.`;

interface Flags {
  replace?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<file>', 'where to write it; - for standard output')
    .option('--replace', 'overwrite an existing file')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: Flags) => {
      const client = await cli.client();
      if (file === '-') return backupToStream(client, process.stdout);
      const line = new ProgressLine(`Writing ${file}`, cli.out.interactive ? (text) => void process.stderr.write(text) : undefined);
      const bytes = await backupToFile(client, file, {
        replace: flags.replace === true,
        onProgress: (done) => line.show(done),
      }).finally(() => line.clear());
      cli.out.lines([`Wrote ${file}, ${formatSize(bytes)}. The keys and tokens of this node are in it: keep it secret.`]);
    });
}
