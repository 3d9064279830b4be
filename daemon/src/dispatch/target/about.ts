/** What a part is about, for decisions and for people. Pure. */
import { bareType } from '../../../../protocol/definitions/scoped-names.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../../protocol/kinds/resource.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Bundle, BundledResource } from '../../../../protocol/orders/bundle.ts';
import type { Work } from '../../../../protocol/orders/order.ts';
import { bundledChain } from '../../../../protocol/orders/signed-bundle.ts';
import type { Decide } from '../dispatch.types.ts';
import type { About } from './journal-row.ts';

/** The subject of a right to any program or file on a node. */
export function aboutNode(work: Exclude<Work, { type: 'command' }>, node: string): About {
  return { plural: work.type === 'exec' ? 'exec' : 'cp', name: node };
}

/** The subject of a right to a resource that is deployed here. Its types come from the bundle, since this node may not have them. */
export function aboutResource(resource: BundledResource, types: Bundle['types']): About {
  const { object, uid, model, type, name, labels } = resource;
  return {
    plural: resourceKind.plural,
    name: object,
    labels,
    resource: { uid, model, type, name },
    lineage: bundledChain(types, type).map((one) => one.name.toLowerCase()),
  };
}

/** The subject for a command whose bundle is missing, from the order itself: enough to show and to refuse it. */
export function aboutCommand({ resource }: Extract<Work, { type: 'command' }>): About {
  const { object, uid, model, type, name } = resource;
  return { plural: resourceKind.plural, name: object, resource: { uid, model, type, name } };
}

/** The question for `Decide`. */
export function asked(about: About, node: string, verb: Parameters<Decide>[1]['verb']): Parameters<Decide>[1] {
  const question = { verb, group: DTKD_GROUP, plural: about.plural, name: about.name };
  const { resource, labels = {}, lineage } = about;
  if (resource === undefined) return question;
  const { uid, model, type, name } = resource;
  const object: ApiObject = {
    apiVersion: `${resourceKind.group}/${resourceKind.version}`,
    kind: resourceKind.kind,
    // `uid` is never empty: an object without one counts as one that is about to be created
    metadata: {
      name: about.name,
      namespace: node,
      uid: uid || 'unknown',
      resourceVersion: '0',
      generation: 1,
      creationTimestamp: '',
      labels,
    },
    spec: { model, type, name },
  };
  return { ...question, object, ...(lineage === undefined ? {} : { lineage }) };
}

const MAX_SHOWN = 200;

/** `model.Type.name command`, the program, or the file. */
export function whatOf(work: Work): string {
  switch (work.type) {
    case 'command':
      return `${work.resource.model}.${bareType(work.resource.type)}.${work.resource.name} ${work.command}`;
    case 'exec':
      return `exec ${shown(work.argv.join(' '))}`;
    case 'put':
      return `cp to ${shown(work.path)}`;
    case 'get':
      return `cp from ${shown(work.path)}`;
  }
}

function shown(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, ' ');
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN - 1)}…` : line;
}
