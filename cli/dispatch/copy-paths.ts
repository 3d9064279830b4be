/** Reads from its paths what `dtkd cp` is to copy. Pure. */
import { basename, posix } from 'node:path';
import { DtkdError } from '../../protocol/errors.ts';
import { ALL_NODES } from './node-filter.ts';

/** A path on nodes: a filter for the nodes, and the path there. */
export interface RemotePath {
  filter: string;
  path: string;
}

export type CopyPlan =
  | { direction: 'to'; files: { local: string; remote: string }[]; filter: string }
  | { direction: 'from'; files: RemotePath[]; local: string };

/** Parses `tags=web:/etc/motd` or `node1:/etc/motd`; undefined if the text is a local path. */
export function remotePath(text: string): RemotePath | undefined {
  if (/^\.{0,2}\//.test(text)) return undefined;
  const at = text.indexOf(':/');
  if (at <= 0) return undefined;
  const words = text.slice(0, at);
  // A bare word is a node's name in dtkd.
  return { filter: words === 'all' ? ALL_NODES : words.includes('=') ? words : `name=${words}`, path: text.slice(at + 1) };
}

/** Sorts the paths of the command line. Errors: BAD_REQUEST, which says what is missing. */
export function copyPlan(paths: readonly string[]): CopyPlan {
  const sources = paths.slice(0, -1);
  const destination = paths.at(-1) ?? '';
  if (sources.length === 0)
    throw wrong('there is nothing to copy to', 'Write: dtkd cp FILE… NODES:/path, or: dtkd cp NODES:/path… DIRECTORY');
  if (paths.includes('-'))
    throw wrong(
      '"-" is not a file: standard input and output cannot be copied',
      'Use a file, ./- for one of that name, or "dtkd exec --raw -- cat FILE".',
    );
  const remote = remotePath(destination);
  const remotes = sources.flatMap((source) => remotePath(source) ?? []);
  if (remote === undefined && remotes.length === sources.length) return { direction: 'from', files: remotes, local: destination };
  if (remote === undefined) throw noNodes([...sources, destination]);
  if (remotes.length > 0) throw wrong('files are copied to nodes or from nodes, not between them', 'Copy them here first.');
  const intoDirectory = remote.path.endsWith('/');
  if (sources.length > 1 && !intoDirectory) {
    throw wrong(
      `${sources.length} files cannot all become ${remote.path}`,
      `End it with /, as in ${destination}/, to put them into that directory.`,
    );
  }
  const files = sources.map((local) => ({ local, remote: intoDirectory ? posix.join(remote.path, basename(local)) : remote.path }));
  const twice = files.find((file, at) => files.findIndex((other) => other.remote === file.remote) !== at);
  if (twice !== undefined) throw wrong(`two files would become ${twice.remote}`, 'Copy them one after the other, under other names.');
  return { direction: 'to', files, filter: remote.filter };
}

function noNodes(paths: readonly string[]): DtkdError {
  const relative = paths.find((path) => /^[^/.][^/]*:[^/]/.test(path) || /^[^/.][^/]*:$/.test(path));
  if (relative !== undefined) return wrong(`"${relative}" has no path that begins with /`, 'Write it like node1:/etc/motd.');
  return wrong('neither side names nodes', "Name them before the path, as in node1:/etc/motd or 'tags=web':/etc/motd.");
}

function wrong(message: string, next: string): DtkdError {
  return new DtkdError('BAD_REQUEST', message, { next });
}

/** A node's name as the name of a directory. */
export function directoryOf(node: string): string {
  const safe = node.replace(/[^A-Za-z0-9._~-]/g, '_');
  return /^\.{0,2}$/.test(safe) ? `_${safe}` : safe;
}
