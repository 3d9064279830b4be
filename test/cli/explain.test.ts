import { describe, expect, it } from 'vitest';
import { fieldLines, schemaAt, typeOf, wrap } from '../../cli/output/explain.ts';
import { runCli } from './fake-daemon.ts';

const SCHEMA = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      description: 'What it is.',
      properties: { ports: { type: 'array', items: { type: 'object', properties: { port: { type: 'integer' } } } } },
    },
    labels: { anyOf: [{ type: 'object', additionalProperties: { type: 'string' } }, { type: 'null' }] },
  },
};

describe('explain', () => {
  it('walks through objects and lists', () => {
    expect(schemaAt(SCHEMA, ['spec', 'ports', 'port'])).toEqual({ type: 'integer' });
    expect(schemaAt(SCHEMA, ['spec', 'pots'])).toBeUndefined();
    expect(schemaAt(SCHEMA, ['constructor'])).toBeUndefined();
  });

  it('names types', () => {
    expect(typeOf(SCHEMA.properties.labels)).toBe('map[string]string');
    expect(typeOf(SCHEMA.properties.spec.properties.ports)).toBe('[]Object');
    expect(typeOf({ type: 'string', enum: ['None', 'Custom'] })).toBe('"None"|"Custom"');
  });

  it('lists fields with what is required, and their descriptions', () => {
    expect(fieldLines(SCHEMA)).toEqual(['  labels  <map[string]string>', '  spec  <Object>  -required-', '      What it is.']);
    expect(wrap('word '.repeat(30), '  ').every((line) => line.length <= 80)).toBe(true);
  });

  it('explains every kind without a daemon, and corrects fields', async () => {
    const [field, wrong] = await Promise.all([runCli({}, 'explain', 'dtapp.spec.authenticationURL'), runCli({}, 'explain', 'dtapp.spek')]);
    expect(field.stdout).toContain('FIELD:    spec.authenticationURL <string>');
    expect(field.stdout).toContain('asked before each request');
    expect(wrong).toMatchObject({ code: 5, stderr: expect.stringContaining('did you mean spec?') });
  });
});
