/** The range of a page, as the address bar holds it: `?range=6h`, or `?from=..&to=..` in milliseconds. */

export const RELATIVE = ['15m', '1h', '6h', '24h', '7d', '30d'] as const;
export type RelativeName = (typeof RELATIVE)[number];

export type RangeChoice = { kind: 'relative'; name: RelativeName } | { kind: 'absolute'; from: number; to: number };

export const DEFAULT_RANGE: RangeChoice = { kind: 'relative', name: '1h' };

const MINUTE = 60_000;
const LENGTHS: Record<RelativeName, number> = {
  '15m': 15 * MINUTE,
  '1h': 60 * MINUTE,
  '6h': 360 * MINUTE,
  '24h': 1440 * MINUTE,
  '7d': 7 * 1440 * MINUTE,
  '30d': 30 * 1440 * MINUTE,
};

/** The shortest range that can be zoomed to. */
export const SHORTEST = MINUTE;

export function isRelative(name: string | null): name is RelativeName {
  return (RELATIVE as readonly (string | null)[]).includes(name);
}

export function readRange(query: URLSearchParams): RangeChoice {
  const name = query.get('range');
  if (isRelative(name)) return { kind: 'relative', name };
  const from = Number(query.get('from'));
  const to = Number(query.get('to'));
  if (Number.isSafeInteger(from) && Number.isSafeInteger(to) && from > 0 && to - from >= SHORTEST) {
    return { kind: 'absolute', from, to };
  }
  return DEFAULT_RANGE;
}

/** Sets the range in `query`, and leaves its other parameters. */
export function writeRange(query: URLSearchParams, range: RangeChoice): void {
  for (const name of ['range', 'from', 'to']) query.delete(name);
  if (range.kind === 'absolute') {
    query.set('from', range.from.toString());
    query.set('to', range.to.toString());
  } else if (range.name !== '1h') {
    query.set('range', range.name);
  }
}

/** The query of `data/v1/overview`. */
export function rangeQuery(range: RangeChoice): string {
  return range.kind === 'relative' ? `range=${range.name}` : `from=${range.from}&to=${range.to}`;
}

export function sameRange(a: RangeChoice, b: RangeChoice): boolean {
  return rangeQuery(a) === rangeQuery(b);
}

export function bounds(range: RangeChoice, now: number): { from: number; to: number } {
  return range.kind === 'absolute' ? { from: range.from, to: range.to } : { from: now - LENGTHS[range.name], to: now };
}

/** An absolute range of at least {@link SHORTEST}, around the same middle, that ends at `now` at the latest. */
export function zoomed(from: number, to: number, now: number): RangeChoice {
  const middle = (from + to) / 2;
  const half = Math.max(to - from, SHORTEST) / 2;
  const end = Math.min(now, middle + half);
  return { kind: 'absolute', from: Math.round(end - 2 * half), to: Math.round(end) };
}
