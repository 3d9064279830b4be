/** Everything that `dtkd doctor` finds: its own checks of this machine, and those of the daemon. */
import { DtkdError } from '../../protocol/errors.ts';
import { type CheckState, checkup, type Finding, worstFirst } from '../../protocol/requests/checkup.ts';
import type { Cli } from '../cli.ts';
import { type ConnectionFlags, dataDirectory } from '../config.ts';
import { ownVersion } from '../version.ts';
import { judgeLocal } from './checks.ts';
import { gatherLocal } from './gathering.ts';
import type { LocalFacts } from './local.types.ts';

/** The daemon's own checks end within six seconds; this leaves time for slow machines. Milliseconds. */
const ASK_MS = 12_000;
/** Codes of errors that mean that no usable answer came back. */
const SILENT: ReadonlySet<string> = new Set(['DAEMON_UNREACHABLE', 'TIMEOUT', 'NOT_DTKD']);

export interface Examined {
  /** The worst state of all findings. */
  state: CheckState;
  /** This node's name, if its daemon answered. */
  node: string | undefined;
  /** Worst first. */
  findings: Finding[];
}

/**
 * Examines this machine and asks the daemon. Errors: those of reaching a daemon, if one elsewhere was named (`--url`) and does not answer.
 */
export async function examine(cli: Cli, flags: ConnectionFlags): Promise<Examined> {
  const dataDir = await dataDirectory(flags);
  const local = await gatherLocal(dataDir, await ownVersion());
  const asked = dataDir === undefined || local.daemon?.alive === true ? await ask(cli) : undefined;
  if (asked !== undefined && 'error' in asked && dataDir === undefined) throw asked.error;
  const daemon = asked !== undefined && 'findings' in asked ? asked : undefined;
  const theirs = daemon?.findings ?? [];
  const own = judgeLocal({ ...local, answer: answerOf(asked) });
  // some checks, such as that of the disk, are made by both
  const findings = worstFirst([...own.filter(({ check }) => !theirs.some((one) => one.check === check)), ...theirs]);
  return { state: findings[0]?.state ?? 'ok', node: daemon?.node, findings };
}

type Asked = { node: string; version: string; findings: Finding[] } | { error: unknown };

async function ask(cli: Cli): Promise<Asked> {
  const limit = AbortSignal.timeout(ASK_MS);
  try {
    const client = await cli.client();
    const answer = checkup.safeParse(await client.daemon('GET', 'checkup', undefined, limit));
    if (answer.success) return answer.data;
    return {
      error: new DtkdError('NOT_DTKD', 'this dtkd does not understand the answer of the daemon', {
        next: 'Use the dtkd that was installed with it.',
      }),
    };
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'NOT_FOUND') {
      return {
        error: new DtkdError('NOT_FOUND', 'it is older than this command', {
          next: 'Restart it: after an upgrade the old program runs on.',
          cause: error,
        }),
      };
    }
    return { error: limit.aborted ? new DtkdError('TIMEOUT', `it did not end its checks within ${ASK_MS / 1000} seconds`) : error };
  }
}

function answerOf(asked: Asked | undefined): LocalFacts['answer'] {
  if (asked === undefined) return undefined;
  if ('findings' in asked) return { version: asked.version };
  const { error } = asked;
  const known = error instanceof DtkdError;
  return {
    error: error instanceof Error ? error.message : String(error),
    silent: !known || SILENT.has(error.code),
    next: known ? error.next : undefined,
  };
}
