import { DtkdError } from '../../protocol/errors.ts';
import { APP_LABEL, appSelectors, dtAppKind, OWNER_LABEL } from '../../protocol/kinds/dtapp.ts';
import type { HostPort } from '../input/host-port.ts';
import { isRecord, type JsonRecord, listAt, numberAt, textAt } from '../json.ts';
import { nearest } from '../suggest.ts';
import { type ApiClient, type Target, THIS_NODE } from './api.ts';

const PAGE_SIZE = 500;

/** A dtApp as this node shows it: its own, or the copy of another node's. */
export interface AppInfo {
  /** Name of the object here. */
  object: string;
  /** Name at its owner. */
  app: string;
  owner: string;
  uri: string | undefined;
  status: string | undefined;
  message: string | undefined;
  domains: readonly string[];
  authenticationType: string;
  service: string | undefined;
  isCopy: boolean;
  raw: JsonRecord;
}

export function parseApp(object: JsonRecord): AppInfo {
  const name = textAt(object, 'metadata', 'name') ?? '';
  const selectors = appSelectors(object);
  const app = textAt(object, 'metadata', 'labels', APP_LABEL);
  const owner = textAt(object, 'owner') ?? textAt(object, 'metadata', 'labels', OWNER_LABEL);
  return {
    object: name,
    app: app ?? name,
    owner: owner ?? textAt(object, 'metadata', 'namespace') ?? '',
    uri: textAt(object, 'URI'),
    status: textAt(object, 'status'),
    message: textAt(object, 'message'),
    domains: selectors?.domains ?? [],
    authenticationType: selectors?.authenticationType ?? 'None',
    service: selectors?.service?.name,
    isCopy: textAt(object, 'owner') !== undefined,
    raw: object,
  };
}

export function appTarget(object: string, ...sub: string[]): Target {
  return { kind: dtAppKind, namespace: THIS_NODE, name: object, sub };
}

/** Every app that this node shows. */
export async function listApps(client: ApiClient): Promise<AppInfo[]> {
  const apps: AppInfo[] = [];
  for await (const page of client.pages({ kind: dtAppKind, namespace: THIS_NODE }, {}, PAGE_SIZE)) {
    apps.push(...listAt(page, 'items').filter(isRecord).map(parseApp));
  }
  return apps;
}

/** Finds an app by its name, by OWNER/NAME, or by the name of its copy here. */
export async function findApp(client: ApiClient, text: string): Promise<AppInfo> {
  return chooseApp(await listApps(client), text);
}

/** Pure part of `findApp`. An app of this node wins over copies of the same name. */
export function chooseApp(apps: readonly AppInfo[], text: string): AppInfo {
  const exact = apps.find((app) => app.object === text);
  if (exact !== undefined) return exact;
  const matches = apps.filter((app) => app.app === text || `${app.owner}/${app.app}` === text);
  const [only, ...more] = matches;
  if (only === undefined) {
    const guess = nearest(
      text,
      apps.map((app) => app.app),
    );
    throw new DtkdError(
      'NOT_FOUND',
      `there is no app "${text.slice(0, 120)}" here${guess === undefined ? '' : `; did you mean ${guess}?`}`,
      {
        next: 'See "dtkd app ls" for all apps.',
      },
    );
  }
  if (more.length === 0) return only;
  throw new DtkdError('AMBIGUOUS', `several nodes share an app named ${text}`, {
    next: `Name one of: ${matches.map((app) => `${app.owner}/${app.app}`).join(', ')}.`,
  });
}

/** The addresses in an Endpoints object. */
export function addressesOf(endpoints: unknown): HostPort[] {
  return listAt(endpoints, 'subsets').flatMap((subset) =>
    listAt(subset, 'addresses').flatMap((address) =>
      listAt(subset, 'ports').map((port) => ({ host: textAt(address, 'ip') ?? '', port: numberAt(port, 'port') ?? 0 })),
    ),
  );
}
