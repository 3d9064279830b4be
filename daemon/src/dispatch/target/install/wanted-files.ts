/** The files that a resource's directory should have: the facts about it, and the templates of its types. Pure. */
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import type { Template } from '../../../../../protocol/definitions/commands.ts';
import { bareType } from '../../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { RESOURCE_JSON, RESOURCE_PROPERTIES } from '../../../../../protocol/modules/template-check.ts';
import type { Bundle, BundledResource } from '../../../../../protocol/orders/bundle.ts';
import { bundledChain } from '../../../../../protocol/orders/signed-bundle.ts';
import { expand } from '../../commands/expand.ts';
import type { HeldModule } from '../work/module-fetch.ts';
import { jsonText, propertiesText, type ResourceFacts } from './properties-file.ts';
import type { WantedFile } from './resource-files.ts';

/** Templates of a resource's types by their destination: the nearest type takes precedence. */
function templatesOf(
  bundle: Bundle,
  type: string,
  modules: ReadonlyMap<string, HeldModule>,
): Map<string, { template: Template; code: CodeRef; module: HeldModule }> {
  const found = new Map<string, { template: Template; code: CodeRef; module: HeldModule }>();
  for (const { name, code } of bundledChain(bundle.types, type)) {
    const module = code === undefined ? undefined : modules.get(code.digest);
    if (code === undefined || module === undefined) continue;
    const types = Object.entries(module.manifest.types ?? {});
    const own = types.find(([one]) => one.toLowerCase() === bareType(name).toLowerCase())?.[1];
    for (const template of own?.templates ?? []) if (!found.has(template.to)) found.set(template.to, { template, code, module });
  }
  return found;
}

/** Code whose templates produce files of the resource. */
export function templateCode(bundle: Bundle, type: string, modules: ReadonlyMap<string, HeldModule>): CodeRef[] {
  return [...templatesOf(bundle, type, modules).values()].map(({ code }) => code);
}

/** Errors: INVALID for a template that refers to nothing, CONTENT_MISSING for one that its module does not have. */
export function wantedFiles(
  bundle: Bundle,
  resource: BundledResource,
  modules: ReadonlyMap<string, HeldModule>,
  { node, directory }: { node: string; directory: string },
): WantedFile[] {
  const types = bundledChain(bundle.types, resource.type).map(({ name }) => name);
  const facts: ResourceFacts = { resource, types, owner: { node: bundle.ownerName, key: bundle.owner }, directory, node };
  const { name, type, model, properties } = resource;
  const scope = { options: {}, properties, resource: { name, type: bareType(type), model, directory }, node: { name: node } };
  const made = [...templatesOf(bundle, resource.type, modules).values()].map(({ template, module }): WantedFile => {
    const file = module.archive.files.find(({ path }) => path === template.from);
    if (file === undefined) throw new DtkdError('CONTENT_MISSING', `the module ${module.manifest.module} has no template ${template.from}`);
    try {
      const content = Buffer.from(expand(Buffer.from(file.data).toString('utf8'), scope), 'utf8');
      return { path: template.to, content, executable: template.executable === true };
    } catch (error) {
      if (!(error instanceof DtkdError)) throw error;
      throw new DtkdError(
        error.code,
        `the template ${template.from}: ${error.message}`,
        error.next === undefined ? {} : { next: error.next },
      );
    }
  });
  const own: WantedFile[] = [
    { path: RESOURCE_PROPERTIES, content: Buffer.from(propertiesText(facts), 'latin1'), executable: false },
    { path: RESOURCE_JSON, content: Buffer.from(jsonText(facts), 'utf8'), executable: false },
  ];
  return [...own, ...made.filter(({ path }) => !own.some((one) => one.path === path))];
}
