/** The flags that choose nodes, shared by `ctl`, `run`, `exec` and others. The daemon interprets their values. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { NodeFilter } from '../../protocol/kinds/execution.ts';

/** A filter that matches every node. */
export const ALL_NODES = '.*';

export interface FilterFlags {
  include: string;
  exclude: string;
}

const SEED_FLAGS: FilterFlags = { include: '-I, --nodes <filter>', exclude: '-X, --xnodes <filter>' };

/** Adds the flags. Returns a function that gives the filter once the command line has been parsed, or undefined if no flag was given. */
export function addNodeFilter(command: Command, flags: FilterFlags = SEED_FLAGS): () => NodeFilter | undefined {
  const include: string[] = [];
  const exclude: string[] = [];
  let precedence: boolean | undefined;
  command
    .option(
      flags.include,
      "nodes to include: a host name, a list, a regular expression, or KEY=VALUE, e.g. 'osfamily=unix' or 'tags=web+prod'",
      (text) => {
        include.push(text);
      },
    )
    .option(flags.exclude, 'nodes to exclude, in the same form', (text) => {
      exclude.push(text);
    })
    .addOption(
      new Option('-Z, --filter-exclude-precedence <true|false>', 'whether a node that both match is excluded (default: true)').argParser(
        (text) => {
          precedence = truth(text);
        },
      ),
    );
  return () => filterOf({ include, exclude, precedence });
}

/** The filter that the flags make. An exclusion counts wherever it stands on the line. */
export function filterOf(given: {
  include: readonly string[];
  exclude: readonly string[];
  precedence: boolean | undefined;
}): NodeFilter | undefined {
  const { include, exclude, precedence } = given;
  if (include.length === 0 && exclude.length === 0) return undefined;
  return {
    ...(include.length === 0 ? {} : { include: include.map((text) => (text === 'all' ? ALL_NODES : text)) }),
    ...(exclude.length === 0 ? {} : { exclude: [...exclude] }),
    ...(precedence === undefined ? {} : { excludePrecedence: precedence }),
  };
}

function truth(text: string): boolean {
  const word = text.toLowerCase();
  if (word === 'true' || word === 'yes') return true;
  if (word === 'false' || word === 'no') return false;
  throw new DtkdError('BAD_REQUEST', `-Z is true or false, not "${text.slice(0, 40)}"`);
}
