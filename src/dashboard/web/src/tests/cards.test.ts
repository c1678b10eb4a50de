import { describe, expect, it } from 'vitest';
import { cardLine, changeText } from '../ui/card-lines';
import { chartModel, rowsAt, scale, spokenAt } from '../ui/chart-model';
import { tableIndexes } from '../ui/chart-panel';
import { spansAbove } from '../ui/paint';
import { NOW, card, sections, series } from './sections';

const plain = (text: string | null): string | null => (text === null ? null : text.replaceAll('\u202f', ' '));
const DAY = 86_400_000;

describe('the line under a value', () => {
  it('compares with an earlier time, and names it', () => {
    // 29 November 2026 is a Sunday.
    const before = (value: number, days: number): Parameters<typeof card>[1] => ({ before: { value, from: NOW - days * DAY, to: NOW - days * DAY + 1 } });
    expect(plain(changeText('requests', card(412, before(400, 7)), NOW))).toBe('+3 % on last Sunday');
    expect(plain(changeText('requests', card(381, before(414, 1)), NOW))).toBe('−8 % on yesterday');
    expect(changeText('requests', card(400, before(401, 1)), NOW)).toBe('No change');
    expect(changeText('requests', card(400, before(0, 1)), NOW)).toBeNull();
    expect(changeText('requests', card(400), NOW)).toBeNull();
  });

  it('tells changes of shares in points', () => {
    const before = { value: 0.34, from: NOW - DAY, to: NOW };
    expect(changeText('cpu', card(0.31, { before }), NOW)).toBe('−3 points');
    expect(changeText('error_rate', card(0.342, { before }), NOW)).toBe('+0.2 points');
    expect(changeText('error_rate', card(0.3401, { before }), NOW)).toBe('No change');
  });

  it('tells the details of each card', () => {
    const { cards } = sections();
    expect(plain(cardLine(cards, 'error_rate', NOW))).toBe('4xx 3.1 % · cancelled 0.4 %');
    expect(plain(cardLine(cards, 'cpu', NOW))).toBe('2.7 of 8 cores');
    expect(plain(cardLine(cards, 'memory', NOW))).toBe('624 MiB of 1 GiB');
    expect(plain(cardLine(cards, 'connections', NOW))).toBe('No wait · p95 acquire 0.2 ms');
    expect(cardLine(cards, 'users', NOW)).toBe('9,410 today');
  });

  it('says why there is no value', () => {
    const { cards } = sections();
    expect(cardLine({ ...cards, requests: card(null, { missing: 'no_requests' }) }, 'requests', NOW)).toBe('No request yet');
    expect(cardLine({ ...cards, requests: card(null, { missing: 'later word' }) }, 'requests', NOW)).toBe('');
    expect(cardLine({ ...cards, requests: card(0, { last_at: NOW - 3_600_000 }) }, 'requests', NOW)).toBe('No request in this range. Last one: 13:32');
  });
});

describe('a chart', () => {
  const of = { ...series(NOW, 6), normal: { error_rate: { low: Array<number>(6).fill(0), high: Array<number>(6).fill(0.004) } } };
  of.values.error_rate = [0.002, null, 0.003, 0.02, 0.06, 0.07];
  const model = chartModel('error_rate', 'Error rate', card(0.07, { warning: 0.01, critical: 0.05 }), of, [], []);

  it('says of each point what its lines and its range say', () => {
    const rows = (i: number): (string | null)[] => rowsAt(model, i).map((row) => plain(row.join(' ').trim()));
    expect(rows(0)).toEqual(['Value 0.2 %', 'Normal 0 % – 0.4 %', 'within normal']);
    expect(rows(1)).toEqual(['Value no data', 'Normal 0 % – 0.4 %']);
    expect(rows(3)).toEqual(['Value 2 %', 'Normal 0 % – 0.4 %', 'over warning, 1 %']);
    expect(rows(5)).toEqual(['Value 7 %', 'Normal 0 % – 0.4 %', 'over critical, 5 %']);
    expect(plain(spokenAt(model, 5))).toBe('14:33:10, Value 7 %, Normal 0 % – 0.4 %, over critical, 5 %');
  });

  it('begins with the data of a new process, and shows five minutes at least', () => {
    const hour = series(NOW - 3_600_000, 360);
    const from = (data_from: number | null): number => chartModel('cpu', '', card(1), { ...hour, data_from }, [], []).from - NOW;
    expect(from(null)).toBe(-3_600_000);
    expect(from(NOW - 1_200_000)).toBe(-1_200_000);
    expect(from(NOW - 20_000)).toBe(-300_000);
    // Of data that is older than the range, the range is shown.
    expect(from(NOW - 7_200_000)).toBe(-3_600_000);
  });

  it('shows when the conditions of its rules held, within its range', () => {
    const span = { rule: 'high-error-rate', card: 'error_rate' as const, severity: 'critical' as const };
    const spans = [
      { ...span, state: 'pending' as const, from: NOW - 60_000, to: NOW + 20_000 },
      { ...span, state: 'firing' as const, from: NOW + 20_000, to: null },
      { ...span, card: 'cpu' as const, state: 'firing' as const, from: NOW, to: null },
      { ...span, state: 'firing' as const, from: NOW - 90_000, to: NOW - 60_000 },
    ];
    const shown = chartModel('error_rate', '', card(1), of, [], [], spans).spans;
    expect(shown.map(({ from, to, isFiring }) => [from - NOW, to - NOW, isFiring])).toEqual([
      [0, 20_000, false],
      [20_000, 60_000, true],
    ]);
  });

  it('begins at 0 when it is large, and fits its values when it is small', () => {
    expect(scale(model, true)[0]).toBe(0);
    expect(scale(model, true)[1]).toBeCloseTo(0.0756);
    expect(scale({ ...model, values: [0.2, 0.9, null], normal: { low: [0, 0, null], high: [2, 2, null] } }, true)).toEqual([0, 1]);
    const flat = { ...model, values: [5, 5, null], normal: null };
    expect(scale(flat, false)).toEqual([4.5, 5.5]);
    expect(scale({ ...flat, values: [null] }, false)).toEqual([0, 1]);
  });

  it('marks runs above a limit, not single points', () => {
    expect(spansAbove([0, 9, 0, 9, 9, 9, 9, 0, 9, 9, 9, null, 9, 9, 9, 9], 5)).toEqual([[3, 6], [12, 15]]);
  });

  it('has its newest points in a table of bounded length', () => {
    expect(tableIndexes(3)).toEqual([2, 1, 0]);
    expect(tableIndexes(360)).toHaveLength(120);
    expect(tableIndexes(360)[0]).toBe(359);
    expect(tableIndexes(0)).toEqual([]);
  });
});
