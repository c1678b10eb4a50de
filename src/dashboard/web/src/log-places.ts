/** The addresses of the page of logs and of its documents, and what the page shows, as the address bar holds it. */

import { LOG_LEVELS, type LogLevel } from './contract-logs';
import { andQuery, fieldTerm } from './log-query';
import { address } from './place';
import { rangeQuery, type RangeChoice } from './range';

export const LOG_SHOWS = ['lines', 'patterns', 'around', 'tail'] as const;
export type LogShow = (typeof LOG_SHOWS)[number];

export interface LogView {
  /** In the language of searches. */
  text: string;
  /** At least this level, or exactly it. */
  level: LogLevel | null;
  exact_level: LogLevel | null;
  show: LogShow;
  /** The line whose neighbours are shown. */
  line: string | null;
  /** Where the list begins, if not with the newest line. */
  cursor: string | null;
  /** A field whose values are counted beside the usual ones. */
  by: string | null;
}

export const LOGS: LogView = { text: '', level: null, exact_level: null, show: 'lines', line: null, cursor: null, by: null };

/** The server takes so many bytes. */
export const MAX_TEXT = 2048;

export function readView(query: URLSearchParams): LogView {
  const level = (name: string): LogLevel | null => LOG_LEVELS.find((it) => it === query.get(name)) ?? null;
  const text = (name: string): string | null => query.get(name)?.slice(0, 256) ?? null;
  const exact_level = level('exact_level');
  const line = text('line');
  const show = LOG_SHOWS.find((it) => it === query.get('show')) ?? 'lines';
  return {
    text: query.get('text')?.slice(0, 2 * MAX_TEXT).trim() ?? '',
    level: exact_level === null ? level('level') : null,
    exact_level,
    show: show === 'around' && line === null ? 'lines' : show,
    line,
    cursor: text('cursor'),
    by: text('by'),
  };
}

/** Sets the view in `query`, and leaves its other parameters. */
export function writeView(query: URLSearchParams, view: LogView): void {
  for (const name of Object.keys(LOGS) as (keyof LogView)[]) {
    const value = view[name];
    if (value === null || value === LOGS[name]) query.delete(name);
    else query.set(name, value);
  }
}

export function logsAddress(range: RangeChoice, view: Partial<LogView> = {}): string {
  const query = new URLSearchParams();
  writeView(query, { ...LOGS, ...view });
  return address('logs', range, Object.fromEntries(query));
}

const MARGIN = 300_000;

/** The lines of a trace: its range is its own time, which may be long ago. */
export function logsOfTrace(id: string, start: number, seconds: number | null, now: number): string {
  const to = Math.min(Math.max(now, start + 60_000), start + (seconds ?? 0) * 1000 + MARGIN);
  return logsAddress({ kind: 'absolute', from: Math.floor(start - MARGIN), to: Math.ceil(to) }, { text: fieldTerm('trace_id', id) });
}

export function logsOfRoute(route: string, method: string | null, range: RangeChoice): string {
  const text = fieldTerm('http.route', route);
  return logsAddress(range, { text: method === null ? text : andQuery(text, fieldTerm('http.request.method', method)) });
}

/** The lines of the captured errors of a type; of messages, those from its file. */
export function logsOfError({ type, location }: { type: string; location: string }, range: RangeChoice): string {
  const file = location.replace(/(:\d+){1,2}$/, '');
  const terms = [type === '' ? 'event_id:*' : fieldTerm('exception.type', type), file === '' ? '' : fieldTerm('code.file.path', file)];
  return logsAddress(range, { text: terms.filter(Boolean).join(' ') });
}

function path(document: string, parts: Record<string, string | number | null>, range: RangeChoice | null): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) if (value !== null && value !== '') query.set(name, String(value));
  const text = [range === null ? '' : rangeQuery(range), query.toString()].filter(Boolean).join('&');
  return `data/v1/logs${document}${text === '' ? '' : '?' + text}`;
}

const selected = ({ text, level, exact_level }: LogView): Record<string, string | null> => ({ text, level, exact_level });

/** Lines of one page of the list. */
export const PAGE_LINES = 100;
export const linesPath = (view: LogView, range: RangeChoice): string => path('', { ...selected(view), cursor: view.cursor, limit: PAGE_LINES }, range);
/** Of all levels: the page leaves out those that are not chosen, and offers them. */
export const histogramPath = (view: LogView, range: RangeChoice): string => path('/histogram', { text: view.text }, range);
export const facetPath = (field: string, view: LogView, range: RangeChoice): string => path('/facets', { field, ...selected(view), limit: 8 }, range);
export const patternsPath = (view: LogView, range: RangeChoice): string => path('/patterns', { ...selected(view), limit: 100 }, range);
/** Lines on each side of a line. */
export const AROUND = 20;
export const contextPath = (cursor: string): string => path('/context', { cursor, before: AROUND, after: AROUND }, null);
export const tailPath = (view: LogView, cursor: string | null, limit: number): string => path('/tail', { ...selected(view), cursor, limit }, null);
export const exportPath = (view: LogView, range: RangeChoice, cursor: string | null): string => path('/export', { ...selected(view), cursor }, range);
