/**
 * Names of what belongs to one service instance: `WebServer@shop` is the type WebServer in the copy of the instance `shop`, and
 * `acme/web@shop` the code of that copy. The part before the `@` is the bare name, as in a module's manifest. Pure.
 */
import { typeObjectName } from './names.ts';

const SCOPE = '@';
/** Does not occur in names of modules or instances. */
const LEFT = '.';

/** `WebServer`, `shop` → `WebServer@shop`. */
export function scopedType(bare: string, instance: string): string {
  return `${bare}${SCOPE}${instance}`;
}

/** Returns a type's name as its module spells it. */
export function bareType(name: string): string {
  return bareOf(name);
}

/** Returns the service instance that a type belongs to; undefined for a type of the node itself. */
export function instanceOfType(name: string): string | undefined {
  return instanceOf(name);
}

/** Object name of a type: `shop.webserver` for `WebServer@shop`. */
export function typeObjectNameOf(name: string): string {
  const instance = instanceOfType(name);
  const object = typeObjectName(bareType(name));
  return instance === undefined ? object : `${instance}.${object}`;
}

/** `acme/web`, `shop` → `acme/web@shop`. */
export function scopedCode(module: string, instance: string): string {
  return `${module}${SCOPE}${instance}`;
}

/** Returns the name of the module that this code is a copy of. */
export function bareCode(name: string): string {
  return bareOf(name);
}

/** Returns the service instance that code belongs to; undefined for a module itself. */
export function instanceOfCode(name: string): string | undefined {
  return instanceOf(name)?.split(LEFT, 1)[0];
}

/**
 * Name for what is left of a copy after newer code has taken its name: `acme/web@shop`, `0.0.3` → `acme/web@shop.3`. Nodes only follow a
 * name to newer code, and what is left must run beside that.
 */
export function leftCode(name: string, version: string): string {
  return `${name}${LEFT}${version.slice(version.lastIndexOf('.') + 1)}`;
}

/** True for a name made by `leftCode`. */
export function isLeftCode(name: string): boolean {
  return name.includes(LEFT);
}

/** True if `wanted` refers to the type `name`, ignoring case. Without an instance, it refers to the type of that name in any instance. */
export function meansType(wanted: string, name: string): boolean {
  const [asked, given] = [wanted.toLowerCase(), name.toLowerCase()];
  return asked === given || asked === bareOf(given);
}

function bareOf(name: string): string {
  const at = name.indexOf(SCOPE);
  return at < 0 ? name : name.slice(0, at);
}

function instanceOf(name: string): string | undefined {
  const at = name.indexOf(SCOPE);
  return at < 0 ? undefined : name.slice(at + 1);
}
