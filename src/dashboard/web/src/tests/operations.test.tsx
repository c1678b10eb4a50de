import { render } from 'preact';
import { describe, expect, it } from 'vitest';
import type { ServiceCalls, StatementRow } from '../contract-operations';
import { clockSeconds } from '../format';
import { LEVELS, cellAddress, columnTime, heatRows, heightOf, highestCount, level, type HeatMap } from '../heat-model';
import { databaseAddress, statementAddress, statementOf } from '../operation-places';
import { curveData, fileName, toCsv, toJson } from '../panel-data';
import { placeOf } from '../place';
import { readRange } from '../range';
import { orderedStatements } from '../sorting';
import { limitRows } from '../ui/calls';
import { Callers, callersText } from '../ui/callers';
import { rowsPerCall } from '../ui/database';
import { HeatPanel, HeatTable, boundTicks, heatData, rowName } from '../ui/heat';

const HOSTILE = '<img src=x onerror=alert(1)>';
const map: HeatMap = {
  start: 1_000_000,
  step_ms: 10_000,
  bounds: [0.1, 0.16, 0.25],
  columns: [null, [0, 4, 0, 0], [0, 100, 1, 0]],
};

describe('heat map', () => {
  it('draws the rows from the first bound to the last', () => {
    const rows = heatRows(map);
    expect(rows.map(rowName)).toEqual(['100\u202fms – 160\u202fms', '160\u202fms – 250\u202fms']);
    // What is outside of the bounds has a row of its own, which has no bound on that side.
    const open = heatRows({ ...map, columns: [[2, 0, 0, 3]] });
    expect([open[0], open.at(-1)].map((row) => row && [row.from, row.to])).toEqual([[null, 0.1], [0.25, null]]);
    expect(heatRows({ ...map, bounds: [], columns: [[3]] })).toEqual([{ place: 0, from: null, to: null }]);
  });

  it('has a shade for each count, the darkest for the highest', () => {
    const most = highestCount(map);
    expect(most).toBe(100);
    expect([0, 1, 4, 100].map((count) => level(count, most))).toEqual([0, 1, 2, LEVELS]);
    expect(level(1, 1)).toBe(1);
    expect(highestCount({ ...map, columns: [null] })).toBe(0);
  });

  it('opens the traces of a cell: its route, its time, widened to a minute, and its durations', () => {
    const rows = heatRows(map);
    const address = cellAddress('/orders/{id}?x=1&y', map, 2, rows[1] ?? { place: 0, from: null, to: null });
    const query = new URLSearchParams(address.split('?').slice(1).join('?'));
    expect(query.get('route')).toBe('/orders/{id}?x=1&y');
    expect([query.get('min_ms'), query.get('max_ms')]).toEqual(['160', '250']);
    const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
    expect(from).toBeLessThanOrEqual(1_020_000);
    expect(to).toBeGreaterThanOrEqual(1_030_000);
    expect(readRange(query)).toEqual({ kind: 'absolute', from, to });
    const open = cellAddress('/a', map, 0, { place: 0, from: null, to: 0.1 });
    expect(open).not.toContain('min_ms');
  });

  it('gives a column the same time everywhere: the end of its step', () => {
    const line = { start: map.start, stepMs: map.step_ms, values: [] };
    const props = { route: '/a', map, p50: line, p95: line, markers: [] };
    const times = [1_010_000, 1_020_000, 1_030_000];
    expect(map.columns.map((_, column) => columnTime(map, column))).toEqual(times);
    expect(heatData(props).rows.map(([time]) => time)).toEqual(times.map((at) => new Date(at).toISOString()));
    const root = document.createElement('div');
    render(<HeatTable {...props} />, root);
    expect([...root.querySelectorAll('tbody th')].map((th) => th.textContent)).toEqual([...times].reverse().map(clockSeconds));
    render(<HeatPanel {...props} />, root);
    expect(root.querySelector('[role=slider]')?.getAttribute('aria-valuetext')).toContain(clockSeconds(1_030_000));
  });

  it('puts durations on a logarithmic axis', () => {
    const rows = heatRows(map);
    expect(heightOf(0.1, rows)).toBe(0);
    expect(heightOf(0.16, rows)).toBe(0.5);
    expect(heightOf(Math.sqrt(0.1 * 0.16), rows)).toBeCloseTo(0.25);
    expect(heightOf(9, rows)).toBeLessThanOrEqual(1);
    expect(heightOf(0.001, rows)).toBe(0);
    expect(boundTicks(rows).map((tick) => tick.at)).toEqual([0, 1, 2]);
  });
});

