/** Names of the objects for modules, assemblies and types. Pure. */

/** Version 1.2.0 of `acme/web` is the object `acme.web-1.2.0`. */
export function moduleObjectName(module: string, version: string): string {
  return `${module.replace('/', '.')}-${version}`;
}

/** The assembly `web-tier` of that module is the object `acme.web-1.2.0.web-tier`. */
export function assemblyObjectName(module: string, version: string, assembly: string): string {
  return `${moduleObjectName(module, version)}.${assembly}`;
}

/** Object name of a type: the type's name, reduced to the characters that object names may have. */
export function typeObjectName(type: string): string {
  return type
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
}
