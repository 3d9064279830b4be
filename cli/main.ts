/** The command line of dtkd: everything but `dtkd up`. */
import { runCli } from './program.ts';

process.exitCode = await runCli(process.argv.slice(2));
