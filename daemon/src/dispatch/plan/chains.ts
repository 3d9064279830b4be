/** The types of a bundle with their commands, including those defined in modules. Pure. */
import type { ModuleManifest } from '../../../../protocol/definitions/module.ts';
import { bareCode, bareType } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Bundle, BundledType } from '../../../../protocol/orders/bundle.ts';
import { bundledChain } from '../../../../protocol/orders/signed-bundle.ts';
import type { CommandType } from '../commands/commands.types.ts';

/** Digests of the modules that the types of a bundle come from, each once. */
export function modulesOf({ types }: Pick<Bundle, 'types'>): string[] {
  return [...new Set(Object.values(types).flatMap(({ code }) => (code === undefined || isInline(code.name) ? [] : [code.digest])))];
}

function isInline(codeName: string): boolean {
  return codeName.startsWith('type/');
}

/**
 * Returns a function that gives the inheritance chain of a type, nearest first. Errors: CONTENT_ALTERED if a type is not in the bundle,
 * or not in its module.
 */
export function chainsOf(
  { types }: Pick<Bundle, 'types'>,
  manifests: ReadonlyMap<string, ModuleManifest>,
): (type: string) => readonly CommandType[] {
  const known = new Map<string, readonly CommandType[]>();
  return (type) => {
    const key = type.toLowerCase();
    const chain = known.get(key) ?? bundledChain(types, type).map((one) => withCommands(one, manifests));
    known.set(key, chain);
    return chain;
  };
}

function withCommands({ name, code, commands }: BundledType, manifests: ReadonlyMap<string, ModuleManifest>): CommandType {
  if (code === undefined || isInline(code.name)) return { name, commands: commands ?? {}, code };
  const manifest = manifests.get(code.digest);
  const type = Object.entries(manifest?.types ?? {}).find(([one]) => one.toLowerCase() === bareType(name).toLowerCase())?.[1];
  if (manifest === undefined || type === undefined || manifest.module !== bareCode(code.name)) {
    throw new DtkdError('CONTENT_ALTERED', `the type ${name} is not in the module ${code.name}, from which it should come`, {
      next: 'Install the module again on the node that owns the model: dtkd module install.',
    });
  }
  return { name, commands: type.commands ?? {}, code };
}
