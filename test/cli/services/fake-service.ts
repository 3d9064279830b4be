/** A service instance as a daemon tells of it, for tests of what shows it. */
import type { TaskStep } from '../../../protocol/kinds/task.ts';
import type { ServicePlanAnswer, ServiceState } from '../../../protocol/requests/service.ts';
import type { FakeDaemon } from '../fake-daemon.ts';

export const BASE = 'a'.repeat(64);
export const PLAN = 'b'.repeat(64);
export const COMMIT = '1f3a9c2e'.padEnd(40, '0');

export const about = (action: string) => new RegExp(`/serviceinstances/shop/${action}$`);
export const aboutTask = (action: string) => new RegExp(`/tasks/shop-7/${action}$`);

export function state(fields: Partial<ServiceState> = {}): ServiceState {
  return {
    name: 'shop',
    node: 'node0',
    phase: 'Ready',
    module: 'acme/web',
    version: '1.2.0',
    assembly: 'web-tier',
    directory: '/data/instances/shop',
    head: COMMIT,
    applied: COMMIT,
    edited: [],
    pending: [],
    violations: [],
    resources: [],
    apps: [],
    ...fields,
  };
}

export function plan(fields: Partial<ServicePlanAnswer> = {}): ServicePlanAnswer {
  return {
    digest: PLAN,
    steps: [
      { number: '1', title: 'bring up 1' },
      { number: '1.1', title: 'create web', resource: 'web', node: 'node1', command: 'create', act: 'create' },
    ],
    unchanged: 2,
    differences: [{ kind: 'property', what: 'web.port', op: 'changed', before: 8080, after: 8081 }],
    notes: [],
    ...fields,
  };
}

export function step(number: string, stepState: TaskStep['state'], fields: Partial<TaskStep> = {}): TaskStep {
  const ended = stepState !== 'created' && stepState !== 'executing';
  return {
    number,
    title: `step ${number}`,
    state: stepState,
    ...(stepState === 'created' ? {} : { startedAt: '2026-01-01T00:00:00.000Z' }),
    ...(ended ? { finishedAt: '2026-01-01T00:00:01.500Z' } : {}),
    ...fields,
  };
}

export const task = (state: string, ...steps: TaskStep[]) => ({ type: 'task', state, title: 'converge', steps });
export const told = (...args: Parameters<typeof step>) => ({ type: 'step', step: step(...args) });
export const output = (number: string, text: string, stream: 'out' | 'err' = 'out') => ({
  type: 'output',
  number,
  resource: 'web',
  node: 'node1',
  stream,
  text,
});
export const cut = (number: string, execution: string) => ({
  type: 'cut',
  number,
  resource: 'web',
  node: 'node1',
  execution,
  next: `dtkd executions follow ${execution}`,
});
export const end = (state: string, message?: string) => ({ type: 'end', state, ...(message === undefined ? {} : { message }) });

const FILE = `dsl_version: "1.0"
name: shop
module: acme/web
version: 1.2.0
assembly: web-tier
components:
  web:
    type: WebServer
    properties: {port: 8080, greeting: hi}
    on: {nodes: tags=web, count: 2}
    links: {db: db}
  db:
    type: Database
    properties: {password: not-to-be-shown}
workflows:
  rolling-restart: {description: one after the other, steps: [{component: web, command: restart}]}
parameters: {tier: dev}
`;

/** Scripts what most commands ask. */
export function serve(daemon: FakeDaemon): void {
  daemon.script('GET', about('file'), () => ({
    content: FILE,
    base: BASE,
    types: {
      'parameters.tier': 'string',
      'web.port': 'port',
      'web.greeting': 'string',
      'web.tags': 'array',
      'db.password': 'secret',
    },
  }));
  daemon.script('POST', about('edit'), () => ({
    base: BASE,
    differences: [{ kind: 'property', what: 'web.port', op: 'changed', before: 8080, after: 8081 }],
  }));
  daemon.script('GET', about('state'), () => state());
}

export async function* linesOf(...lines: readonly unknown[]): AsyncGenerator<unknown> {
  yield* lines;
}
