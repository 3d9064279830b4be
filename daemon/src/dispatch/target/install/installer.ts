/**
 * Installs resources on this node when a command first needs them: their directories, facts and templates, and, once, the `install`
 * command of their types. If that failed, the next command tries again. Commands that need the same resource install it one after the
 * other.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { RESOURCE_JSON } from '../../../../../protocol/modules/template-check.ts';
import type { Bundle, BundledResource } from '../../../../../protocol/orders/bundle.ts';
import type {
  CommandContext,
  CommandResult,
  ReadyScript,
  ResolvedCommand,
  RunLimits,
  ScriptRunner,
} from '../../commands/commands.types.ts';
import { runPrepared } from '../../commands/engine.ts';
import { type Prepared, prepareCommand } from '../../commands/prepare.ts';
import { resolveCommand } from '../../commands/resolve-command.ts';
import { scriptsOf } from '../work/command-context.ts';
import type { HeldModule } from '../work/module-fetch.ts';
import type { DeploymentFacts } from './deployment-object.ts';
import type { Down, Installations } from './installed.ts';
import type { InstallRow } from './installed-rows.ts';
import { fileDigests, filesDigest, placeFiles, type StagedFile, stageFiles, type WantedFile, writeFiles } from './resource-files.ts';
import { removeWritten } from './resource-removal.ts';
import { ResourceTurns } from './resource-turns.ts';
import { templateCode, wantedFiles } from './wanted-files.ts';

/** The command of a type that runs on first deployment. */
const INSTALL = 'install';
/** Only as much is written ahead of a turn as the facts about a resource and a few templates need. */
const MAX_STAGED_BYTES = 256 * 1024;
const MAX_STAGED_FILES = 16;

export interface Install {
  bundle: Bundle;
  resource: BundledResource;
  context: CommandContext;
  directory: string;
  files: readonly WantedFile[];
  /** The install command, if it has to run. */
  command: Prepared | undefined;
  scripts: readonly Pick<ReadyScript, 'resource' | 'script'>[];
  /** Code that it runs, or from which it makes files. */
  code: readonly CodeRef[];
}

/** Files of an install that were written ahead. */
export interface Staged {
  /** Digest of the files that were in place at that time. */
  upon: string | undefined;
  files: readonly StagedFile[];
}

export interface InstallRequest {
  bundle: Bundle;
  resource: BundledResource;
  modules: ReadonlyMap<string, HeldModule>;
  context: CommandContext;
  /** False if the request is for the install command itself. */
  withCommand: boolean;
}

export class Installer {
  readonly #installations: Installations;
  readonly #node: string;
  readonly #now: () => number;
  readonly #turns = new ResourceTurns();

  constructor(installations: Installations, node: string, now: () => number) {
    this.#installations = installations;
    this.#node = node;
    this.#now = now;
  }

