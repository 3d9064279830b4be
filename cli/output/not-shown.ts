/** Says below a list how many earlier rows it leaves out; undefined if none. */
export function notShown(earlier: number): string | undefined {
  return earlier <= 0 ? undefined : `${earlier} earlier ${earlier === 1 ? 'one is' : 'ones are'} not shown; see --limit.`;
}
