import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeName, MAX_CODE_NAME, moduleName } from '../../../protocol/definitions/code.ts';
import {
  bareCode,
  bareType,
  instanceOfCode,
  instanceOfType,
  isLeftCode,
  leftCode,
  meansType,
  scopedCode,
  scopedType,
  typeObjectNameOf,
} from '../../../protocol/definitions/scoped-names.ts';
import { instanceName } from '../../../protocol/definitions/service-file.ts';
import { MAX_TYPE_NAME, scopedTypeName, typeName } from '../../../protocol/definitions/type-rules.ts';
import { objectName } from '../../../protocol/objects/objects.ts';

const bare = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/);
const instance = fc.stringMatching(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/);
const part = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

describe('scoped names', () => {
  it('are put together and taken apart again, whatever the parts', () => {
    fc.assert(
      fc.property(bare, instance, part, part, (type, of, space, name) => {
        fc.pre(space !== 'type');
        const [scoped, code] = [scopedType(type, of), scopedCode(`${space}/${name}`, of)];
        expect([bareType(scoped), instanceOfType(scoped), bareType(type), instanceOfType(type)]).toEqual([type, of, type, undefined]);
        expect([bareCode(code), instanceOfCode(code), instanceOfCode(`${space}/${name}`)]).toEqual([`${space}/${name}`, of, undefined]);
        expect(typeName.safeParse(type).success && instanceName.safeParse(of).success && moduleName.safeParse(bareCode(code)).success).toBe(
          true,
        );
        expect(scopedTypeName.safeParse(scoped).success && codeName.safeParse(code).success).toBe(true);
        expect(scoped.length).toBeLessThanOrEqual(MAX_TYPE_NAME);
        expect(code.length).toBeLessThanOrEqual(MAX_CODE_NAME);
        const left = leftCode(code, '0.0.999999999');
        expect([bareCode(left), instanceOfCode(left), isLeftCode(left), isLeftCode(code)]).toEqual([`${space}/${name}`, of, true, false]);
        expect(codeName.safeParse(left).success).toBe(true);
      }),
    );
  });

  it('are meant by the bare name, without regard to case', () => {
    expect(meansType('webserver', 'WebServer@shop')).toBe(true);
    expect(meansType('WebServer@SHOP', 'webserver@shop')).toBe(true);
    expect(meansType('WebServer', 'WebServer')).toBe(true);
    expect(meansType('WebServer@shop', 'WebServer')).toBe(false);
    expect(meansType('WebServer@shop', 'WebServer@other')).toBe(false);
    expect(meansType('Web', 'WebServer@shop')).toBe(false);
  });

  it('have objects of their own', () => {
    expect(typeObjectNameOf('WebServer@shop')).toBe('shop.webserver');
    expect(typeObjectNameOf('Tomcat_Server')).toBe('tomcat-server');
    fc.assert(fc.property(bare, instance, (type, of) => objectName.safeParse(typeObjectNameOf(scopedType(type, of))).success));
  });
});
