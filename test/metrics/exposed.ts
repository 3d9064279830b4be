/** What /metrics says, read as Prometheus reads it as far as tests need it. */
export interface Exposed {
  /** Types by the name of the family. */
  types: ReadonlyMap<string, string>;
  /** Label names by the name of the series: of a histogram `NAME_bucket`, `NAME_sum`, `NAME_count`. */
  labels: ReadonlyMap<string, ReadonlySet<string>>;
  /** The value of the one series that has these labels, among others; NaN if there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

const SERIES = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

export function exposed(text: string): Exposed {
  const types = new Map<string, string>();
  const labels = new Map<string, Set<string>>();
  const series: { name: string; labels: Record<string, string>; value: number }[] = [];
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1] ?? '', type[2] ?? '');
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', pairs = '', value = ''] = SERIES.exec(line) ?? [];
    if (name === '') throw new Error(`this is no line of metrics: ${line}`);
    const own = Object.fromEntries([...pairs.matchAll(LABEL)].map(([, label = '', text = '']) => [label, text]));
    series.push({ name, labels: own, value: Number(value) });
    const known = labels.get(name) ?? new Set();
    for (const label of Object.keys(own)) known.add(label);
    labels.set(name, known);
  }
  return {
    types,
    labels,
    value: (name, wanted = {}) => {
      const found = series.filter(
        (one) => one.name === name && Object.entries(wanted).every(([label, value]) => one.labels[label] === value),
      );
      if (found.length > 1) throw new Error(`${found.length} series are ${name} ${JSON.stringify(wanted)}`);
      return found[0]?.value ?? Number.NaN;
    },
  };
}

export interface Used {
  name: string;
  labels: readonly string[];
}

/** Words of PromQL that are no metrics. */
const WORDS = new Set(
  `abs and by count histogram_quantile increase label_values max min min_over_time changes or rate sum time timestamp unless vector without on ignoring bool`.split(
    ' ',
  ),
);

/** The metrics that an expression names, each with the labels by which it is chosen or grouped. Reads what people write, not all of PromQL. */
export function usedBy(expression: string): Used[] {
  const text = expression.replace(/\[[^\]]*\]/g, ' ');
  const variable = /^label_values\((.*), *([a-z_]+)\)$/.exec(text);
  const grouped = [...text.matchAll(/\b(?:by|without)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  );
  const body = (variable?.[1] ?? text).replace(/\b(?:by|without)\s*\([^)]*\)/g, ' ');
  const used: Used[] = [];
  for (const [, name = '', matchers = ''] of body.matchAll(/([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\s*\{([^}]*)\})?/g)) {
    if (WORDS.has(name)) continue;
    const chosen = [...matchers.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
    used.push({ name, labels: [...chosen, ...grouped, ...(variable?.[2] === undefined ? [] : [variable[2]])] });
  }
  return used;
}
