import { describe, expect, it } from 'vitest';
import { liveAddress } from '../api';
import { bounds, rangeQuery, readRange, writeRange, zoomed } from '../range';
import { extended, indexAt, isBehind, times } from '../series';
import { series, steps } from './sections';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;

describe('the range of the address', () => {
  it('is read, and anything else is the last hour', () => {
    const read = (query: string): string => rangeQuery(readRange(new URLSearchParams(query)));
    expect(read('range=6h')).toBe('range=6h');
    expect(read(`from=${NOW - HOUR}&to=${NOW}`)).toBe(`from=${NOW - HOUR}&to=${NOW}`);
    for (const bad of ['', 'range=2h', 'from=1', `from=${NOW}&to=${NOW}`, 'from=a&to=b', 'from=-5&to=99999999', 'from=1.5&to=99999999.5']) {
      expect(read(bad)).toBe('range=1h');
    }
  });

  it('is written without touching other parameters', () => {
    const query = new URLSearchParams(`card=cpu&from=1&to=2`);
    writeRange(query, { kind: 'relative', name: '7d' });
    expect(query.toString()).toBe('card=cpu&range=7d');
    writeRange(query, { kind: 'relative', name: '1h' });
    expect(query.toString()).toBe('card=cpu');
    writeRange(query, { kind: 'absolute', from: 5, to: 9 });
    expect(query.toString()).toBe('card=cpu&from=5&to=9');
  });

  it('ends now at the latest and has at least a minute', () => {
    expect(zoomed(NOW - 10_000, NOW, NOW)).toEqual({ kind: 'absolute', from: NOW - 60_000, to: NOW });
    expect(zoomed(NOW - 2 * HOUR, NOW - HOUR, NOW)).toEqual({ kind: 'absolute', from: NOW - 2 * HOUR, to: NOW - HOUR });
    expect(bounds({ kind: 'relative', name: '15m' }, NOW)).toEqual({ from: NOW - HOUR / 4, to: NOW });
  });
});

describe('a series', () => {
  it('takes the points that are new and keeps its length', () => {
    const before = series(NOW, 360);
    const after = extended(before, steps(NOW + 3_510_000, 12));
    expect(after?.start).toBe(NOW + 30_000);
    expect(after?.values.cpu).toHaveLength(360);
    const newest = after === null ? [] : after.values.cpu.slice(-4).map((end, i) => [end, (times(after)[356 + i] ?? 0) / 1000]);
    for (const [value, time] of newest) expect(value).toBe(time);
  });

  it('stays as it is when nothing is new', () => {
    const before = series(NOW, 360);
    expect(extended(before, steps(NOW + 3_480_000, 12))).toBe(before);
    expect(extended(before, steps(NOW, 12))).toBe(before);
  });

  it('is read again after a pause that the points do not cover, and for another step', () => {
    const before = series(NOW, 360);
    expect(extended(before, steps(NOW + 3_610_000, 12))).toBeNull();
    expect(extended(series(NOW, 360, 60_000), steps(NOW, 12))).toBeNull();
    expect(isBehind(before, NOW + 3_610_000)).toBe(false);
    expect(isBehind(before, NOW + 3_620_000)).toBe(true);
  });

  it('keeps the normal range as long as its values', () => {
    const before = { ...series(NOW, 5), normal: { cpu: { low: [1, 2, 3, 4, 5], high: [2, 3, 4, 5, 6] } } };
    const after = extended(before, steps(NOW + 20_000, 5));
    expect(after?.normal.cpu).toEqual({ low: [3, 4, 5, 5, 5], high: [4, 5, 6, 6, 6] });
  });

  it('finds the step of a time', () => {
    const of = series(NOW, 360);
    expect([NOW - HOUR, NOW + 10_000, NOW + 24_000, NOW + 9 * HOUR].map((at) => indexAt(of, at))).toEqual([0, 0, 1, 359]);
  });
});

it('finds the WebSocket next to the page, below any path', () => {
  expect(liveAddress('http://localhost:8/monitoring/?range=6h#errors')).toBe('ws://localhost:8/monitoring/live');
  expect(liveAddress('https://a.example/ops/x/')).toBe('wss://a.example/ops/x/live');
  expect(liveAddress('https://a.example/monitoring/routes')).toBe('wss://a.example/monitoring/live');
});
