import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** `import … from '…'` and `export … from '…'` that are there when the program runs. */
const STATIC = /^(?:import|export)\s+(?!type\b)(?:[^'";]*?from\s+)?'([^']+)';?$/gm;

/** All that a file needs before it can run: files of this project, and packages. */
function loadedBy(entry: string): Set<string> {
  const seen = new Set<string>();
  const left = [join(ROOT, entry)];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (!file.startsWith('/')) continue;
    for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(STATIC)) {
      left.push(from.startsWith('.') ? join(dirname(file), from) : from);
    }
  }
  return seen;
}

describe('the start of the command line', () => {
  it.each([
    'main.ts',
    'commands/converge.ts',
    'commands/stage.ts',
    'commands/ctl.ts',
    'commands/run.ts',
    'client/api.ts',
    'client/https.ts',
  ])('does not wait for schemas and for YAML: %s', (file) => {
    const loaded = [...loadedBy(`cli/${file}`)];
    expect(loaded.length).toBeGreaterThan(2);
    expect(loaded.filter((name) => name === 'zod' || name === 'yaml')).toEqual([]);
  });

  it('is judged by what is loaded', () => {
    expect(loadedBy('protocol/requests/service.ts')).toContain('zod');
  });
});
