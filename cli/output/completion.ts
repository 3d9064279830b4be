/**
 * Completion scripts. They are static except for names of objects, which they get from `dtkd get KIND -o name`, and values that a command
 * itself lists. All three work alike in different dialects: find the command that the words lead to, then offer its children, flags, kinds
 * or names.
 */
import { fishScript } from './completion-fish.ts';
import { BASH_GLUE, posixCore, ZSH_GLUE } from './completion-posix.ts';
import type { CompletionNode } from './completion-tree.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

/** The script for a shell. */
export function completionScript(shell: Shell, nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  if (shell === 'fish') return fishScript(nodes, kinds);
  const core = posixCore(nodes, kinds);
  return shell === 'bash' ? core + BASH_GLUE : `#compdef dtkd\n${core}${ZSH_GLUE}`;
}
