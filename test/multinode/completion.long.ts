import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { missing } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();

/** Says what a shell offers after these words; the last one is the word begun. It runs the real shell with the installed script. */
const SHELLS: Readonly<Record<string, { needs: string[]; script: string; args: (words: string[]) => string[] }>> = {
  bash: {
    needs: ['bash'],
    // With bash-completion, where it is installed; it finds the script by its name.
    script: `if [ -r /usr/share/bash-completion/bash_completion ]; then
  . /usr/share/bash-completion/bash_completion
  export BASH_COMPLETION_USER_DIR="$SHARED"; _completion_loader dtkd
else . "$SHARED/completions/dtkd"; fi
COMP_WORDS=(dtkd "$@"); COMP_CWORD=$#; COMP_LINE="dtkd $*"; COMP_POINT=\${#COMP_LINE}
set -- $(complete -p dtkd)
for last; do function=$before; before=$last; done
"$function" dtkd "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
case "$*" in *"-o default"*) [ \${#COMPREPLY[@]} = 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")) ;; esac
printf '%s\\n' "\${COMPREPLY[@]}"`,
    args: (words) => words,
  },
  zsh: {
    needs: ['zsh'],
    // The functions of zsh's own that the script ends in say what they were given.
    script: `fpath=("$SHARED" $fpath); autoload -Uz compinit; compinit -u -D
[ "$_comps[dtkd]" = _dtkd ] || exit 9
autoload +X _dtkd
compadd() { while [ "$1" != -a ]; do shift; done; print -l -- "\${(@P)2}" | grep -- "^\${words[CURRENT]}" }
_files() { print -l -- \${words[CURRENT]}*(N) }
words=(dtkd "$@"); CURRENT=$#words; _dtkd`,
    args: (words) => words,
  },
  fish: {
    needs: ['fish'],
    script: `set -p fish_complete_path "$SHARED"; complete -C "$argv"`,
    args: (words) => [['dtkd', ...words].join(' ')],
  },
};
const FILES: Readonly<Record<string, string>> = { bash: 'completions/dtkd', zsh: '_dtkd', fish: 'dtkd.fish' };

describe.each(Object.keys(SHELLS))('completion in %s', (shell) => {
  const { needs, script, args } = SHELLS[shell] ?? { needs: [], script: '', args: (words: string[]) => words };
  const reason = missing(needs);
  let site: Site;
  let shared: string;
  let bin: string;
  let work: string;
  beforeAll(async () => {
    if (reason !== undefined) return;
    const { current } = stage;
    site = current.sites[0] ?? (await current.start({ name: 'node0' }));
    [shared = '', bin = '', work = ''] = ['shared', 'bin', 'work'].map((name) => join(current.directory, shell, name));
    for (const directory of [join(shared, 'completions'), bin, work]) await mkdir(directory, { recursive: true });
    await writeFile(join(bin, 'dtkd'), `#!/bin/sh\nexec "${NODE}" "${DTKD}" "$@"\n`);
    await chmod(join(bin, 'dtkd'), 0o755);
    await writeFile(join(work, 'manifest.yaml'), '');
    const { code, stdout } = await site.cli('completion', shell);
    expect(code).toBe(0);
    await writeFile(join(shared, FILES[shell] ?? ''), stdout);
    if ((await site.get('dtdomain', 'orchard')) === undefined) {
      expect(await site.cli('domain', 'create', 'orchard')).toMatchObject({ code: 0 });
      expect(await site.cli('domain', 'create', 'meadow')).toMatchObject({ code: 0 });
      expect(await site.cli('user', 'add', 'ann')).toMatchObject({ code: 0 });
    }
  });

  const offered = async (...words: string[]): Promise<string[]> => {
    const flags = shell === 'bash' ? ['--norc', '--noprofile'] : shell === 'zsh' ? ['-f'] : ['--no-config'];
    const { stdout, stderr } = await run({
      command: shell,
      args: [...flags, '-c', script, ...(shell === 'fish' ? [] : [shell]), ...args(words)],
      cwd: work,
      env: {
        HOME: stage.current.directory,
        TERM: 'dumb',
        PATH: `${bin}${delimiter}${process.env['PATH']}`,
        SHARED: shared,
        DTKD_DATA: site.dir,
      },
    });
    expect(stderr).toBe('');
    // fish tells what each is after a tab
    return stdout
      .split('\n')
      .map((line) => line.split('\t')[0] ?? '')
      .filter((line) => line !== '')
      .sort();
  };

  it.skipIf(reason !== undefined)(`offers what may stand there${reason === undefined ? '' : ` (SKIPPED: ${reason})`}`, async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(['up', 'status', 'domain', 'get', 'completion']));
    expect(await offered('domain', 'root', '')).toEqual(['export', 'import', 'rotate']);
    expect(await offered('get', 'dtapps', '--wat')).toEqual(['--watch']);
    expect(await offered('get', 'dtapps', '--output', 'w')).toEqual(['wide']);
    expect(await offered('describe', 'dtpee')).toEqual(['dtpeer', 'dtpeers']);
  });

  it.skipIf(reason !== undefined)('offers the objects of the daemon that runs', async () => {
    expect(await offered('describe', 'dtdomain', '')).toEqual(['meadow', 'orchard']);
    expect(await offered('domain', 'show', 'o')).toEqual(['orchard']);
    expect(await offered('describe', 'dtdomain/o')).toEqual(['dtdomain/orchard']);
    expect(await offered('grant', 'a')).toEqual(['ann@node0']);
    expect(await offered('run', 'Start', 'web', '--on', 'name=n')).toEqual(['name=node0']);
  });

  it.skipIf(reason !== undefined)('offers files where they are wanted', async () => {
    expect(await offered('apply', '-f', 'mani')).toEqual(['manifest.yaml']);
    expect(await offered('model', 'import', 'mani')).toEqual(['manifest.yaml']);
    expect(await offered('--ca', 'mani')).toEqual(['manifest.yaml']);
  });
});
