/** Runs the scripts of an example module as a node would: in the directory of a resource, with its properties as variables. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ran {
  status: number | null;
  text: string;
}

/** A resource of an example module. */
export class ExampleResource {
  readonly directory: string;
  readonly #module: string;
  readonly #name: string;
  #runs = 0;

  constructor(root: string, module: string, name: string) {
    this.directory = join(root, name);
    this.#module = new URL(`../../examples/modules/${module}`, import.meta.url).pathname;
    this.#name = name;
  }

  /** Runs one of its scripts to the end. `secrets`: values by the variable that gets the path of the file. */
  async run(
    script: string,
    given: { args?: readonly string[]; properties?: Record<string, string | number>; secrets?: Record<string, string>; path?: string } = {},
  ): Promise<Ran> {
    const { args = [], properties = {}, secrets = {}, path = process.env['PATH'] ?? '' } = given;
    await mkdir(join(this.directory, 'htdocs'), { recursive: true });
    const files = await Promise.all(
      Object.entries(secrets).map(async ([variable, value]) => {
        this.#runs += 1;
        const file = join(this.directory, `${variable}.${this.#runs}`);
        await writeFile(file, value, { mode: 0o600 });
        return [variable, file] as const;
      }),
    );
    const env = {
      PATH: path,
      DTKD_NODE: 'node0',
      DTKD_NODE_EXECUTABLE: process.execPath,
      DTKD_RESOURCE_NAME: this.#name,
      ...Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [`DTKD_PROPERTY_${name.replaceAll('-', '_').toUpperCase()}`, String(value)]),
      ),
      ...Object.fromEntries(files),
    };
    const child = spawn(join(this.#module, 'bin', script), args, { cwd: this.directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    const status = await new Promise<number | null>((done, fail) => child.on('close', done).on('error', fail));
    // as a node does: the value is gone when the command has ended
    await Promise.all(files.map(([, file]) => rm(file)));
    return { status, text: text.trim() };
  }
}

export async function exampleRoot(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'dtkd-examples-'));
}
