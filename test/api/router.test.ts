import { TrieRouter } from 'hono/router/trie-router';
import { describe, expect, test } from 'vitest';
import { RememberingRouter } from '../../daemon/src/api/router.ts';

const ROUTES = [
  ['GET', '/things', 'list'],
  ['GET', '/things/:name', 'get'],
  ['PUT', '/things/:name', 'put'],
  ['ALL', '/things/:name', 'refuse'],
  ['ALL', '/things/:name/:rest{.+}', 'below'],
] as const;

function routers(): { remembering: RememberingRouter<string>; plain: TrieRouter<string> } {
  const made = { remembering: new RememberingRouter<string>(), plain: new TrieRouter<string>() };
  for (const [method, path, handler] of ROUTES) {
    made.remembering.add(method, path, handler);
    made.plain.add(method, path, handler);
  }
  return made;
}

/** Of all that fit the one that was added first. */
function first({ plain }: ReturnType<typeof routers>, method: string, path: string): unknown {
  return [plain.match(method, path)[0].slice(0, 1)];
}

describe('RememberingRouter', () => {
  test('finds the first route that fits, each time anew', () => {
    const made = routers();
    const asked = [
      'GET /things',
      'GET /things/a',
      'GET /things/b',
      'PUT /things/a',
      'POST /things/a',
      'GET /things/a/b/c',
      'GET /other',
      `GET /things/${'x'.repeat(400)}`,
    ];
    for (const line of [...asked, ...asked]) {
      const [method = '', path = ''] = line.split(' ');
      expect(made.remembering.match(method, path)).toEqual(first(made, method, path));
    }
  });

  test('finds routes that are added later, and those of very many paths', () => {
    const made = routers();
    const { remembering, plain } = made;
    remembering.match('GET', '/things/late');
    for (const router of [remembering, plain]) router.add('GET', '/things/late', 'late');
    for (let index = 0; index < 1_000; index += 1) {
      expect(remembering.match('GET', `/things/${index}`)).toEqual(first(made, 'GET', `/things/${index}`));
    }
    expect(remembering.match('GET', '/things/late')).toEqual(first(made, 'GET', '/things/late'));
  });
});