const statement = (summary: string, change: Partial<StatementRow> = {}): StatementRow => ({
  system: 'postgresql', namespace: 'shop', summary, is_other: false, count: 10, rate: 1, errors: 0, error_rate: 0, cancelled: 0, total: 1, mean: 0.1, p50: 0.1, p95: 0.2, p99: 0.3,
  texts_known: 1, calls_since_start: 20, rows_since_start: 50, callers: [], other_callers: 0, in_loop: false, time_share: 0.1, ...change,
});

describe('statements', () => {
  it('are ordered by each figure, and equal ones stay', () => {
    const rows = [statement('a', { total: 9 }), statement('b', { count: 99 }), statement('c', { mean: null, p95: 7, errors: 1 })];
    const names = (order: Parameters<typeof orderedStatements>[1]): string => orderedStatements(rows, order).map((row) => row.summary).join('');
    expect(names('time')).toBe('abc');
    expect(names('calls')).toBe('bac');
    expect(names('p95')).toBe('cab');
    expect(names('errors')).toBe('cab');
    expect(names('mean')).toBe('abc');
  });

  it('have rows for each call where both are known', () => {
    expect(rowsPerCall(statement('a'))).toBe(2.5);
    expect(rowsPerCall(statement('a', { rows_since_start: null }))).toBeNull();
    expect(rowsPerCall(statement('a', { calls_since_start: 0 }))).toBeNull();
  });

  it('have addresses that keep any text', () => {
    const name = { system: 'postgresql', namespace: 'a&b=c', summary: HOSTILE };
    const address = statementAddress(name, { kind: 'relative', name: '6h' });
    expect(address).not.toContain('<');
    const query = new URLSearchParams(address.split('?')[1]);
    expect(statementOf(query)).toEqual(name);
    expect(query.get('range')).toBe('6h');
    expect(placeOf('/ops/statement')).toBe('statement');
    expect(databaseAddress({ kind: 'relative', name: '1h' })).toBe('database');
  });
});

describe('limits', () => {
  it('come with the most used first', () => {
    const limit = (window: string, used: number | null): ServiceCalls['limits'][number] => ({ window, used, limit: 10, remaining: 1, reset_in: null, exhausted_in: null });
    const service = (name: string, limits: ServiceCalls['limits']): ServiceCalls => ({ service: name, limits }) as ServiceCalls;
    const rows = limitRows([service('a', [limit('x', 0.2), limit('y', null)]), service('b', [limit('z', 0.9)])]);
    expect(rows.map((row) => row.service + row.window)).toEqual(['bz', 'ax', 'ay']);
  });
});

describe('files of a panel', () => {
  const data = { name: 'x', columns: ['text', 'number'], rows: [['a,"b"\nc', 1.5], ['=1+1', null], [HOSTILE, 0]] };

  it('quote texts, and defuse what a spreadsheet would evaluate', () => {
    expect(toCsv(data)).toBe(`text,number\r\n"a,""b""\nc",1.5\r\n'=1+1,\r\n${HOSTILE},0\r\n`);
    for (const text of ['+1', '-1', '@x', '\tx', '＝1']) expect(toCsv({ name: '', columns: [], rows: [[text]] })).toMatch(/^\r\n"?'/);
    // A negative number is a number.
    expect(toCsv({ name: '', columns: ['n'], rows: [[-1]] })).toBe('n\r\n-1\r\n');
  });

  it('read back as JSON', () => {
    expect(JSON.parse(toJson(data))).toEqual([{ text: 'a,"b"\nc', number: 1.5 }, { text: '=1+1', number: null }, { text: HOSTILE, number: 0 }]);
  });

  it('have the points of a chart, and names without signs', () => {
    expect(curveData('p', 0, 1000, [{ name: 'p95', values: [1, null] }])).toEqual({ name: 'p', columns: ['time', 'p95'], rows: [['1970-01-01T00:00:01.000Z', 1], ['1970-01-01T00:00:02.000Z', null]] });
    expect(fileName('durations-/orders/{id}', 'csv')).toBe('durations-orders-id.csv');
    expect(fileName('../../<b>', 'json')).toBe('b.json');
    expect(fileName('…', 'csv')).toBe('panel.csv');
  });
});

describe('callers', () => {
  it('show text from outside as text, and how many more there are', () => {
    const box = document.createElement('div');
    const callers = [{ route: HOSTILE, method: 'GET', calls: 3 }, { route: '', method: null, calls: 2 }, { route: '/c', method: null, calls: 1 }];
    render(<Callers callers={callers} others={4} most={2} />, box);
    expect(box.querySelector('img')).toBeNull();
    expect(box.textContent).toContain(HOSTILE);
    expect(box.textContent).toContain('outside a request');
    expect(box.textContent).toContain('+ 2 more');
    expect(callersText(callers, 4)).toBe(`${HOSTILE} (3); outside a request (2); /c (1); other routes (4)`);
  });
});
