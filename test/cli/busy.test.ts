import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { ApiClient } from '../../cli/client/api.ts';
import type { HttpAnswer, HttpRequest, HttpsClient } from '../../cli/client/https.ts';

/** A daemon that is busy so many times. */
function client(times: number): { api: ApiClient; asked: string[] } {
  const asked: string[] = [];
  const send = async ({ method }: HttpRequest): Promise<HttpAnswer> => {
    asked.push(method);
    const busy = asked.length <= times;
    const body = busy
      ? { reason: 'TooManyRequests', message: 'too many lists', details: { code: 'TOO_MANY_REQUESTS' } }
      : { name: 'there' };
    const message = Object.assign(Readable.from([Buffer.from(JSON.stringify(body))]), { headers: { 'retry-after': '0' } });
    return { status: busy ? 429 : 200, warnings: [], message } as unknown as HttpAnswer;
  };
  return { api: new ApiClient({ send } as unknown as HttpsClient, { onWarning: () => {} }), asked };
}

it('asks a busy daemon again, when that says and not for ever', async () => {
  const { api, asked } = client(2);
  expect(await api.daemon('GET', 'status')).toEqual({ name: 'there' });
  expect(asked).toHaveLength(3);
  const never = client(100);
  await expect(never.api.daemon('GET', 'status')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  expect(never.asked).toHaveLength(6);
});

it('does nothing twice that changes something', async () => {
  const { api, asked } = client(1);
  await expect(api.daemon('POST', 'status', {})).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  expect(asked).toEqual(['POST']);
});
