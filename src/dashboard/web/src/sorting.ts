/** The order of a table, which the address keeps as `?sort=..`. */

import type { StatementRow } from './contract-operations';

export const STATEMENT_ORDERS = ['time', 'calls', 'mean', 'p95', 'errors'] as const;
export type StatementOrder = (typeof STATEMENT_ORDERS)[number];

export function isStatementOrder(name: string | null): name is StatementOrder {
  return (STATEMENT_ORDERS as readonly (string | null)[]).includes(name);
}

export function orderedStatements(rows: StatementRow[], order: StatementOrder): StatementRow[] {
  const by: Record<StatementOrder, (row: StatementRow) => number> = {
    time: (row) => row.total,
    calls: (row) => row.count,
    mean: (row) => row.mean ?? 0,
    p95: (row) => row.p95 ?? 0,
    errors: (row) => row.errors,
  };
  // The sort is stable: statements that are equal stay in the order of their time.
  return [...rows].sort((a, b) => by[order](b) - by[order](a));
}

/** The value of a parameter of the address. */
export function parameter(name: string): string | null {
  return new URLSearchParams(location.search).get(name);
}

/** Sets a parameter of the address, or removes it, without a step of the browser's history. */
export function setParameter(name: string, value: string | null): void {
  const query = new URLSearchParams(location.search);
  if (value === null) query.delete(name);
  else query.set(name, value);
  const text = query.toString();
  history.replaceState(null, '', location.pathname + (text === '' ? '' : '?' + text));
}