  /** Plans the installation of a resource. Errors: INVALID, CONTENT_MISSING. */
  async plan({ bundle, resource, modules, context, withCommand }: InstallRequest): Promise<Install> {
    const directory = context.directoryOf(resource);
    const files = wantedFiles(bundle, resource, modules, { node: this.#node, directory });
    const wanted = withCommand && hasCommand({ context, resource }) && !(await this.#isInstalled(bundle, resource));
    const command = wanted ? await prepareCommand(context, installOf(context, resource), {}) : undefined;
    return {
      bundle,
      resource,
      context,
      directory,
      files,
      command,
      scripts: command === undefined ? [] : scriptsOf(command.work),
      code: [...(command?.code ?? []), ...templateCode(bundle, resource.type, modules)],
    };
  }

  /**
   * Writes files ahead of `install`, which puts them in place, at paths given by `place`. Changes nothing of the resource. Undefined if
   * there is nothing to write, or if it can only be written during the installation.
   */
  async stage({ bundle, resource, directory, files }: Install, place: () => Promise<string>): Promise<Staged | undefined> {
    if (files.length > MAX_STAGED_FILES || files.reduce((sum, { content }) => sum + content.length, 0) > MAX_STAGED_BYTES) return undefined;
    const upon = (await this.#known(bundle, resource))?.files;
    if (upon === filesDigest(files)) return undefined;
    return stageFiles(directory, files, place).then(
      (staged) => ({ upon, files: staged }),
      () => undefined,
    );
  }

  /**
   * Installs what is not installed yet. A result that is not ok says what went wrong. If only files were written, recording that overlaps
   * with the command: without the record they are written again next time.
   */
  async install(
    install: Install,
    runner: ScriptRunner,
    limits: RunLimits,
    staged?: Staged,
  ): Promise<CommandResult & { recorded?: Promise<void> }> {
    const { bundle, resource } = install;
    return this.#turns.inTurn(`${bundle.owner}/${resource.object}`, limits, async (left) => {
      const known = await this.#known(bundle, resource);
      const digest = filesDigest(install.files);
      const there = known?.files === digest && (await isThere(install.directory));
      const needed = known?.installed === true ? undefined : install.command;
      if (there && needed === undefined) return { ok: true, exitStatus: 0 };
      try {
        if (!there) await write(install, known?.files === staged?.upon ? staged : undefined);
      } catch (error) {
        return this.#failed(install, refusalOf(error));
      }
      if (needed === undefined) {
        const installed = known?.installed === true || !hasCommand(install);
        const recorded = this.#record(install, digest, { installed, phase: 'Installed' }).catch(() => undefined);
        // what was taken down is forgotten in time, and its directory removed, unless it says that it is here again
        if (known?.down !== undefined) await recorded;
        return { ok: true, exitStatus: 0, recorded };
      }
      try {
        await this.#record(install, digest, { installed: false, phase: 'Installing' });
      } catch (error) {
        return this.#failed(install, refusalOf(error));
      }
      const result = await runPrepared(needed, runner, left);
      return result.ok ? this.installed(install, result) : this.#failed(install, result, digest);
    });
  }

  /** Records that the install command succeeded with `result`. Returns a failure if that cannot be recorded: the command will run again. */
  async installed(install: Install, result: CommandResult): Promise<CommandResult> {
    try {
      await this.#record(install, filesDigest(install.files), { installed: true, phase: 'Installed' });
      return result;
    } catch (error) {
      const { type, name } = install.resource;
      const refusal = refusalOf(error);
      return { ...refusal, reason: `install of ${type}/${name} succeeded, but could not be recorded: ${refusal.reason}` };
    }
  }

  /**
   * Forgets a resource that was taken down, and removes its directory if dtkd wrote all that is in it. Does nothing if the resource is
   * being installed, or `isBusy`. Returns what else its directory has, for which it stays.
   */
  async forget(down: Down, directory: string, isBusy: () => boolean): Promise<string | undefined> {
    let left: string | undefined;
    const atOnce = { signal: new AbortController().signal, timeoutMs: 0 };
    await this.#turns.inTurn(`${down.owner}/${down.object}`, atOnce, async () => {
      if (isBusy()) return { ok: true };
      // first, so that a daemon that dies in between comes back to it
      const found = await removeWritten(directory, down.written);
      if (await this.#installations.forget(down, isBusy)) left = found;
      return { ok: true };
    });
    return left;
  }

  async #isInstalled(bundle: Bundle, resource: BundledResource): Promise<boolean> {
    return (await this.#known(bundle, resource))?.installed === true;
  }

  /** How far this very resource is installed, not an earlier one of the same name. */
  async #known({ owner }: Bundle, { object, uid }: BundledResource): Promise<InstallRow | undefined> {
    const state = await this.#installations.state(owner, object);
    return state?.uid === uid ? state : undefined;
  }

  async #failed(install: Install, result: CommandResult, digest = ''): Promise<CommandResult> {
    const { type, name } = install.resource;
    const reason = `install of ${type}/${name} failed: ${result.reason ?? 'it did not succeed'}`;
    // the result is returned even if it cannot be recorded
    await this.#record(install, digest, { installed: false, phase: 'Failed', message: reason }).catch(() => undefined);
    return { ...result, ok: false, reason };
  }

  #record(
    { bundle, resource, directory, code, files: wanted }: Install,
    files: string,
    { installed, phase, message }: { installed: boolean; phase: DeploymentFacts['phase']; message?: string },
  ): Promise<void> {
    const owner = { node: bundle.ownerName, key: bundle.owner };
    const facts = { owner, resource, revision: bundle.revision, directory, code, phase, at: this.#now(), message };
    return this.#installations.record(facts, { uid: resource.uid, files, installed, written: fileDigests(wanted) });
  }
}

/** Puts staged files in place. If that is not possible, writes all files. */
async function write({ directory, files }: Install, staged: Staged | undefined): Promise<void> {
  if (staged === undefined) return writeFiles(directory, files);
  await placeFiles(directory, staged.files).catch(() => writeFiles(directory, files));
}

/** The install command, which may be private, since no user asks for it. */
function installOf(context: CommandContext, { type }: BundledResource): ResolvedCommand {
  return resolveCommand(context.chainOf(type), INSTALL, { inside: true });
}

function hasCommand({ context, resource }: Pick<Install, 'context' | 'resource'>): boolean {
  return context.chainOf(resource.type).some(({ commands }) => Object.hasOwn(commands, INSTALL));
}

async function isThere(directory: string): Promise<boolean> {
  return stat(join(directory, RESOURCE_JSON)).then(
    (info) => info.isFile(),
    () => false,
  );
}

function refusalOf(error: unknown): CommandResult & { reason: string } {
  const { code, message } = error instanceof DtkdError ? error : new DtkdError('INTERNAL', 'something went wrong in dtkd');
  return { ok: false, error: { code, message }, reason: message };
}
