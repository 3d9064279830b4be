/**
 * Variables by which whoever sets them has their own code loaded into a program. Between the daemon and a process of another user stand programs that have
 * rights of the daemon: those must not see them, and the process shall. Pure.
 */
import { SHELL } from './wrapper.ts';

/** Of the loader and the C library (what they ignore themselves where a program has more rights than its caller), and of shells. */
const LOADED =
  /^(LD_.*|GLIBC_.*|MALLOC_.*|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|MUSL_LOCPATH|NIS_PATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TZDIR|BASH.*|SHELLOPTS|PS4|ENV)$/;
/** They wait under names that mean nothing to anybody. */
const HELD = '_DTKD_HELD_';

/** An environment in which such variables wait, and what goes before the program, once the rights are given up, to bring them back. */
export function holdVariables(env: Readonly<Record<string, string>>): { env: Record<string, string>; prefix: string[] } {
  const held = Object.keys(env).filter((name) => LOADED.test(name));
  if (held.length === 0) return { env: { ...env }, prefix: [] };
  const others = Object.entries(env).filter(([name]) => !LOADED.test(name) && !name.startsWith(HELD));
  const waiting = held.map((name, index) => [`${HELD}${index}`, env[name] ?? ''] as const);
  // the names are those of variables, so that nothing in this text has to be quoted
  const back = held.map((name, index) => `${name}=$${HELD}${index}; export ${name}; unset ${HELD}${index};`);
  return { env: Object.fromEntries([...others, ...waiting]), prefix: [SHELL, '-c', `${back.join(' ')} exec "$@"`, 'dtkd'] };
}
