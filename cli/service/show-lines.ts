/** What a service consists of, and what can be set in it. Pure. */
import { isRecord, type JsonRecord, recordAt, textAt, valueAt } from '../json.ts';
import { alignColumns } from '../output/columns.ts';
import { valueText } from './difference-lines.ts';
import type { ServiceView } from './service-file.ts';

export function showLines(object: JsonRecord, view: ServiceView): string[] {
  const spec = recordAt(object, 'spec');
  const sections = [
    alignColumns(
      [
        ['Service:', textAt(object, 'metadata', 'name')],
        ['Description:', textAt(view.document, 'description')],
        ['Staged from:', `${textAt(spec, 'module') ?? ''} ${textAt(spec, 'version') ?? ''}, assembly ${textAt(spec, 'assembly') ?? ''}`],
        ['Role:', textAt(spec, 'role') === undefined ? undefined : `target (${textAt(spec, 'kind') ?? 'of no kind'})`],
        ['Target:', textAt(spec, 'target')],
        ['Phase:', textAt(object, 'status', 'phase')],
        ['Directory:', textAt(spec, 'directory')],
      ].flatMap(([label = '', value]) => (value === undefined ? [] : [[label, value]])),
    ),
    componentLines(view.components),
    settingLines(view),
    workflowLines(view.workflows),
    appLines(view.apps),
  ].filter((lines) => lines.length > 0);
  return sections.flatMap((lines, at) => (at === 0 ? lines : ['', ...lines]));
}

function componentLines(components: JsonRecord): string[] {
  const rows = Object.entries(components).map(([name, component]) => [
    name,
    textAt(component, 'type') ?? '',
    placeOf(valueAt(component, 'on')),
    countOf(valueAt(component, 'on')),
    Object.entries(recordAt(component, 'links'))
      .map(([link, to]) => `${link}: ${typeof to === 'string' ? to : (textAt(to, 'to') ?? '')}`)
      .join(', '),
  ]);
  return rows.length === 0 ? [] : alignColumns([['COMPONENT', 'TYPE', 'ON', 'COUNT', 'LINKS'], ...rows]);
}

function placeOf(on: unknown): string {
  return typeof on === 'string' ? on : (textAt(on, 'nodes') ?? '');
}

function countOf(on: unknown): string {
  const count = valueAt(on, 'count');
  return count === undefined ? '1' : String(count);
}

/** The settings and their values. A secret is never shown, whatever the file says. */
function settingLines({ document, components, types }: ServiceView): string[] {
  const rows = Object.entries(types).map(([path, type]) => {
    const value = valueOfPath(document, components, path);
    const otherwise = valueAt(document, 'parameter-rules', path.replace(/^parameters\./, ''), 'default');
    if (value !== undefined) return [path, type, type === 'secret' ? '(a Secret)' : valueText(value)];
    return [path, type, otherwise === undefined || !path.startsWith('parameters.') ? '' : `${valueText(otherwise)} (default)`];
  });
  return rows.length === 0 ? [] : alignColumns([['TO BE SET', 'TYPE', 'VALUE'], ...rows]);
}

function valueOfPath(document: JsonRecord, components: JsonRecord, path: string): unknown {
  const at = path.indexOf('.');
  const [head, rest] = [path.slice(0, at), path.slice(at + 1)];
  const own = Object.hasOwn(components, head) ? valueAt(components, head, 'properties', rest) : undefined;
  if (own !== undefined || head !== 'parameters') return own;
  return valueAt(document, 'parameters', rest);
}

function workflowLines(workflows: JsonRecord): string[] {
  const rows = Object.entries(workflows).map(([name, workflow]) => [name, textAt(workflow, 'description') ?? '']);
  return rows.length === 0 ? [] : alignColumns([['WORKFLOW', 'DESCRIPTION'], ...rows]);
}

function appLines(apps: JsonRecord): string[] {
  const rows = Object.entries(apps).map(([name, app]) => {
    const domains = valueAt(app, 'domains');
    return [name, textAt(app, 'component') ?? '', Array.isArray(domains) ? domains.filter((one) => !isRecord(one)).join(', ') : ''];
  });
  return rows.length === 0 ? [] : alignColumns([['APP', 'COMPONENT', 'DOMAINS'], ...rows]);
}
