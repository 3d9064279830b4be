import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Command, Option } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { endpointsKind } from '../../../protocol/kinds/endpoints.ts';
import { apiVersionOf, type Kind } from '../../../protocol/kinds/kind.ts';
import { serviceKind } from '../../../protocol/kinds/service.ts';
import { objectName } from '../../../protocol/objects/objects.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { applyDocument } from '../../client/apply.ts';
import { addressesOf, parseApp } from '../../client/apps.ts';
import { chooseDomains, type DomainInfo, domainInfo } from '../../client/domains.ts';
import { isSilent } from '../../client/listening.ts';
import { waitForObject } from '../../client/ready.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../../input/host-port.ts';
import { type JsonRecord, textAt } from '../../json.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { collect } from '../../service/flags.ts';

/** Marks the Service and Endpoints that this command made. It changes no others, and `app rm` deletes no others. */
export const MADE_BY_LABEL = 'dtkd.dev/made-by';
export const MADE_BY = 'app-expose';
/** How long the daemon may take to give the app its URI, in milliseconds. */
const URI_TIMEOUT_MS = 5_000;

const EXAMPLES = `
Examples:
  dtkd app expose wiki --to 10.1.2.3:8080 --domain mydomain
  dtkd app expose wiki --to 8080                            this machine; the only domain there is
  dtkd app expose db --to db.local:5432 --domain a --domain b
  dtkd app expose db --to 10.1.2.3:5432 --to 10.1.2.4:5432  the second if the first does not answer
  dtkd app expose wiki --to 8080 --auth-url http://127.0.0.1:9000/check
  dtkd app expose desk --to 8080 --users                    then: dtkd grant ops@node1 REQUEST --on dtapp/desk

It writes a Service, its Endpoints and a dtApp, all named NAME; "dtkd app rm NAME" takes
them away again. Running it once more with other values changes them.`;

interface ExposeFlags {
  to: string[];
  domain?: string[];
  port?: number;
  authUrl?: string;
  users?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'name of the app')
    .requiredOption('--to <host:port>', 'address where it listens; may be repeated: each is used if those before it do not answer', collect)
    .option('--domain <name...>', 'domains to share it into (default: the only one)')
    .option('--port <number>', 'port of the Service (default: that of the first --to)', (text) => parseHostPort(text).port)
    .option('--auth-url <url>', 'asked before each request: 2xx lets it through, 401 and 403 refuse it')
    .addOption(new Option('--users', 'only for users who have REQUEST on it: see "dtkd grant"').conflicts('authUrl'))
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: ExposeFlags) => {
      if (!objectName.safeParse(name).success) {
        throw new DtkdError('NAME_INVALID', `${JSON.stringify(name.slice(0, 80))} cannot be the name of an app`, {
          next: 'Use lower-case letters, digits, hyphens and dots, such as wiki.',
        });
      }
      const to = flags.to.map((text) => parseHostPort(text));
      const client = await cli.client();
      const domains = await chooseDomains(client, flags.domain);
      const endpoints = (await Promise.all(to.map(({ host, port }) => resolve(cli, host, port)))).flat();
      const authentication =
        flags.authUrl === undefined
          ? { authenticationType: flags.users === true ? 'Capability' : 'None' }
          : { authenticationType: 'Custom', authenticationURL: flags.authUrl };
      const documents = exposeDocuments({ name, endpoints, domains, port: flags.port, authentication });
      const { app, before } = await write(client, name, documents);
      const now = endpoints.map(formatHostPort);
      const shown = await withUri(client, name, app);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, shown, flags.output);
      if (flags.output === 'name') return cli.out.print(`${dtAppKind.singular}.${dtAppKind.group}/${name}`);
      await tell(cli, client, shown, { to, before: before.filter((address) => !now.includes(address)) });
      await warnIfSilent(cli, client, endpoints);
    });
}

/** The three documents of an exposed app. Pure. */
function exposeDocuments(options: {
  name: string;
  endpoints: readonly HostPort[];
  domains: readonly string[];
  port: number | undefined;
  authentication: JsonRecord;
}): { kind: Kind; document: JsonRecord }[] {
  const { name, endpoints, domains, port, authentication } = options;
  const [first] = endpoints;
  const metadata = { name, labels: { [MADE_BY_LABEL]: MADE_BY } };
  const of = (kind: Kind, fields: JsonRecord) => ({
    kind,
    document: { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, ...fields },
  });
  return [
    of(endpointsKind, {
      subsets: endpoints.map(({ host, port: at }) => ({ addresses: [{ ip: host }], ports: [{ port: at, protocol: 'TCP' }] })),
    }),
    of(serviceKind, { spec: { ports: [{ protocol: 'TCP', port: port ?? first?.port, targetPort: first?.port }] } }),
    of(dtAppKind, { spec: { serviceSelector: { name }, domainSelector: { name: [...domains] }, ...authentication } }),
  ];
}

