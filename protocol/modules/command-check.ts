/** Checks the commands of one type. Pure. Everything that they name must exist and be of the right kind. */
import { type Command, type Commands, type Dispatch, MAX_STEPS, type OptionRule, type Script, type Step } from '../definitions/commands.ts';
import { missingOptions, readOptionValue } from '../definitions/option-value.ts';
import { cycleFrom } from './cycle.ts';
import type { ModuleFault } from './manifest.ts';

export interface CommandSurroundings {
  /** Files of the module. `none`: the type is written by hand and has none; `any`: they were checked before. */
  files: ReadonlySet<string> | 'none' | 'any';
  /** Commands of the known supertypes; of each name, the nearest one. */
  inherited: Commands;
  /** There may be more commands: from supertypes that are not known here, or, for an abstract type, from its subtypes. */
  open: boolean;
}

type Value = string | number | boolean;

/** Returns all faults of the commands that a type defines itself. Fields begin with the name of the command. */
export function commandFaults(commands: Commands, surroundings: CommandSurroundings): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const all: Commands = { ...surroundings.inherited, ...commands };
  for (const [name, command] of Object.entries(commands)) {
    const check = new CommandCheck(name, command, all, surroundings, faults);
    check.run();
  }
  const callsOf = (name: string) => calledBy((Object.hasOwn(all, name) ? all[name] : undefined)?.workflow?.steps ?? []);
  const done = new Set<string>();
  for (const name of Object.keys(commands)) {
    const cycle = cycleFrom(name, callsOf, done);
    if (cycle === undefined) continue;
    // At least one command of a cycle that is partly inherited belongs to this type.
    const own = cycle.find((one) => Object.hasOwn(commands, one)) ?? name;
    faults.push({ field: `${own}.workflow.steps`, message: `runs itself without end: ${cycle.join(' → ')}` });
  }
  return faults;
}

/** Checks one command. */
class CommandCheck {
  readonly #name: string;
  readonly #command: Command;
  readonly #all: Commands;
  readonly #surroundings: CommandSurroundings;
  readonly #faults: ModuleFault[];
  #steps = 0;

  constructor(name: string, command: Command, all: Commands, surroundings: CommandSurroundings, faults: ModuleFault[]) {
    this.#name = name;
    this.#command = command;
    this.#all = all;
    this.#surroundings = surroundings;
    this.#faults = faults;
  }

  run(): void {
    const { options = {}, script, workflow, dispatch } = this.#command;
    for (const [option, rule] of Object.entries(options)) this.#option(`options.${option}`, rule);
    if (script !== undefined) this.#script('script', script);
    if (dispatch !== undefined) this.#dispatch('dispatch', dispatch);
    if (workflow === undefined) return;
    this.#stepsOf('workflow.steps', workflow.steps);
    if (this.#steps > MAX_STEPS) this.#add('workflow.steps', `has ${this.#steps} steps with its handlers; at most ${MAX_STEPS}`);
  }

  #add(field: string, message: string): void {
    this.#faults.push({ field: field === '' ? this.#name : `${this.#name}.${field}`, message });
  }

  #option(field: string, rule: OptionRule): void {
    const { allowed, ...unbounded } = rule;
    for (const [index, value] of (allowed ?? []).entries()) this.#value(`${field}.allowed[${index}]`, unbounded, value);
    if (rule.default !== undefined) this.#value(`${field}.default`, rule, rule.default);
  }

  #value(field: string, rule: OptionRule, value: Value): void {
    const read = readOptionValue(value, rule);
    if ('error' in read) this.#add(field, read.error);
  }

  #script(field: string, script: Script): void {
    const { files } = this.#surroundings;
    if ((script.file === undefined) === (script.inline === undefined)) this.#add(field, 'must have exactly one of file and inline');
    else if (script.file !== undefined && files === 'none') {
      this.#add(`${field}.file`, 'only types of modules have files; write the text as inline, or move the type to a module');
    } else if (script.file !== undefined && files !== 'any' && !(files instanceof Set && files.has(script.file))) {
      this.#add(`${field}.file`, `the module has no file ${JSON.stringify(script.file)}`);
    }
    for (const [index, { name, property }] of (script.secrets ?? []).entries()) {
      if ((name === undefined) === (property === undefined))
        this.#add(`${field}.secrets[${index}]`, 'must have exactly one of name and property');
    }
    for (const [index, text] of (script.args ?? []).entries()) this.#references(`${field}.args[${index}]`, text);
    for (const [variable, text] of Object.entries(script.env ?? {})) this.#references(`${field}.env.${variable}`, text);
    if (script.directory !== undefined) this.#references(`${field}.directory`, script.directory);
  }

  #stepsOf(field: string, steps: readonly Step[]): void {
    for (const [index, step] of steps.entries()) {
      this.#steps += 1;
      const at = `${field}[${index}]`;
      if ((step.command === undefined) === (step.script === undefined)) this.#add(at, 'must have exactly one of command and script');
      else if (step.command !== undefined) this.#call(`${at}.command`, step.command, step.options, `${at}.options`);
      else if (step.options !== undefined) this.#add(`${at}.options`, 'only a step that is a command has options');
      if (step.script !== undefined) this.#script(`${at}.script`, step.script);
      if (Array.isArray(step['on-failure'])) this.#stepsOf(`${at}.on-failure`, step['on-failure']);
    }
  }

  #dispatch(field: string, dispatch: Dispatch): void {
    // The types of related resources decide what these can do; deployments are of this resource itself.
    if (dispatch.over === 'deployments') {
      this.#call(`${field}.command`, dispatch.command, dispatch.options, `${field}.options`);
      if (this.#all[dispatch.command]?.private === true) {
        this.#add(`${field}.command`, `${dispatch.command} is private: it can only be a step of other commands`);
      }
      return;
    }
    for (const [option, value] of Object.entries(dispatch.options ?? {})) {
      if (typeof value === 'string') this.#references(`${field}.options.${option}`, value);
    }
  }

  /** Checks a call of another command of the same resource, with the given options. */
  #call(field: string, name: string, options: Readonly<Record<string, Value>> = {}, optionsField: string): void {
    const called = Object.hasOwn(this.#all, name) ? this.#all[name] : undefined;
    if (called === undefined && !this.#surroundings.open)
      this.#add(field, `neither this type nor a type that it extends has a command ${name}`);
    for (const [option, value] of Object.entries(options)) {
      const at = `${optionsField}.${option}`;
      const rule = Object.hasOwn(called?.options ?? {}, option) ? called?.options?.[option] : undefined;
      if (called !== undefined && rule === undefined) this.#add(at, `${name} has no such option`);
      const filledIn = typeof value === 'string' && value.includes('${');
      if (filledIn) this.#references(at, value);
      else if (rule !== undefined) this.#value(at, rule, value);
    }
    for (const option of missingOptions(called?.options, options)) this.#add(optionsField, `${name} needs the option ${option}`);
  }

  /** Checks that `${options.NAME}` names an option of this command. */
  #references(field: string, text: string): void {
    for (const [, option = ''] of text.replaceAll('$${', '').matchAll(/\$\{options\.([^}]*)\}/g)) {
      if (!Object.hasOwn(this.#command.options ?? {}, option))
        this.#add(field, `${this.#name} has no option ${JSON.stringify(option.slice(0, 63))}`);
    }
  }
}

function calledBy(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => {
    const handlers = step['on-failure'];
    return [...(step.command === undefined ? [] : [step.command]), ...(Array.isArray(handlers) ? calledBy(handlers) : [])];
  });
}
