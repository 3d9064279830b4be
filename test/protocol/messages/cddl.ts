/** As much of CDDL (RFC 8610) as protocol/PROTOCOL.md is written in: reads its rules, and judges decoded values by them. Nothing may be there that a rule does not name. */

export type Type =
  | { is: 'any of'; types: Type[] }
  | { is: 'map'; fields: Map<string, { optional: boolean; type: Type }> }
  | { is: 'table'; value: Type }
  | { is: 'list'; of: Type }
  | { is: 'tuple'; types: Type[] }
  | { is: 'bytes'; size: number | undefined }
  | { is: 'literal'; value: string | number | boolean }
  | { is: 'named'; name: string };

const TOKEN = /\s*("[^"]*"|[a-zA-Z][\w-]*|\d+|=>|\.size|[{}[\],:?*/=])/y;
const BASIC: Record<string, (value: unknown) => boolean> = {
  tstr: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  int: (value) => Number.isSafeInteger(value),
  uint: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
};

/** The rules in a text; throws with the place where it is not understood. */
export function parseRules(text: string): Map<string, Type> {
  const bare = text.replace(/;.*$/gm, '');
  const tokens: string[] = [];
  for (TOKEN.lastIndex = 0; bare.slice(TOKEN.lastIndex).trim() !== ''; ) {
    const from = TOKEN.lastIndex;
    const token = TOKEN.exec(bare)?.[1];
    if (token === undefined) throw new Error(`not understood: ${bare.slice(from, from + 60)}`);
    tokens.push(token);
  }
  const rules = new Map<string, Type>();
  const next = (): string => tokens.shift() ?? 'the end';
  const expect = (token: string): void => {
    const found = next();
    if (found !== token) throw new Error(`${token} was expected before ${found} ${tokens.slice(0, 8).join(' ')}`);
  };
  const taken = (token: string): boolean => tokens[0] === token && tokens.shift() !== undefined;

  function type(): Type {
    const types = [one()];
    while (taken('/')) types.push(one());
    return types.length === 1 && types[0] !== undefined ? types[0] : { is: 'any of', types };
  }

  function one(): Type {
    if (taken('{')) return map();
    if (taken('[')) return array();
    const token = next();
    if (token.startsWith('"')) return { is: 'literal', value: token.slice(1, -1) };
    if (/^\d/.test(token)) return { is: 'literal', value: Number(token) };
    if (token === 'true' || token === 'false') return { is: 'literal', value: token === 'true' };
    if (token === 'bstr') return { is: 'bytes', size: taken('.size') ? Number(next()) : undefined };
    return { is: 'named', name: token };
  }

  function map(): Type {
    if (taken('*')) {
      expect('tstr');
      expect('=>');
      const value = type();
      expect('}');
      return { is: 'table', value };
    }
    const fields = new Map<string, { optional: boolean; type: Type }>();
    do {
      const optional = taken('?');
      const name = next();
      expect(':');
      fields.set(name, { optional, type: type() });
    } while (taken(','));
    expect('}');
    return { is: 'map', fields };
  }

  function array(): Type {
    if (taken('*')) {
      const of = type();
      expect(']');
      return { is: 'list', of };
    }
    const types = [type()];
    while (taken(',')) types.push(type());
    expect(']');
    return { is: 'tuple', types };
  }

  while (tokens.length > 0) {
    const name = next();
    expect('=');
    if (rules.has(name)) throw new Error(`${name} is there twice`);
    rules.set(name, type());
  }
  return rules;
}

/** Names that rules refer to, but that no rule defines. */
export function unknownNames(rules: ReadonlyMap<string, Type>): string[] {
  const inType = (type: Type): string[] => {
    switch (type.is) {
      case 'named':
        return rules.has(type.name) || Object.hasOwn(BASIC, type.name) ? [] : [type.name];
      case 'any of':
      case 'tuple':
        return type.types.flatMap(inType);
      case 'map':
        return [...type.fields.values()].flatMap((field) => inType(field.type));
      case 'list':
        return inType(type.of);
      case 'table':
        return inType(type.value);
      default:
        return [];
    }
  };
  return [...rules.values()].flatMap(inType);
}

/** Why a decoded value is not as a type says; undefined if it is. */
export function misfit(rules: ReadonlyMap<string, Type>, type: Type, value: unknown, at = ''): string | undefined {
  const inside = (inner: Type, item: unknown, name: string | number): string | undefined => misfit(rules, inner, item, `${at}.${name}`);
  const unless = (fits: boolean): string | undefined => (fits ? undefined : `${at || 'the value'} is not ${JSON.stringify(type)}`);
  switch (type.is) {
    case 'named': {
      const rule = rules.get(type.name);
      return rule === undefined ? unless(BASIC[type.name]?.(value) === true) : misfit(rules, rule, value, at);
    }
    case 'literal':
      return unless(value === type.value);
    case 'bytes':
      return unless(value instanceof Uint8Array && (type.size === undefined || value.length === type.size));
    case 'any of':
      return unless(type.types.some((one) => misfit(rules, one, value, at) === undefined));
    case 'list':
    case 'tuple': {
      if (!Array.isArray(value) || (type.is === 'tuple' && value.length !== type.types.length)) return unless(false);
      return firstOf(value.map((item, index) => () => inside(type.is === 'list' ? type.of : (type.types[index] ?? type), item, index)));
    }
    default: {
      if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return unless(false);
      const entries = Object.entries(value);
      if (type.is === 'table')
        return firstOf(
          entries.map(
            ([name, item]) =>
              () =>
                inside(type.value, item, name),
          ),
        );
      for (const [name, { optional }] of type.fields) if (!optional && !Object.hasOwn(value, name)) return `${at}.${name} is missing`;
      return firstOf(
        entries.map(([name, item]) => () => {
          const field = type.fields.get(name);
          return field === undefined ? `${at}.${name} is in no rule` : inside(field.type, item, name);
        }),
      );
    }
  }
}

function firstOf(checks: (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const found = check();
    if (found !== undefined) return found;
  }
  return undefined;
}
