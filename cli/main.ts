/** The command line of dtkd, except `dtkd up` and `dtkd restore`. */
import { runCli } from './program.ts';

process.exitCode = await runCli(process.argv.slice(2));
