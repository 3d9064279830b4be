/**
 * Prepares a command of a resource on this node, and runs it. Prepared means that its modules are here, that everything it names exists,
 * that its code is what was planned and may run, and what has to be installed first. Does not decide who may ask for it, and keeps no
 * journal.
 */

import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { BundledResource } from '../../../../../protocol/orders/bundle.ts';
import type { CommandWork } from '../../../../../protocol/orders/order.ts';
import type { CommandContext } from '../../commands/commands.types.ts';
import { runPrepared } from '../../commands/engine.ts';
import { type Prepared, prepareCommand } from '../../commands/prepare.ts';
import type { Content, Modules } from '../../dispatch.types.ts';
import { judgeCode } from '../../policy/policy-spec.ts';
import type { Install, Installer, Staged } from '../install/installer.ts';
import type { NodePolicy } from '../target.types.ts';
import type { Here } from './command-context.ts';
import { contextOf, scriptsOf, secretsOf } from './command-context.ts';
import { modulesFor } from './module-fetch.ts';
import { scriptRunner } from './scripts.ts';
import type { ReadyWork, WorkPlace, WorkResult } from './work.types.ts';

export interface CommandWorkOptions {
  here: Here;
  modules: Modules;
  content: Pick<Content, 'fetch'>;
  installer: Installer;
  now(): number;
}

/**
 * Prepares a command. Undefined if a module would have to be fetched and may not be. Errors: any reason why it may not run; nothing was
 * run.
 */
export async function readyCommand(work: CommandWork, place: WorkPlace, options: CommandWorkOptions): Promise<ReadyWork | undefined> {
  const { here, installer, now } = options;
  const { bundle: checked, output, processes, policy } = place;
  const bundle = checked?.bundle;
  const resource = bundle?.resources[0];
  if (bundle === undefined || resource === undefined) throw new DtkdError('CONTENT_MISSING', 'there is no resource bundle here');
  const modules = await modulesFor(bundle, options, place);
  if (modules === undefined) return undefined;
  const manifests = new Map([...modules].map(([digest, { manifest }]) => [digest, manifest]));
  const contextFor = (one: BundledResource) => contextOf(bundle, one, manifests, here);
  const context = contextFor(resource);
  const prepared = await prepareCommand(context, work.command, work.options);
  assertPlanned(prepared, work);
  const scripts = scriptsOf(prepared.work);
  const used = [...new Map([resource, ...scripts.map((one) => one.resource)].map((one) => [one.object, one])).values()];
  const installs: Install[] = [];
  for (const one of used) {
    const itself = one === resource && work.command === INSTALL;
    installs.push(await installer.plan({ bundle, resource: one, modules, context: contextFor(one), withCommand: !itself }));
  }
  const code = new Map([...prepared.code, ...installs.flatMap((install) => install.code)].map((ref) => [`${ref.name} ${ref.digest}`, ref]));
  const pins = judgedPins([...code.values()], policy, here);
  const all = [...scripts, ...installs.flatMap((install) => install.scripts)];
  for (const { script } of all) processes.assertAllowed(script.user);
  const staged = new Map<Install, Staged>();
  return {
    plain: prepared.work.kind === 'script' && installs.every((install) => install.command === undefined),
    secrets: secretsOf(all),
    pins,
    async ahead() {
      // errors show up again when it is done for real
      const opened = output.open().catch(() => undefined);
      for (const install of installs) {
        const files = await installer.stage(install, () => processes.fileAhead()).catch(() => undefined);
        if (files !== undefined) staged.set(install, files);
      }
      await opened;
    },
    async run({ signal, deadline }): Promise<WorkResult> {
      // by a clock that cannot be set
      const end = performance.now() + deadline - now();
      // overlaps with the rest; an error shows up again where the directory is needed
      processes.makePlace().catch(() => undefined);
      const runnerFor = (one: CommandContext, firstStep: number) =>
        scriptRunner({ processes, output, modules: options.modules, context: one }, firstStep);
      let step = 0;
      const recording: Promise<void>[] = [];
      for (const install of installs) {
        const runner = runnerFor(install.context, step);
        const { recorded, ...result } = await installer.install(
          install,
          runner,
          { signal, timeoutMs: end - performance.now() },
          staged.get(install),
        );
        step = runner.lastStep;
        if (!result.ok) return result;
        if (recorded !== undefined) recording.push(recorded);
      }
      const result = await runPrepared(prepared, runnerFor(context, step), {
        signal,
        timeoutMs: end - performance.now(),
      });
      await Promise.all(recording);
      const [own] = installs;
      return result.ok && work.command === INSTALL && own !== undefined ? installer.installed(own, result) : result;
    },
  };
}

const INSTALL = 'install';

/** Errors: CODE_CHANGED if the code is not what was planned: a changed model is not run unseen. */
function assertPlanned({ code }: Prepared, work: CommandWork): void {
  for (const { name, digest } of code) {
    const planned = Object.hasOwn(work.code, name) ? work.code[name] : undefined;
    if (planned !== digest) {
      throw new DtkdError('CODE_CHANGED', `${name} has changed since the command was planned`, { next: 'Start it again.' });
    }
  }
}

function judgedPins(code: readonly CodeRef[], policy: NodePolicy, { node, signingKey }: Here): NodePolicy['pins'] {
  const pins: [string, NodePolicy['pins'][string]][] = [];
  for (const ref of code) {
    const verdict = judgeCode(policy, { self: signingKey, here: node }, ref);
    if ('objection' in verdict) {
      throw new DtkdError(verdict.objection.code, verdict.objection.reason, { next: verdict.objection.next });
    }
    if (verdict.pin !== undefined) pins.push([verdict.pin.name, verdict.pin.value]);
  }
  return Object.fromEntries(pins);
}
