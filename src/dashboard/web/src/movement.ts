/** How far a route has moved from the period before: the order of the list. */

import type { RouteFigures, RouteRow } from './contract-routes';

export const ORDERS = ['movement', 'requests', 'errors', 'p95', 'time'] as const;
export type Order = (typeof ORDERS)[number];

export function isOrder(name: string | null): name is Order {
  return (ORDERS as readonly (string | null)[]).includes(name);
}

/** Below so many requests in a period, a change says little. */
const FEW = 20;

/**
 * How far figures are from those before: a p95 that doubles counts as much as one that halves, as a third of the requests
 * that appears or leaves, and as seven points of errors.
 */
export function movement(now: RouteFigures, before: RouteFigures | null): number {
  if (before === null) return 0;
  const ratio = (a: number | null, b: number | null): number => (a === null || b === null || a <= 0 || b <= 0 ? 0 : Math.abs(Math.log2(a / b)));
  const errors = Math.abs((now.error_rate ?? 0) - (before.error_rate ?? 0)) * 15;
  const all = ratio(now.p95, before.p95) + errors + ratio(now.rate, before.rate) / 2;
  return all * Math.min(1, Math.min(now.count, before.count) / FEW);
}

export function ordered(rows: RouteRow[], order: Order): RouteRow[] {
  const by: Record<Order, (row: RouteRow) => number> = {
    movement: (row) => movement(row, row.before),
    requests: (row) => row.count,
    errors: (row) => row.error_rate ?? 0,
    p95: (row) => row.p95 ?? 0,
    time: (row) => row.time_share ?? 0,
  };
  // The sort is stable: routes that are equal stay in the order of their requests.
  return [...rows].sort((a, b) => by[order](b) - by[order](a));
}
