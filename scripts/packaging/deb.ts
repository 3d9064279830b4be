/** Builds the .deb: where files go on a Debian system, the metadata for dpkg, and the package file. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AR_BEGIN, arMember, bytesOf, gz, tarGz } from './archive.ts';
import { debianChangelog, debianVersion, MAINTAINER } from './changelog.ts';
import type { Architecture } from './prune.ts';
import { add, contentOf, type Entry, sizeOf, sorted, type Tree, textFile } from './tree.ts';

/** Debian's names of the architectures. */
export const DEBIAN_ARCHITECTURE: Readonly<Record<Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface DebOptions {
  version: string;
  architecture: Architecture;
  time: number;
  /** The directory `packaging/` of the repository. */
  packaging: string;
}

/** Where files of the program's tree go; all others go to /usr/lib/dtkd. */
const ELSEWHERE: readonly (readonly [from: string, to: string])[] = [
  ['docs/', 'usr/share/doc/dtkd/docs/'],
  ['examples/', 'usr/share/doc/dtkd/examples/'],
  ['README.md', 'usr/share/doc/dtkd/README.md'],
  ['dist/share/completions/dtkd.bash', 'usr/share/bash-completion/completions/dtkd'],
  ['dist/share/completions/_dtkd', 'usr/share/zsh/vendor-completions/_dtkd'],
  ['dist/share/completions/dtkd.fish', 'usr/share/fish/vendor_completions.d/dtkd.fish'],
  ['packaging/systemd/dtkd.sysusers', 'usr/lib/sysusers.d/dtkd.conf'],
  ['packaging/systemd/dtkd.service', 'usr/lib/systemd/system/dtkd.service'],
  ['packaging/systemd/dtkd-dispatch.service', 'usr/lib/systemd/system/dtkd-dispatch.service'],
  ['packaging/systemd/', 'usr/share/doc/dtkd/examples/systemd/'],
];
/** Files that are generated anew, or replaced by dpkg's own. */
const LEFT_OUT = /^(LICENSE|CHANGELOG\.md|packaging\/deb\/|packaging\/runtime\/|dist\/share\/man\/)/;

/** The files of a .deb, made from the tree of the program. */
export async function debTree(program: Tree, { version, time, packaging }: DebOptions): Promise<Tree> {
  const tree: Tree = new Map();
  for (const [path, entry] of program) {
    if (LEFT_OUT.test(path)) continue;
    const [from, to] = ELSEWHERE.find(([start]) => path === start || (start.endsWith('/') && path.startsWith(start))) ?? [
      '',
      'usr/lib/dtkd/',
    ];
    const place = `${to}${path.slice(from.length)}`;
    add(tree, [[place, path.endsWith('.service') ? textFile(unitOfDeb((await contentOf(entry)).toString())) : entry]]);
  }
  const own = (name: string): Promise<Buffer> => readFile(join(packaging, 'deb', name));
  const changes = program.get('CHANGELOG.md');
  const manual = program.get('dist/share/man/dtkd.1');
  if (changes === undefined || manual === undefined) throw new Error('the packed program has no CHANGELOG.md, or no manual page');
  add(tree, [
    ['usr/bin/dtkd', { kind: 'link', target: '../lib/dtkd/bin/dtkd' }],
    ['etc/default/dtkd', textFile(await own('default'))],
    ['usr/share/man/man1/dtkd.1.gz', textFile(gz((await contentOf(manual)).toString()))],
    ['usr/share/doc/dtkd/copyright', textFile(await copyrightOf(program, await own('copyright')))],
    ['usr/share/doc/dtkd/changelog.gz', textFile(gz(changelogOf((await contentOf(changes)).toString(), version, time)))],
    ['usr/share/lintian/overrides/dtkd', textFile(await own('lintian-overrides'))],
  ]);
  return tree;
}

/** Adapts a unit of the repository, which is for npm, to the paths of a .deb. */
function unitOfDeb(unit: string): string {
  return unit
    .replaceAll('/usr/local/bin/dtkd', '/usr/bin/dtkd')
    .replaceAll(/^Documentation=.*$/gm, 'Documentation=man:dtkd(1) file:/usr/share/doc/dtkd/docs/install.md');
}

function changelogOf(markdown: string, version: string, time: number): string {
  const text = debianChangelog(markdown, time);
  const first = `dtkd (${debianVersion(version)})`;
  if (!text.startsWith(first)) throw new Error(`CHANGELOG.md does not begin with version ${version}`);
  return text;
}

/** dtkd's copyright, then the licence of each bundled package; the licence texts are in /usr/lib/dtkd/node_modules. */
async function copyrightOf(program: Tree, own: Buffer): Promise<string> {
  const parts: string[] = [];
  for (const [path, entry] of sorted(program)) {
    if (!/(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path)) continue;
    const { name, version, license } = JSON.parse((await contentOf(entry)).toString()) as Record<string, unknown>;
    if (typeof name === 'string')
      parts.push(` ${name} ${String(version)}: ${typeof license === 'string' ? license : 'see its licence file'}`);
  }
  return `${own.toString().trimEnd()}\n${[...new Set(parts)].join('\n')}\n`;
}

/** The .deb as bytes: an `ar` archive of its version, the control files and the files. */
export async function debFile(tree: Tree, options: DebOptions): Promise<Buffer> {
  const { time, packaging } = options;
  const control: [string, Entry][] = [
    ['control', textFile(controlFile(tree, options))],
    ['conffiles', textFile('/etc/default/dtkd\n')],
    ['md5sums', textFile(await md5sums(tree))],
  ];
  for (const name of ['postinst', 'prerm', 'postrm']) control.push([name, textFile(await readFile(join(packaging, 'deb', name)), true)]);
  const [controlTar, dataTar] = [new Map(control), tree].map((part) => bytesOf(tarGz(part, { time, prefix: './' })));
  return Buffer.concat([
    AR_BEGIN,
    arMember('debian-binary', Buffer.from('2.0\n'), time),
    arMember('control.tar.gz', (await controlTar) ?? Buffer.alloc(0), time),
    arMember('data.tar.gz', (await dataTar) ?? Buffer.alloc(0), time),
  ]);
}

/** The libraries that the bundled Node links to. All else that dtkd uses is on every Debian (sh, util-linux, Perl's base). */
const DEPENDS = 'libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 8), passwd';

function controlFile(tree: Tree, { version, architecture }: DebOptions): string {
  const kibibytes = [...tree.values()].reduce((sum, entry) => sum + Math.ceil(sizeOf(entry) / 1024), 0);
  return `Package: dtkd
Version: ${debianVersion(version)}
Architecture: ${DEBIAN_ARCHITECTURE[architecture]}
Maintainer: ${MAINTAINER}
Installed-Size: ${kibibytes}
Depends: ${DEPENDS}
Recommends: ca-certificates
Suggests: bash-completion
Section: net
Priority: optional
Homepage: https://dtkd.dev
Description: share services between sites and run commands on the right machines
 One daemon per site. Sites join a domain by a signed invite; what one of them
 shares is reachable from every other, and one command runs on all machines
 that are to run it, as far as their owners let it. There is no server in the
 middle.
 .
 The Node.js that runs it is in this package, and nothing else is fetched.
`;
}

async function md5sums(tree: Tree): Promise<string> {
  const lines: string[] = [];
  for (const [path, entry] of sorted(tree)) {
    if (entry.kind !== 'file' || path.startsWith('etc/')) continue;
    lines.push(
      `${createHash('md5')
        .update(await contentOf(entry))
        .digest('hex')}  ${path}\n`,
    );
  }
  return lines.join('');
}
