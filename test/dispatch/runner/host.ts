/** A process with a runner in it, to be killed: starts what it is told on a line of its input, and spools the output. Its lines say what it did. */
import { createInterface } from 'node:readline';
import { createRunner } from '../../../daemon/src/dispatch/runner/runner.ts';
import { createSpools } from '../../../daemon/src/dispatch/runner/spools.ts';
import { silentLogger } from '../../silent-logger.ts';

const [directory = '', spoolPath = ''] = process.argv.slice(2);
const runner = createRunner({ directory, logger: silentLogger });
const spool = await createSpools().open(spoolPath, 64 * 1024 * 1024);

for await (const line of createInterface({ input: process.stdin })) {
  const { run, script, cwd, user } = JSON.parse(line);
  const started = await runner.start(
    {
      directory: run,
      argv: ['/bin/sh', '-c', script],
      env: { PATH: '/usr/bin:/bin' },
      cwd,
      ...(user === undefined ? {} : { user }),
      masks: [],
      secretFiles: [{ variable: 'TOKEN', value: Buffer.from('t') }],
    },
    (stream, d) => spool.append({ t: 1, s: stream, n: 1, c: 'x', d }),
  );
  process.stdout.write(`${JSON.stringify(started.identity)}\n`);
  void started.ended.then((end) => process.stdout.write(`${JSON.stringify(end)}\n`));
}
