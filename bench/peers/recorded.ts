/** One request of a client and its answer, as `recorder.ts` writes and `static-https.ts` reads it. */
import { z } from 'zod';

export const recorded = z.object({
  method: z.string(),
  url: z.string(),
  accept: z.string(),
  status: z.number(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  /** Base64. */
  body: z.string(),
});
export type Recorded = z.infer<typeof recorded>;

export function recordedKey({ method, url, accept }: Pick<Recorded, 'method' | 'url' | 'accept'>): string {
  return `${method} ${url} ${accept}`;
}
