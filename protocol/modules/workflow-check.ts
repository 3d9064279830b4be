/** Checks the workflows of an assembly. Pure. Fields begin with the name of the workflow. */
import type { Component, ServiceStep, ServiceWorkflow } from '../definitions/assembly.ts';
import type { OptionRule } from '../definitions/commands.ts';
import { missingOptions, readOptionValue } from '../definitions/option-value.ts';
import { cycleFrom } from './cycle.ts';
import type { ModuleFault } from './manifest.ts';
import { hasReference, wrongReferences } from './references.ts';
import type { TypeTable } from './type-table.ts';

/** What steps of workflows may refer to. */
export interface WorkflowSurroundings {
  components: ReadonlyMap<string, Component>;
  types: TypeTable;
  parameters: ReadonlySet<string>;
}

type Workflows = Readonly<Record<string, ServiceWorkflow>>;

export function workflowFaults(workflows: Workflows, surroundings: WorkflowSurroundings): ModuleFault[] {
  const faults: ModuleFault[] = [];
  for (const [name, workflow] of Object.entries(workflows)) {
    new WorkflowCheck(name, workflow, workflows, surroundings, faults).run();
  }
  const callsOf = (name: string) => (Object.hasOwn(workflows, name) ? calledBy(workflows[name]?.steps ?? []) : []);
  const done = new Set<string>();
  for (const name of Object.keys(workflows)) {
    const cycle = cycleFrom(name, callsOf, done);
    if (cycle !== undefined) faults.push({ field: `${cycle[0] ?? name}.steps`, message: `runs itself without end: ${cycle.join(' → ')}` });
  }
  return faults;
}

class WorkflowCheck {
  readonly #name: string;
  readonly #workflow: ServiceWorkflow;
  readonly #all: Workflows;
  readonly #surroundings: WorkflowSurroundings;
  readonly #faults: ModuleFault[];

  constructor(name: string, workflow: ServiceWorkflow, all: Workflows, surroundings: WorkflowSurroundings, faults: ModuleFault[]) {
    this.#name = name;
    this.#workflow = workflow;
    this.#all = all;
    this.#surroundings = surroundings;
    this.#faults = faults;
  }

  run(): void {
    for (const [option, rule] of Object.entries(this.#workflow.options ?? {})) this.#option(`options.${option}`, rule);
    this.#steps('steps', this.#workflow.steps);
  }

  #add(field: string, message: string): void {
    this.#faults.push({ field: `${this.#name}.${field}`, message });
  }

  #option(field: string, rule: OptionRule): void {
    if (rule.property !== undefined)
      this.#add(`${field}.property`, 'a workflow of an assembly has no resource whose property could be the default');
    if (rule.default === undefined) return;
    const read = readOptionValue(rule.default, rule);
    if ('error' in read) this.#add(`${field}.default`, read.error);
  }

  #steps(field: string, steps: readonly ServiceStep[]): void {
    for (const [index, step] of steps.entries()) {
      const at = `${field}[${index}]`;
      if (step.component === undefined) {
        if (step.command !== undefined) this.#add(`${at}.command`, 'is a command of a component: name the component');
        if (step.batch !== undefined) this.#add(`${at}.batch`, 'applies to the resources of a component: name the component');
      } else this.#component(at, step.component, step);
      if (step.workflow !== undefined) this.#called(at, step.workflow, step);
      if (step.steps !== undefined) this.#steps(`${at}.steps`, step.steps);
      if (step.options !== undefined && step.command === undefined && step.workflow === undefined) {
        this.#add(`${at}.options`, 'only a step that runs a command or a workflow has options');
      }
      this.#references(`${at}.options`, step.options ?? {});
    }
  }

  #component(at: string, name: string, step: ServiceStep): void {
    const { components, types } = this.#surroundings;
    // One of several resources is named COMPONENT-N or COMPONENT-NODE.
    const component = components.get(name) ?? [...components].find(([one]) => name.startsWith(`${one}-`))?.[1];
    if (component === undefined) {
      this.#add(`${at}.component`, `there is no component ${JSON.stringify(name)}`);
      return;
    }
    if (step.command === undefined) return;
    if (typeof types.known(component.type) !== 'object') return;
    const { commands, open } = types.commands(component.type);
    const command = Object.hasOwn(commands, step.command) ? commands[step.command] : undefined;
    if (command === undefined) {
      if (!open) this.#add(`${at}.command`, `type ${component.type} has no command ${step.command}`);
      return;
    }
    if (command.private === true) this.#add(`${at}.command`, `${step.command} is private: it can only be a step of other commands`);
    this.#given(at, step, step.command, command.options ?? {});
  }

  #called(at: string, name: string, step: ServiceStep): void {
    const called = Object.hasOwn(this.#all, name) ? this.#all[name] : undefined;
    if (called === undefined) this.#add(`${at}.workflow`, `there is no workflow ${JSON.stringify(name)}`);
    else this.#given(at, step, name, called.options ?? {});
  }

  /** Checks the options that a step gives against their rules. */
  #given(at: string, { options = {} }: ServiceStep, name: string, rules: Readonly<Record<string, OptionRule>>): void {
    for (const [option, value] of Object.entries(options)) {
      const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
      if (rule === undefined) this.#add(`${at}.options.${option}`, `${name} has no such option`);
      else if (!hasReference(value)) {
        const read = readOptionValue(value, rule);
        if ('error' in read) this.#add(`${at}.options.${option}`, read.error);
      }
    }
    for (const option of missingOptions(rules, options)) this.#add(`${at}.options`, `${name} needs the option ${option}`);
  }

  #references(field: string, value: unknown): void {
    const scopes = {
      parameters: this.#surroundings.parameters,
      target: 'any' as const,
      options: new Set(Object.keys(this.#workflow.options ?? {})),
    };
    wrongReferences(value, { scopes }, (below, message) => this.#add(`${field}${below}`, message));
  }
}

function calledBy(steps: readonly ServiceStep[]): string[] {
  return [
    ...new Set(steps.flatMap(({ workflow, steps: below }) => [...(workflow === undefined ? [] : [workflow]), ...calledBy(below ?? [])])),
  ];
}
