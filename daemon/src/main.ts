/** `dtkd up`: reads the settings, starts the daemon, says where it listens, and stops it on SIGTERM, SIGINT or SIGHUP. */
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import { mistypedVariables } from '../../protocol/settings/settings.ts';
import { DEFAULTS, loadConfig, type Settings } from './config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { createLogger, LOG_LEVELS, type LogSink } from './process/logger.ts';

/** Time limit for stopping, in milliseconds. The process then exits. */
const STOP_LIMIT_MS = 10_000;

const EXAMPLES = `
Examples:
  dtkd up                                     one user's daemon, data in ~/.local/share/dtkd
  dtkd up --data ./site-a --api 127.0.0.1:7710 --mesh 7711 --ingress 127.0.0.1:7712 --name site-a
  dtkd up --announce 203.0.113.7              behind NAT: the address that peers should dial

Every setting is also a key of config.yaml in the data directory (logLevel: debug)
and a variable (DTKD_LOG_LEVEL=debug). Flags win over variables, variables over the file.
The mesh port is the one port to open to other sites; it is used once the node is in a domain.

Exit status: 10 another daemon uses the data directory, 11 a port is in use, 12 the data
directory cannot be written, 13 it was written by a newer dtkd, 14 a setting is wrong,
15 the disk is full, 16 the database is damaged.`;

function command(): Command {
  return new Command('dtkd up')
    .description('Start the daemon of this node, with everything embedded.')
    .option('--data <dir>', 'data directory (default: ~/.local/share/dtkd)')
    .option('--name <label>', "this node's name, a DNS label (default: the host name)")
    .option('--api <host:port>', `where the API listens (default: ${DEFAULTS.api})`)
    .option('--mesh <[host:]port>', `where peers connect, on IPv4 and IPv6 (default: ${DEFAULTS.mesh})`)
    .option('--announce <addr...>', 'address told to peers: HOST or HOST:PORT (NAT, several interfaces)')
    .option('--ingress <host:port>', `where the URIs of apps are served (default: ${DEFAULTS.ingress})`)
    .option('--suffix <dns>', `DNS suffix of the URIs of apps (default: ${DEFAULTS.suffix})`)
    .option('--no-mdns', 'do not look for members on the local network')
    .option('--tags <words>', 'initial tags of this node, joined by commas, to choose it by')
    .option('--operator-group <group>', 'system group whose members may read the operator token')
    .option('--config <file>', 'settings file (default: config.yaml in the data directory)')
    .addOption(new Option('--log-level <level>', 'lowest level that is logged (default: info)').choices([...LOG_LEVELS]))
    .addOption(new Option('--log-format <format>', 'form of the log on standard error').choices(['text', 'json']))
    .option('--no-log-file', 'log to standard error only')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', EXAMPLES);
}

/** Parses the command line. An invalid one is a wrong setting, too: starting again would not help. */
function parse(argv: readonly string[]): Command {
  const up = command()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    return up.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(error);
    if (error.exitCode === 0) process.exit(0);
    return fail(new DtkdError('CONFIG_INVALID', error.message.replace(/^error: /, ''), { next: 'See "dtkd up --help".' }));
  }
}

/**
 * The options given as flags. Options that exist only in negative form (`--no-mdns`) default to true; such a default must not override file
 * and variables.
 */
function flagsOf(parsed: Command): Settings & { config?: string } {
  const options = parsed.opts();
  for (const key of ['mdns', 'logFile']) {
    if (parsed.getOptionValueSource(key) === 'default') delete options[key];
  }
  return options;
}

async function run(argv: readonly string[]): Promise<void> {
  const started = performance.now();
  const parsed = parse(argv);
  let sink: LogSink | undefined;
  try {
    const config = loadConfig(flagsOf(parsed));
    const { level, format, maxBytes, keep } = config.log;
    sink = createLogger({ level, format, maxBytes, keep, file: config.log.file ? join(config.data, 'logs', 'dtkd.log') : undefined });
    for (const { name, meant } of mistypedVariables(config.environment)) {
      sink.logger.warn({ variable: name, meant }, 'An environment variable that nothing reads looks like a mistyped one');
    }
    const starting = startDaemon(config, sink.logger);
    stopOnSignal(starting, sink);
    const daemon = await starting;
    sink.logger.info({ ms: Math.round(performance.now() - started) }, 'Ready');
    process.stdout.write(`${daemon.summary()}\n`);
  } catch (error) {
    await sink?.close();
    fail(error);
  }
}

/** Stops the daemon on a signal. While it is still starting, the stop waits for the start, so that nothing is left half made. */
function stopOnSignal(starting: Promise<Daemon>, sink: LogSink): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    sink.logger.info({ signal }, 'Stopping');
    const limit = setTimeout(() => process.exit(1), STOP_LIMIT_MS);
    limit.unref();
    starting
      .then((daemon) => daemon.stop())
      .then(() => sink.logger.info({}, 'Stopped'))
      .then(() => sink.close())
      .then(() => process.exit(0), fail);
  };
  // SIGHUP: the terminal that it was started in is gone
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  // An uncaught error is a defect: log it and let the supervisor restart the daemon. Durable data is safe.
  process.on('uncaughtException', (error) => {
    sink.logger.error({ err: error }, 'Unexpected error; stopping');
    void sink.close().then(() => process.exit(1));
  });
  process.on('unhandledRejection', (reason) => {
    sink.logger.error({ err: reason }, 'A promise was rejected and nobody handled it');
  });
}

function fail(error: unknown): never {
  if (error instanceof DtkdError) {
    process.stderr.write(`error: ${error.message}\n${error.next === undefined ? '' : `next: ${error.next}\n`}`);
    process.exit(error.exitStatus);
  }
  process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
}

await run(process.argv.slice(process.argv[2] === 'up' ? 3 : 2));
