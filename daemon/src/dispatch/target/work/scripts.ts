/**
 * A ScriptRunner that runs the scripts of commands as processes on this node. Finds their text, in a module or in the command itself, and
 * passes the environment and secrets that they may see.
 */
import { constants } from 'node:fs';
import { access, open, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Script } from '../../../../../protocol/definitions/commands.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { LogLevel } from '../../../../../protocol/orders/records.ts';
import type { CommandContext, ReadyScript, ScriptResult, ScriptRunner } from '../../commands/commands.types.ts';
import { environmentOf } from '../../commands/environment.ts';
import { fileError } from '../../content/file-error.ts';
import type { Modules } from '../../dispatch.types.ts';
import type { PartOutput } from '../output.ts';
import { argvOf } from './argv.ts';
import { secretName } from './command-context.ts';
import type { Processes } from './processes.ts';
import { scriptBeside } from './run-names.ts';

/** Bytes of a file that are read to find out what runs it. */
const HEAD_BYTES = 256;

export interface ScriptsOptions {
  processes: Processes;
  output: PartOutput;
  modules: Pick<Modules, 'directory'>;
  context: CommandContext;
}

/** `firstStep`: the last step number already used in the same part. */
export function scriptRunner(options: ScriptsOptions, firstStep = 0): ScriptRunner & { readonly lastStep: number } {
  const { processes, output, modules, context } = options;
  let lastStep = firstStep;
  return {
    get lastStep() {
      return lastStep;
    },

    async run(ready, limits): Promise<ScriptResult> {
      const { resource, script, command, options: given } = ready;
      const step = firstStep + ready.step;
      lastStep = Math.max(lastStep, step);
      const source = { step, command };
      const room = await processes.room(source);
      const found = await textOf(ready, room, modules);
      if (script.inline !== undefined && script.user !== undefined) await writeScript(found.path, script.inline);
      const directory = context.directoryOf(resource);
      const cwd = script.directory ?? directory;
      if (script.user !== undefined) await processes.give(script.user, { file: found.path, own: script.inline !== undefined, directory });
      return processes.run(
        {
          source,
          argv: argvOf(script, found),
          env: { DTKD_NODE_EXECUTABLE: process.execPath, ...environmentOf(context, resource, given), ...script.env },
          cwd,
          user: script.user,
          // read by no other user: they get no further than the data directory
          script: script.inline === undefined || script.user !== undefined ? undefined : { path: found.path, text: script.inline },
          secrets: (script.secrets ?? []).flatMap((use) => secretOf(ready, use) ?? []),
        },
        room,
        limits,
      );
    },

    log(level: LogLevel, step: number, command: string, text: string): void {
      void output.log(level, { step: step === 0 ? 0 : firstStep + step, command }, text);
    },
  };
}

type SecretUse = NonNullable<Script['secrets']>[number];

/** Undefined for an optional secret whose property the resource does not have. */
function secretOf({ resource }: ReadyScript, use: SecretUse): { name: string; as: 'file' | 'env'; variable: string } | undefined {
  const name = secretName(resource, use);
  if (name !== undefined) return { name, as: use.as ?? 'file', variable: use.variable };
  if (use.optional === true && use.property !== undefined && !Object.hasOwn(resource.properties, use.property)) return undefined;
  throw new DtkdError('INVALID', `the property "${use.property ?? ''}" of ${resource.type}/${resource.name} names no secret`, {
    next: 'Set it to the name of a Secret of the node on which the command runs.',
  });
}

/** The file of a script: in its module, or to be written for this run only. */
async function textOf({ script, code, command }: ReadyScript, room: string, modules: Pick<Modules, 'directory'>) {
  if (script.inline !== undefined) {
    return { path: scriptBeside(room), content: Buffer.from(script.inline, 'utf8'), executable: false };
  }
  if (script.file === undefined || code === undefined || code.name.startsWith('type/')) {
    throw new DtkdError('INVALID', `the script of "${command}" is a file, but its type comes from no module`);
  }
  const directory = await modules.directory(code.digest);
  const path = join(directory, script.file);
  if (!path.startsWith(directory + sep)) throw new DtkdError('INVALID', `the script of "${command}" is outside of its module`);
  return { path, ...(await headOf(path, script.file)) };
}

/** Errors: DISK_FULL and the like. */
async function writeScript(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o700 }).catch((error: unknown) => {
    throw fileError(error, path);
  });
}

async function headOf(path: string, shown: string): Promise<{ content: Uint8Array; executable: boolean }> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new DtkdError('CONTENT_MISSING', `the module has no file ${shown}`, { cause });
  });
  try {
    const buffer = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    return { content: buffer.subarray(0, bytesRead), executable };
  } finally {
    await file.close();
  }
}
