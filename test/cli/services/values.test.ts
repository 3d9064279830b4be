import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAssembly } from '../../../cli/commands/stage.ts';
import { secretNameOf } from '../../../cli/service/settings.ts';
import { parseSettings, typedValue } from '../../../cli/service/values.ts';
import { PROPERTY_TYPES } from '../../../protocol/definitions/property-types.ts';
import { objectName } from '../../../protocol/objects/objects.ts';

const path = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}(\.[A-Za-z_][A-Za-z0-9_.-]{0,8})?$/);

describe('PATH=VALUE', () => {
  it('is taken apart at the first =, whatever follows', () => {
    fc.assert(
      fc.property(path, fc.string(), (name, text) => {
        const [setting] = parseSettings([`${name}=${text.startsWith('@') ? `@${text}` : text}`]);
        expect(setting).toEqual({ path: name, source: text === '-' ? 'input' : { text } });
      }),
    );
  });

  it('names files and standard input', () => {
    expect(parseSettings(['web.page=@index.html', 'db.password=-', 'web.at=@'])).toEqual([
      { path: 'web.page', source: { file: 'index.html' } },
      { path: 'db.password', source: 'input' },
      { path: 'web.at', source: { text: '@' } },
    ]);
  });

  it.each([[['web.port']], [['=x']], [['a=1', 'a=2']]])('refuses %j', (pairs) => {
    expect(() => parseSettings(pairs)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('a value', () => {
  const typed = (text: string, type?: (typeof PROPERTY_TYPES)[number]): unknown => typedValue('web.x', text, type);

  it('comes back as it was written, of every type', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.boolean(),
        fc.string(),
        fc.array(fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (...values) => {
          const [number, flag, text, list, map] = values;
          expect(typed(String(number), 'integer')).toBe(number);
          expect(typed(String(flag), 'boolean')).toBe(flag);
          expect(typed(text, 'string')).toBe(text);
          const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
          expect(typed(JSON.stringify(list), 'array')).toEqual(json(list));
          expect(typed(JSON.stringify(map), 'object')).toEqual(json(map));
        },
      ),
    );
  });

  it('never breaks anything', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(undefined, ...PROPERTY_TYPES), (text, type) => {
        try {
          const value = typed(text, type);
          // what is of another type is left to who knows the rules
          expect(['string', 'number', 'boolean', 'object']).toContain(typeof value);
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_REQUEST' });
          expect(text).toMatch(/^[[{]/);
        }
      }),
    );
  });

  it('is a number only where it would be written so again, unless one is wanted', () => {
    expect([typed('8081'), typed('1.20'), typed('007'), typed('1e5'), typed('true'), typed('yes'), typed('')]).toEqual([
      8081,
      '1.20',
      '007',
      '1e5',
      true,
      'yes',
      '',
    ]);
    expect(typed('1.20', 'number')).toBe(1.2);
    expect(typed('1.20', 'string')).toBe('1.20');
    expect(typed('many', 'integer')).toBe('many');
    expect(typed('a,b', 'array')).toEqual(['a', 'b']);
    expect(typed('["a,b"]', 'array')).toEqual(['a,b']);
  });

  it('may be a reference, which has the type of what it refers to', () => {
    expect(typed(`\${parameters.port}`, 'port')).toBe(`\${parameters.port}`);
    expect(typed(`\${target.hosts}`, 'array')).toBe(`\${target.hosts}`);
  });

  it('is refused where it is begun as JSON and is none', () => {
    expect(() => typed('[1', 'array')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    expect(() => typed('{a', undefined)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('the name of a Secret', () => {
  it('is one that an object may have', () => {
    fc.assert(
      fc.property(path, (where) => {
        expect(objectName.safeParse(secretNameOf('shop', where)).success).toBe(true);
      }),
    );
    expect(secretNameOf('shop', 'db.password')).toBe('shop.db.password');
    expect(secretNameOf('shop', 'db.dbPassword_2')).toBe('shop.db.db-password-2');
  });
});

describe('what is to be staged', () => {
  it('is MODULE:ASSEMBLY, with a range of versions', () => {
    expect(parseAssembly('acme/web:web-tier', undefined)).toEqual({ module: 'acme/web', assembly: 'web-tier' });
    expect(parseAssembly('acme/web:web-tier@>=1 <3', undefined)).toMatchObject({ version: '>=1 <3' });
    expect(parseAssembly('acme/web:web-tier', '^1.2')).toMatchObject({ version: '^1.2' });
    for (const text of ['acme/web', 'acme/web:', ':x', 'a:b:c']) {
      expect(() => parseAssembly(text, undefined)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    }
    expect(() => parseAssembly('a/b:c@1.0.0', '2.0.0')).toThrow('twice');
  });
});
