import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../harness/node-binary.ts';
import { faultsOf } from './dockerfile-rules.ts';

const text = await readFile(join(REPOSITORY, 'docker', 'Dockerfile'), 'utf8');

describe('the Dockerfile', () => {
  it('keeps to the rules', () => {
    expect(faultsOf(text)).toEqual([]);
  });

  it('has the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    expect(text).toContain(`\nARG VERSION=${version}\n`);
  });

  it.each([
    ['the user is root', 'USER 10001:10001', 'USER 0:0', 'USER 0:0'],
    ['the user has only a name', 'USER 10001:10001', 'USER dtkd', 'USER dtkd'],
    ['the base has no version', 'debian:trixie-slim', 'debian', 'no version'],
    ['the base is the latest', 'debian:trixie-slim', 'debian:latest', 'no version'],
    ['the base cannot be chosen', `FROM \${BASE_IMAGE}`, 'FROM debian:trixie-slim', 'not an ARG'],
    ['a shell takes the signals', 'ENTRYPOINT ["tini", "--", "dtkd"]', 'ENTRYPOINT dtkd', 'ENTRYPOINT'],
    ['Node is the first process', '["tini", "--", "dtkd"]', '["dtkd"]', 'no init'],
    ['there is no healthcheck', /^HEALTHCHECK.*$/m, '', 'HEALTHCHECK'],
    ['a token stays in it', 'ARG VERSION=0.1.0', 'ARG NPM_TOKEN\nARG VERSION=0.1.0', 'NPM_TOKEN'],
    ['settings of npm are copied', 'COPY . .', 'COPY .npmrc /root/.npmrc', '.npmrc'],
    ['it takes what it likes from the registry', 'npm ci', 'npm install', 'lock file'],
    ['it names a registry', 'npm ci', 'npm ci --registry=https://npm.example.com', 'names a registry'],
    ['it fetches by itself', 'COPY . .', 'ADD https://example.com/x /x', 'ADD'],
    ['recommended packages come along', '--no-install-recommends ', '', 'more than needed'],
    ['the image takes from the sources', 'COPY --from=build /image/ /', 'COPY . /opt/dtkd', 'only what was built'],
    ['files are made after the user is set', 'CMD ["up"]', 'RUN touch /x\nCMD ["up"]', 'after USER'],
    ['a label is missing', /^.*image\.licenses.*$/m, '      other="x" \\', 'licenses'],
  ])('would be found wanting if %s', (_, from, to, fault) => {
    const changed = text.replace(from, to);
    expect(changed).not.toBe(text);
    expect(faultsOf(changed).join('\n')).toContain(fault);
  });

  it('is built from what is needed and nothing else', async () => {
    const lines = (await readFile(join(REPOSITORY, '.dockerignore'), 'utf8'))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines[0]).toBe('*');
    const taken = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    expect(taken).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(\*|\.git|\.npmrc|\.env|node_modules|test|dist)/)]));
    for (const path of taken) await stat(join(REPOSITORY, path));
  });
});
