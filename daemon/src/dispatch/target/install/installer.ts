/**
 * Installs resources on this node when a command first needs them: their directories, what is known of them, templates, and the `install` command of
 * their types, once. One that failed is tried again by the next command. Two commands that need the same resource install it one after the other.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodeRef } from '../../../../../protocol/code.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Bundle, BundledResource } from '../../../../../protocol/orders/bundle.ts';
import type { CommandContext, CommandResult, ReadyScript, RunLimits, ScriptRunner } from '../../commands/commands.types.ts';
import { runPrepared } from '../../commands/engine.ts';
import { type Prepared, prepareCommand } from '../../commands/prepare.ts';
import { scriptsOf } from '../work/command-context.ts';
import type { HeldModule } from '../work/module-fetch.ts';
import type { DeploymentFacts } from './deployment-object.ts';
import type { Installations } from './installed.ts';
import { filesDigest, type WantedFile, writeFiles } from './resource-files.ts';
import { templateCode, wantedFiles } from './wanted-files.ts';

/** The command of a type that is run on first deployment. */
const INSTALL = 'install';

export interface Install {
  bundle: Bundle;
  resource: BundledResource;
  context: CommandContext;
  directory: string;
  files: readonly WantedFile[];
  /** The install command, if it has to be run. */
  command: Prepared | undefined;
  scripts: readonly Pick<ReadyScript, 'resource' | 'script'>[];
  /** Code that it runs or makes files of. */
  code: readonly CodeRef[];
}

export interface InstallRequest {
  bundle: Bundle;
  resource: BundledResource;
  modules: ReadonlyMap<string, HeldModule>;
  context: CommandContext;
  /** False: the install command is what was asked for itself. */
  withCommand: boolean;
}

export class Installer {
  readonly #installations: Installations;
  readonly #node: string;
  readonly #now: () => number;
  readonly #locks = new Map<string, Promise<unknown>>();

  constructor(installations: Installations, node: string, now: () => number) {
    this.#installations = installations;
    this.#node = node;
    this.#now = now;
  }

  /** What installing it comes to. Errors: INVALID, CONTENT_MISSING. */
  async plan({ bundle, resource, modules, context, withCommand }: InstallRequest): Promise<Install> {
    const directory = context.directoryOf(resource);
    const files = wantedFiles(bundle, resource, modules, { node: this.#node, directory });
    const wanted = withCommand && hasCommand({ context, resource }) && !(await this.#isInstalled(bundle, resource));
    const command = wanted ? await prepareCommand(context, INSTALL, {}) : undefined;
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
   * Installs what is not installed yet. A result that is not well says what went wrong. Files alone are recorded while the command runs already: whoever finds no record
   * writes them again.
   */
  async install(install: Install, runner: ScriptRunner, limits: RunLimits): Promise<CommandResult & { recorded?: Promise<void> }> {
    const { bundle, resource } = install;
    return this.#alone(`${bundle.owner}/${resource.object}`, async () => {
      const state = await this.#installations.state(bundle.owner, resource.object);
      const known = state?.uid === resource.uid ? state : undefined;
      const digest = filesDigest(install.files);
      const there = known?.files === digest && (await isThere(install.directory));
      const needed = known?.installed === true ? undefined : install.command;
      if (there && needed === undefined) return { ok: true, exitStatus: 0 };
      try {
        if (!there) await writeFiles(install.directory, install.files);
      } catch (error) {
        return this.#failed(install, refusalOf(error));
      }
      if (needed === undefined) {
        const installed = known?.installed === true || !hasCommand(install);
        const recorded = this.#record(install, digest, { installed, phase: 'Installed' }).catch(() => undefined);
        return { ok: true, exitStatus: 0, recorded };
      }
      await this.#record(install, digest, { installed: false, phase: 'Installing' });
      const result = await runPrepared(needed, runner, limits);
      if (!result.ok) return this.#failed(install, result, digest);
      await this.#record(install, digest, { installed: true, phase: 'Installed' });
      return result;
    });
  }

  /** Its install command was run by itself, and went well. */
  async installed(install: Install): Promise<void> {
    await this.#record(install, filesDigest(install.files), { installed: true, phase: 'Installed' });
  }

  async #isInstalled({ owner }: Bundle, { object, uid }: BundledResource): Promise<boolean> {
    const state = await this.#installations.state(owner, object);
    return state?.installed === true && state.uid === uid;
  }

  async #failed(install: Install, result: CommandResult, digest = ''): Promise<CommandResult> {
    const { type, name } = install.resource;
    const reason = `install failed of ${type}/${name}: ${result.reason ?? 'it did not end well'}`;
    await this.#record(install, digest, { installed: false, phase: 'Failed', message: reason });
    return { ...result, ok: false, reason };
  }

  #record(
    { bundle, resource, directory, code }: Install,
    files: string,
    { installed, phase, message }: { installed: boolean; phase: DeploymentFacts['phase']; message?: string },
  ): Promise<void> {
    const owner = { node: bundle.ownerName, key: bundle.owner };
    const facts = { owner, resource, revision: bundle.revision, directory, code, phase, at: this.#now(), message };
    return this.#installations.record(facts, { uid: resource.uid, files, installed });
  }

  /** One after another for each resource. */
  async #alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#locks.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#locks.get(key) === settled) this.#locks.delete(key);
    }
  }
}

function hasCommand({ context, resource }: Pick<Install, 'context' | 'resource'>): boolean {
  return context.chainOf(resource.type).some(({ commands }) => Object.hasOwn(commands, INSTALL));
}

async function isThere(directory: string): Promise<boolean> {
  return stat(join(directory, 'var/resource.json')).then(
    (info) => info.isFile(),
    () => false,
  );
}

function refusalOf(error: unknown): CommandResult {
  const { code, message } = error instanceof DtkdError ? error : new DtkdError('INTERNAL', 'something went wrong in dtkd');
  return { ok: false, error: { code, message }, reason: message };
}
