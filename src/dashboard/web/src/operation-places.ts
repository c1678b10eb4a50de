/** The addresses of the pages and documents of statements, pools and calls. */

import type { StatementName } from './contract-operations';
import { address } from './place';
import { rangeQuery, type RangeChoice } from './range';

const named = ({ system, namespace, summary }: StatementName): Record<string, string> => (namespace === '' ? { system, summary } : { system, namespace, summary });

export const databaseAddress = (range: RangeChoice): string => address('database', range);
export const callsAddress = (range: RangeChoice): string => address('calls', range);
export const statementAddress = (name: StatementName, range: RangeChoice): string => address('statement', range, named(name));

/** The statement in the address of its page. */
export function statementOf(query: URLSearchParams): StatementName {
  return { system: query.get('system') ?? '', namespace: query.get('namespace') ?? '', summary: query.get('summary') ?? '' };
}

export const statementsPath = (range: RangeChoice): string => `data/v1/statements?${rangeQuery(range)}`;
export const statementPath = (name: StatementName, range: RangeChoice): string => `data/v1/statement?${new URLSearchParams(named(name)).toString()}&${rangeQuery(range)}`;
export const poolsPath = (range: RangeChoice): string => `data/v1/pools?${rangeQuery(range)}`;
export const callsPath = (range: RangeChoice): string => `data/v1/calls?${rangeQuery(range)}`;
