import { describe, expect, it } from 'vitest';
import { extraFor } from '../../../daemon/src/mesh/host/patience.ts';

describe('patience', () => {
  it('is for busy machines, grows with the lag, and ends', () => {
    expect(extraFor(0)).toBe(0);
    expect(extraFor(50)).toBe(0);
    expect(extraFor(1_000)).toBeGreaterThan(2_000);
    expect(extraFor(2_000)).toBeGreaterThan(extraFor(1_000));
    expect(extraFor(10 ** 9)).toBeLessThanOrEqual(30_000);
  });
});
