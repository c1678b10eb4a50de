/** Which traces a list shows, as the address bar holds it. */

import { rangeQuery, type RangeChoice } from './range';

export const KEPT_REASONS = ['panic', 'timeout', 'error', 'captured', 'slow', 'parent', 'head'] as const;

/** Empty texts filter nothing. */
export interface TraceFilter {
  route: string;
  /** Milliseconds. */
  min_ms: string;
  max_ms: string;
  /** `5xx`, or a code. */
  status: string;
  kept: string;
  /** A trace ID or a request ID. */
  id: string;
}

export const FILTER_NAMES = ['route', 'min_ms', 'max_ms', 'status', 'kept', 'id'] as const satisfies readonly (keyof TraceFilter)[];

export const NO_FILTER: TraceFilter = { route: '', min_ms: '', max_ms: '', status: '', kept: '', id: '' };

export function readFilter(query: URLSearchParams): TraceFilter {
  const filter = { ...NO_FILTER };
  for (const name of FILTER_NAMES) filter[name] = (query.get(name) ?? '').trim();
  return filter;
}

/** Sets the filter in `query`, and leaves its other parameters. */
export function writeFilter(query: URLSearchParams, filter: TraceFilter): void {
  for (const name of FILTER_NAMES) {
    if (filter[name] === '') query.delete(name);
    else query.set(name, filter[name]);
  }
}

export function isFiltered(filter: TraceFilter): boolean {
  return FILTER_NAMES.some((name) => filter[name] !== '');
}

function documentPath(document: string, filter: TraceFilter, range: RangeChoice): string {
  const query = new URLSearchParams();
  writeFilter(query, filter);
  return `data/v1/${document}?${[rangeQuery(range), query.toString()].filter((part) => part !== '').join('&')}`;
}

export const tracesPath = (filter: TraceFilter, range: RangeChoice): string => documentPath('traces', filter, range);
export const differencesPath = (filter: TraceFilter, range: RangeChoice): string => documentPath('trace-differences', filter, range);

export function tracePath(id: string, span: string | null): string {
  return `data/v1/trace?id=${encodeURIComponent(id)}${span === null ? '' : `&span=${encodeURIComponent(span)}`}`;
}

/**
 * Whether a text that was typed into the search is an ID to look up, and not a word to find on the page: a trace ID, its lower
 * half, or a long text with digits and without spaces.
 */
export function looksLikeId(text: string): boolean {
  const id = text.trim();
  if (/^([0-9a-f]{32}|[0-9a-f]{16}|\d{17,20})$/i.test(id)) return true;
  return /^[\w.:@~+=-]{6,256}$/.test(id) && /\d/.test(id);
}
