/** Names of the objects that stand for modules and their types: pure. */

/** `acme/web` of version 1.2.0 is the object `acme.web-1.2.0`. */
export function moduleObjectName(module: string, version: string): string {
  return `${module.replace('/', '.')}-${version}`;
}

/** Its assembly `web-tier` is the object `acme.web-1.2.0.web-tier`. */
export function assemblyObjectName(module: string, version: string, assembly: string): string {
  return `${moduleObjectName(module, version)}.${assembly}`;
}

/** Name of the object of a type: its own in the characters that names of objects may have. */
export function typeObjectName(type: string): string {
  return type
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
}
