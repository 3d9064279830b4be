/** Converts the project's changelog to Debian's format. Pure. */

/** The contact for readers of the package's metadata. */
export const MAINTAINER = 'dtkd maintainers <maintainers@dtkd.dev>';
const WIDTH = 78;

/** A version in Debian's order, in which a pre-release sorts before the release. */
export function debianVersion(version: string): string {
  return version.replace('-', '~');
}

/** `time`: for an entry without a release date. */
export function debianChangelog(markdown: string, time: number): string {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [heading = '', ...lines] = part.split('\n');
      const [version = '', rest = ''] = heading.split(/,\s*/);
      const released = /\d{4}-\d{2}-\d{2}/.exec(rest)?.[0];
      const when = released === undefined ? new Date(time * 1000) : new Date(`${released}T00:00:00Z`);
      const date = when.toUTCString().replace('GMT', '+0000');
      const items = itemsOf(lines);
      return `dtkd (${debianVersion(version)}) unstable; urgency=medium\n\n${items.map((item) => wrap(item)).join('\n')}\n\n -- ${MAINTAINER}  ${date}\n`;
    })
    .join('\n');
}

/** The list items of a section, each on one line; other paragraphs become items, too. */
function itemsOf(lines: readonly string[]): string[] {
  const items: string[] = [];
  let open = false;
  for (const line of lines) {
    const text = line.trim().replaceAll('`', '');
    if (text === '' || text.startsWith('#')) open = false;
    else if (text.startsWith('- ')) {
      items.push(text.slice(2));
      open = true;
    } else if (open) items.push(`${items.pop()} ${text}`);
    else {
      items.push(text);
      open = true;
    }
  }
  return items.length === 0 ? ['See the documentation.'] : items;
}

function wrap(item: string): string {
  const lines: string[] = ['  *'];
  for (const word of item.split(/\s+/)) {
    const last = lines.at(-1) ?? '';
    if (last.length + 1 + word.length > WIDTH) lines.push(`    ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}
