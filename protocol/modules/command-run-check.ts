/**
 * Checks the commands of a type against the resources that would run them: reports what would fail for every one of them. Pure, except
 * for the pattern engine.
 */
import { textFaults } from '../definitions/command-text.ts';
import type { Command, OptionRule, Script, Step } from '../definitions/commands.ts';
import { readOptionValue } from '../definitions/option-value.ts';
import { compilePattern } from '../definitions/pattern.ts';
import { objectName } from '../objects/objects.ts';
import type { ModuleFile } from './archive.ts';
import type { KnownType, KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';
import type { OwnType } from './type-table.ts';

/** Matches a first line that names a shell and ends in CR LF: shells read the carriage return as part of a word. */
const SHELL = /^#![ \t]*(\S*\/)?(env[ \t]+)?(ba|da|k|z|a)?sh\b[^\n]*\r\n/;

export async function commandRunFaults(of: OwnType, known: KnownTypes, files: ReadonlyMap<string, ModuleFile>): Promise<ModuleFault[]> {
  const faults: ModuleFault[] = [];
  for (const [name, command] of Object.entries(of.type.commands ?? {})) {
    const users = known.concrete(of).filter((type) => type.commands.get(name)?.from === of);
    const check = new Check(`types.${of.name}.commands.${name}`, command, { users, known, files, made: madeBy(users) }, faults);
    await check.run();
  }
  return faults;
}

interface About {
  /** Types whose resources run the command. */
  users: readonly KnownType[];
  known: KnownTypes;
  files: ReadonlyMap<string, ModuleFile>;
  /** Paths that templates create. */
  made: ReadonlySet<string>;
}

class Check {
  readonly #field: string;
  readonly #command: Command;
  readonly #about: About;
  readonly #faults: ModuleFault[];

  constructor(field: string, command: Command, about: About, faults: ModuleFault[]) {
    this.#field = field;
    this.#command = command;
    this.#about = about;
    this.#faults = faults;
  }

  async run(): Promise<void> {
    const { options = {}, script, workflow, dispatch } = this.#command;
    for (const [option, rule] of Object.entries(options)) this.#option(`options.${option}`, rule);
    if (script !== undefined) this.#script('script', script);
    this.#steps('workflow.steps', workflow?.steps ?? []);
    if (dispatch === undefined) return;
    this.#texts('dispatch.options', dispatch.options ?? {});
    if (dispatch.over === 'deployments') this.#called('dispatch.command', dispatch.command);
    for (const [field, pattern] of [['type', dispatch.type] as const, ['name', dispatch.name] as const]) {
      const compiled = pattern === undefined ? undefined : await compilePattern(pattern);
      if (compiled !== undefined && 'error' in compiled) this.#add(`dispatch.${field}`, compiled.error);
    }
  }

  #add(field: string, message: string, place?: string): void {
    this.#faults.push({ field: `${this.#field}.${field}`, message, ...(place === undefined ? {} : { place }) });
  }

  #option(field: string, rule: OptionRule): void {
    const { property } = rule;
    if (property === undefined) return;
    const why = this.#unknown(property);
    if (why !== undefined) this.#add(`${field}.property`, why);
    const value = this.#about.users[0]?.properties.get(property)?.default;
    const read = value === undefined ? undefined : readOptionValue(value, rule);
    if (read !== undefined && 'error' in read) this.#add(`${field}.property`, `the default of ${property} ${read.error}`);
  }

  #script(field: string, { file, args = [], env = {}, directory, interpreter, secrets = [] }: Script): void {
    this.#texts(`${field}.args`, args);
    this.#texts(`${field}.env`, env);
    if (directory !== undefined) this.#text(`${field}.directory`, directory);
    const [program = ''] = interpreter ?? [];
    const { files, made } = this.#about;
    if (files.has(program) && program.includes('/') && !made.has(program))
      this.#add(`${field}.interpreter`, `is looked for in the directory of the resource; make a template put ${program} there`);
    for (const [index, { name, property }] of secrets.entries()) {
      const why = property === undefined ? undefined : this.#unknown(property);
      if (why !== undefined) this.#add(`${field}.secrets[${index}].property`, why);
      if (name !== undefined && !objectName.safeParse(name).success)
        this.#add(`${field}.secrets[${index}].name`, 'cannot be the name of a Secret');
    }
    const found = file === undefined || interpreter !== undefined ? undefined : files.get(file);
    if (found !== undefined && SHELL.test(Buffer.from(found.data.subarray(0, 256)).toString('latin1')))
      this.#add(`${field}.file`, 'has lines that end in CR LF, which shells do not accept', `${file}:1:1`);
  }

  #steps(field: string, steps: readonly Step[]): void {
    for (const [index, step] of steps.entries()) {
      const at = `${field}[${index}]`;
      if (step.script !== undefined) this.#script(`${at}.script`, step.script);
      if (step.command !== undefined) this.#called(`${at}.command`, step.command);
      this.#texts(`${at}.options`, step.options ?? {});
      if (Array.isArray(step['on-failure'])) this.#steps(`${at}.on-failure`, step['on-failure']);
    }
  }

  /** Checks that the same resource has this command. */
  #called(field: string, command: string): void {
    const { users } = this.#about;
    const [first] = users;
    if (first === undefined || users.some((type) => !type.isWhole || type.commands.has(command))) return;
    this.#add(field, `type ${first.name} has no command ${command}`);
  }

  #texts(field: string, texts: readonly unknown[] | Readonly<Record<string, unknown>>): void {
    for (const [key, text] of Object.entries(texts)) {
      if (typeof text === 'string') this.#text(Array.isArray(texts) ? `${field}[${key}]` : `${field}.${key}`, text);
    }
  }

  #text(field: string, text: string): void {
    if (text.includes('\0')) this.#add(field, 'contains a NUL character, which no program accepts');
    const names = { options: Object.keys(this.#command.options ?? {}), property: (name: string) => this.#unknown(name) };
    for (const { message } of textFaults(text, names)) this.#add(field, message);
  }

  #unknown(property: string): string | undefined {
    return this.#about.known.unknownProperty(this.#about.users, property);
  }
}

function madeBy(users: readonly KnownType[]): Set<string> {
  return new Set(users.flatMap(({ lineage }) => lineage.flatMap(({ type }) => (type.templates ?? []).map(({ to }) => to))));
}
