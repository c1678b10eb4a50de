import { describe, expect, it } from 'vitest';
import type { RouteFigures, RouteRow } from '../contract-routes';
import { movement, ordered } from '../movement';
import { overviewAddress, placeOf, routeAddress, routeOf, routesAddress, tableAddress } from '../place';
import { highest, path, ticks, timeTicks } from '../ui/plot-model';

const figures = (change: Partial<RouteFigures> = {}): RouteFigures => ({
  count: 100,
  rate: 10,
  errors: 0,
  error_rate: 0,
  client_errors: 0,
  cancelled: 0,
  p50: 0.1,
  p95: 0.2,
  p99: 0.3,
  ...change,
});
const row = (route: string, change: Partial<RouteRow> = {}): RouteRow => ({
  ...figures(),
  route,
  method: 'GET',
  time_share: 0.1,
  error_share: null,
  before: figures(),
  p95_curve: [],
  ...change,
});

describe('movement', () => {
  it('is 0 where nothing changed or nothing is known', () => {
    expect(movement(figures(), figures())).toBe(0);
    expect(movement(figures(), null)).toBe(0);
    expect(movement(figures({ p95: null }), figures())).toBe(0);
  });

  it('grows with slower answers and errors, and less where there are few requests', () => {
    expect(movement(figures({ p95: 0.4 }), figures())).toBeCloseTo(1);
    expect(movement(figures({ p95: 0.1 }), figures())).toBeCloseTo(1);
    expect(movement(figures({ error_rate: 0.5 }), figures())).toBeGreaterThan(5);
    expect(movement(figures({ p95: 0.4, count: 2 }), figures())).toBeCloseTo(0.1);
  });

  it('orders the list, and leaves equal routes in the order of their requests', () => {
    const rows = [row('/a'), row('/b'), row('/slow', { p95: 2 }), row('/wrong', { error_rate: 0.4, count: 50 })];
    const names = (order: Parameters<typeof ordered>[1]): string[] => ordered(rows, order).map((it) => it.route);
    expect(names('movement')).toEqual(['/wrong', '/slow', '/a', '/b']);
    expect(names('p95')[0]).toBe('/slow');
    expect(names('errors')[0]).toBe('/wrong');
    expect(names('requests')).toEqual(['/a', '/b', '/slow', '/wrong']);
  });
});

describe('addresses', () => {
  it('are relative and keep the range', () => {
    expect(placeOf('/ops/monitoring/')).toBe('overview');
    expect(placeOf('/ops/monitoring/routes')).toBe('routes');
    expect(placeOf('/route')).toBe('route');
    const range = { kind: 'relative', name: '6h' } as const;
    expect(overviewAddress({ kind: 'relative', name: '1h' })).toBe('./');
    expect(routesAddress(range)).toBe('routes?range=6h');
    expect(tableAddress('error_rate', range)).toBe('./?card=error_rate&view=table&range=6h');
    const address = routeAddress({ route: '/orders/{id}', method: 'GET' }, range);
    expect(address).not.toContain('{');
    expect(routeOf(new URLSearchParams(address.split('?')[1]))).toEqual({ route: '/orders/{id}', method: 'GET' });
  });
});

describe('plots', () => {
  it('have round values and times', () => {
    expect(ticks(2.3)).toEqual([0, 1, 2]);
    expect(ticks(0)).toEqual([0]);
    expect(ticks(90)).toEqual([0, 50]);
    const hour = timeTicks(0, 3_600_000, 700);
    expect(hour.length).toBeGreaterThan(3);
    expect(hour.length).toBeLessThan(8);
    expect(hour.every((at) => at % 600_000 === 0)).toBe(true);
    // A range of months is divided as well.
    expect(timeTicks(0, 400 * 86_400_000, 300).length).toBeLessThan(5);
  });

  it('break a line where a value is missing', () => {
    const same = (value: number): number => value;
    expect(path([1, 2, null, 3, null], same, same)).toBe('M0.0 1.0L1.0 2.0M3.0 3.0h.1');
    expect(highest([[1, null], [2, 5]], true)).toBe(5);
    expect(highest([[1, null], [2, 5]], false)).toBe(5);
    expect(highest([[1], [2]], true)).toBe(3);
    expect(highest([], true)).toBe(0);
  });
});