/** Resolves a name now, since Endpoints hold addresses. */
async function resolve(cli: Cli, host: string, port: number): Promise<HostPort[]> {
  if (isIP(host) !== 0) return [{ host, port }];
  try {
    const found = await lookup(host, { all: true });
    const addresses = [...new Set(found.map(({ address }) => address))];
    if (host !== 'localhost')
      cli.out.note(`note: ${host} is ${addresses.join(', ')} now, and the app keeps that; run this again if it changes`);
    return addresses.map((address) => ({ host: address, port }));
  } catch (error) {
    throw new DtkdError('ADDRESS_INVALID', `the name ${host} has no address (${textAt(error, 'code') ?? 'error'})`, {
      next: 'Check the name, or give an address.',
      cause: error,
    });
  }
}

/**
 * Writes all three documents; after a failure, removes those that it created. Refuses to change objects that this command did not make.
 * `before`: the previous endpoints of the app.
 */
async function write(
  client: ApiClient,
  name: string,
  documents: readonly { kind: Kind; document: JsonRecord }[],
): Promise<{ app: JsonRecord; before: string[] }> {
  const before: string[] = [];
  for (const { kind } of documents) {
    const there = await client.find({ kind, name });
    if (there !== undefined && textAt(there, 'metadata', 'labels', MADE_BY_LABEL) !== MADE_BY) {
      throw new DtkdError('ALREADY_EXISTS', `there is already a ${kind.kind} ${name} that "app expose" did not make`, {
        next: 'Choose another name, or write a dtApp that selects the Service and apply it.',
      });
    }
    if (kind === endpointsKind && there !== undefined) before.push(...addressesOf(there).map(formatHostPort));
  }
  const made: Kind[] = [];
  let app: JsonRecord = {};
  try {
    for (const { kind, document } of documents) {
      const { result, object } = await applyDocument(client, kind, document, { namespace: THIS_NODE, dryRun: false });
      if (result === 'created') made.push(kind);
      app = object;
    }
    return { app, before };
  } catch (error) {
    for (const kind of made) await client.delete({ kind, name }).catch(() => undefined);
    throw error;
  }
}

/** The app with its URI, once the daemon has assigned one; without it if that takes too long. */
async function withUri(client: ApiClient, name: string, app: JsonRecord): Promise<JsonRecord> {
  const settled = (object: JsonRecord): boolean => textAt(object, 'URI') !== undefined && textAt(object, 'status') !== undefined;
  if (settled(app)) return app;
  const target = { kind: dtAppKind, namespace: THIS_NODE, name };
  return waitForObject(client, target, settled, { timeoutMs: URI_TIMEOUT_MS, what: 'the URI' }).catch((error) => {
    if (error instanceof DtkdError && error.code === 'TIMEOUT') return app;
    throw error;
  });
}

/** Warns if nothing answers at the endpoints: that is allowed, but more often a typing error. */
async function warnIfSilent(cli: Cli, client: ApiClient, endpoints: readonly HostPort[]): Promise<void> {
  if (!(await isSilent(client.https.connection.url, endpoints))) return;
  const where = endpoints.map(formatHostPort).join(', ');
  cli.out.note(`warning: nothing answers at ${where} now; until something does, the URIs answer 503`);
}

/** `before`: endpoints that the app no longer has. */
async function tell(
  cli: Cli,
  client: ApiClient,
  object: JsonRecord,
  { to, before }: { to: readonly HostPort[]; before: readonly string[] },
): Promise<void> {
  const { out } = cli;
  const app = parseApp(object);
  const domains = await Promise.all(app.domains.map(async (name) => ({ ...(await shownInfo(client, name)), name })));
  // a domain that reports a message does not show the app to its members yet
  const isShared = domains.every(({ message }) => message === undefined);
  out.print(
    `${out.paint('bold', app.app)} leads to ${to.map(formatHostPort).join(', then ')} and ${isShared ? 'is' : 'will be'} shared into ${app.domains.join(', ')}.`,
  );
  if (before.length > 0) out.print(`Before, it led to ${before.join(', ')}.`);
  if (app.status !== undefined && app.status !== 'Ready')
    out.note(`warning: it is ${app.status}${app.message === undefined ? '' : `: ${app.message}`}`);
  out.print(`\nHere:       ${app.uri ?? '(the daemon gives it a URI in a moment; see "dtkd app show")'}`);
  for (const { name, message, members } of domains) {
    const names = members?.filter((member) => !member.self && member.reach !== 'away').map((member) => member.name);
    const who =
      names === undefined
        ? 'its members see it, each under its own URI'
        : names.length === 0
          ? 'nobody is connected now; members see it when they are'
          : `${names.sort().join(', ')}, each under its own URI`;
    out.print(`${`${name}:`.padEnd(11)} ${message ?? who}`);
  }
  out.print(`\nOthers find it with "dtkd app ls", and use it with its URI, "dtkd app curl ${app.app}" or "dtkd app forward ${app.app}".`);
}

/** A domain and its members; empty if the caller may not see them: sharing into a domain needs no right to manage it. */
async function shownInfo(client: ApiClient, name: string): Promise<Partial<DomainInfo>> {
  return domainInfo(client, name).catch((error) => {
    if (error instanceof DtkdError && (error.code === 'FORBIDDEN' || error.code === 'NOT_FOUND')) return {};
    throw error;
  });
}
