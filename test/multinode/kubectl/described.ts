/** What `kubectl describe` prints, as fields; and whether two of them are of one form. Pure. */

export interface Field {
  /** `Metadata.UID`; of an item of a list: `Peers[]`. */
  path: string;
  value: string;
}

const KEYED = /^(?<indent> *)(?<key>[A-Z][A-Za-z ]*):(?: +(?<value>.*))?$/;

/** One object's fields in the order of the text. */
export function fieldsOf(described: string): Field[] {
  const open: { indent: number; key: string }[] = [];
  return described.split('\n').flatMap((line) => {
    if (line.trim() === '') return [];
    const { indent = '', key, value = '' } = KEYED.exec(line)?.groups ?? {};
    const depth = key === undefined ? line.search(/\S/) : indent.length;
    while ((open.at(-1)?.indent ?? -1) >= depth) open.pop();
    const parents = open.map((parent) => parent.key);
    if (key === undefined) return [{ path: `${parents.join('.')}[]`, value: line.trim() }];
    open.push({ indent: depth, key });
    return [{ path: [...parents, key].join('.'), value: value.trim() }];
  });
}

/** Values that differ for each object. */
const FORMS = [
  /^[0-9a-f]{32}$/,
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  /^\d+$/,
  /^10\d*(\.\d{1,3}){3}$/,
  /^[A-Za-z0-9+/]{43}=$/,
  /^[A-Za-z0-9+/_-]{100,}$/,
  /^http:\/\/[0-9a-f]{32}\.node1\.example\.org$/,
];

/**
 * The fields of `page` that `shown` does not have in the same order with a value of the same form; a value that has no form has to be the
 * same. Fields besides are no difference.
 */
export function missingFrom(shown: readonly Field[], page: readonly Field[]): string[] {
  let from = 0;
  return page.flatMap(({ path, value }) => {
    const at = shown.findIndex((field, index) => index >= from && field.path === path);
    const found = shown[at];
    if (found === undefined) return [`${path} is missing`];
    from = at + 1;
    const form = FORMS.find((each) => each.test(value));
    const same = form === undefined ? found.value === value : form.test(found.value);
    return same ? [] : [`${path}: ${value} on the page, ${found.value} here`];
  });
}
