/** Requests about service instances and their tasks. */
import { SERVICE_INSTANCES, TASKS } from '../../protocol/kinds/paths.ts';
import type { FileAnswer, ServiceState } from '../../protocol/requests/service.ts';
import type { JsonRecord } from '../json.ts';
import { notKnown } from '../service/plan.ts';
import { type ApiClient, type Target, THIS_NODE } from './api.ts';

/** A service instance and the node that has it. */
export interface Named {
  name: string;
  namespace: string;
}

/**
 * The instance that `dtkd service COMMAND NAME -n NODE` names; NAME may have the form that lists of names use,
 * `serviceinstance.dtkd.dev/NAME`.
 */
export function named(text: string, flags: { namespace?: string }): Named {
  return { name: bareName(text), namespace: flags.namespace ?? THIS_NODE };
}

/** `-n NODE` for a service of another node, for command lines that are shown. */
export function nodeWords({ namespace }: Pick<Named, 'namespace'>): string[] {
  return namespace === THIS_NODE ? [] : ['-n', namespace];
}

export function serviceTarget({ name, namespace }: Named, ...sub: string[]): Target {
  return { kind: SERVICE_INSTANCES, namespace, name, sub };
}

export function taskTarget({ name, namespace }: Named, ...sub: string[]): Target {
  return { kind: TASKS, namespace, name, sub };
}

export async function readState(client: ApiClient, service: Named): Promise<ServiceState> {
  return stateOf(await client.call('GET', serviceTarget(service, 'state')));
}

export async function stateOf(answer: JsonRecord): Promise<ServiceState> {
  const { serviceState } = await import('../../protocol/requests/service.ts');
  return required(serviceState.safeParse(answer), 'the state of a service');
}

export async function readServiceFile(client: ApiClient, service: Named): Promise<FileAnswer> {
  const { fileAnswer } = await import('../../protocol/requests/service.ts');
  return required(fileAnswer.safeParse(await client.call('GET', serviceTarget(service, 'file'))), 'the file of a service');
}

function bareName(text: string): string {
  return text.slice(text.lastIndexOf('/') + 1);
}

function required<T>(parsed: { success: true; data: T } | { success: false }, what: string): T {
  if (parsed.success) return parsed.data;
  throw notKnown(what);
}
