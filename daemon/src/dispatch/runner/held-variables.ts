/**
 * Hides environment variables that make a program load code of whoever sets them. Between the daemon and a process of another user run
 * programs with rights of the daemon: these must not see such variables, but the process must. Pure.
 */
import { SHELL } from './wrapper.ts';

/**
 * Variables of the loader and the C library (those that they ignore themselves in a program with more rights than its caller), and of
 * shells.
 */
const LOADED =
  /^(LD_.*|GLIBC_.*|MALLOC_.*|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|MUSL_LOCPATH|NIS_PATH|NLSPATH|RESOLV_HOST_CONF|RES_OPTIONS|TZDIR|BASH.*|SHELLOPTS|PS4|ENV)$/;
/** Prefix of the harmless names that hidden variables get. */
const HELD = '_DTKD_HELD_';

/**
 * Returns an environment in which such variables are renamed, and the command to put before the program to restore them once the rights
 * are dropped.
 */
export function holdVariables(env: Readonly<Record<string, string>>): { env: Record<string, string>; prefix: string[] } {
  const held = Object.keys(env).filter((name) => LOADED.test(name));
  if (held.length === 0) return { env: { ...env }, prefix: [] };
  const others = Object.entries(env).filter(([name]) => !LOADED.test(name) && !name.startsWith(HELD));
  const waiting = held.map((name, index) => [`${HELD}${index}`, env[name] ?? ''] as const);
  // Every name is a valid variable name, so nothing in this text needs quoting.
  const back = held.map((name, index) => `${name}=$${HELD}${index}; export ${name}; unset ${HELD}${index};`);
  return { env: Object.fromEntries([...others, ...waiting]), prefix: [SHELL, '-c', `${back.join(' ')} exec "$@"`, 'dtkd'] };
}
