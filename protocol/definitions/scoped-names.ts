/**
 * Names of what belongs to one service instance: `WebServer@shop` is the type WebServer of the copy that the instance `shop` has, `acme/web@shop` the
 * code of that copy. What stands before the `@` is the bare name, as a module's manifest has it. Pure.
 */
import { typeObjectName } from './names.ts';

const SCOPE = '@';
/** Neither modules nor instances have it in their names. */
const LEFT = '.';

/** `WebServer`, `shop` → `WebServer@shop`. */
export function scopedType(bare: string, instance: string): string {
  return `${bare}${SCOPE}${instance}`;
}

/** The name as the module spells it. */
export function bareType(name: string): string {
  return bareOf(name);
}

/** The service instance that a type is of; undefined for one of the node itself. */
export function instanceOfType(name: string): string | undefined {
  return instanceOf(name);
}

/** Name of the object of a type: `shop.webserver` of `WebServer@shop`. */
export function typeObjectNameOf(name: string): string {
  const instance = instanceOfType(name);
  const object = typeObjectName(bareType(name));
  return instance === undefined ? object : `${instance}.${object}`;
}

/** `acme/web`, `shop` → `acme/web@shop`. */
export function scopedCode(module: string, instance: string): string {
  return `${module}${SCOPE}${instance}`;
}

/** The name of the module that a copy is of. */
export function bareCode(name: string): string {
  return bareOf(name);
}

/** The service instance that code is a copy of; undefined for a module itself. */
export function instanceOfCode(name: string): string | undefined {
  return instanceOf(name)?.split(LEFT, 1)[0];
}

/**
 * What is left of a copy whose name newer code has by now: `acme/web@shop`, `0.0.3` → `acme/web@shop.3`. Nodes follow a name forward only, and what is left has to be
 * run beside the newer code.
 */
export function leftCode(name: string, version: string): string {
  return `${name}${LEFT}${version.slice(version.lastIndexOf('.') + 1)}`;
}

/** True for a name that `leftCode` has made. */
export function isLeftCode(name: string): boolean {
  return name.includes(LEFT);
}

/** True if somebody who writes `wanted` means the type `name`: without an instance that of any, without regard to case. */
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
