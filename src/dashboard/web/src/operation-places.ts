/** The addresses of the pages and documents of statements, pools and calls. */

import type { StatementName } from './contract-operations';
import type { TraceSpan } from './contract-traces';
import { address } from './place';
import { rangeQuery, type RangeChoice } from './range';

const named = ({ system, namespace, summary }: StatementName): Record<string, string> => (namespace === '' ? { system, summary } : { system, namespace, summary });

export const databaseAddress = (range: RangeChoice): string => address('database', range);
export const callsAddress = (range: RangeChoice): string => address('calls', range);
export const statementAddress = (name: StatementName, range: RangeChoice): string => address('statement', range, named(name));

/** The page of all that did the same as a span: its statement, or the calls. `null` if its attributes do not say what it did. */
export function workAddress({ details }: TraceSpan, range: RangeChoice): string | null {
  const value = (key: string): string => details?.attributes.find((pair) => pair.key === key)?.value ?? '';
  const [system, summary] = [value('db.system.name'), value('db.query.summary')];
  if (system !== '' && summary !== '') return statementAddress({ system, namespace: value('db.namespace'), summary }, range);
  return value('service.peer.name') === '' ? null : callsAddress(range);
}

/** The statement in the address of its page. */
export function statementOf(query: URLSearchParams): StatementName {
  return { system: query.get('system') ?? '', namespace: query.get('namespace') ?? '', summary: query.get('summary') ?? '' };
}

export const statementsPath = (range: RangeChoice): string => `data/v1/statements?${rangeQuery(range)}`;
export const statementPath = (name: StatementName, range: RangeChoice): string => `data/v1/statement?${new URLSearchParams(named(name)).toString()}&${rangeQuery(range)}`;
export const poolsPath = (range: RangeChoice): string => `data/v1/pools?${rangeQuery(range)}`;
export const callsPath = (range: RangeChoice): string => `data/v1/calls?${rangeQuery(range)}`;
