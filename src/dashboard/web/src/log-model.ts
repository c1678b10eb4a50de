/** What the page makes of the counts of lines: sums, lanes, and the words of a line. */

import { LOG_LEVELS, type FieldValue, type LogHistogram, type LogLevel, type LogLine } from './contract-logs';
import type { LogView } from './log-places';

export type LevelCounts = Record<LogLevel, number>;

/** The levels that a view shows, the most severe first. */
export function levelsOf({ level, exact_level }: Pick<LogView, 'level' | 'exact_level'>): LogLevel[] {
  const least = level === null ? 0 : LOG_LEVELS.indexOf(level);
  return LOG_LEVELS.filter((name, i) => (exact_level === null ? i >= least : name === exact_level)).reverse();
}

/** The lines of each level. */
export function sumsOf(of: Pick<LogHistogram, 'counts'>): LevelCounts {
  const sums: LevelCounts = { trace: 0, debug: 0, info: 0, warn: 0, error: 0 };
  for (const counts of of.counts) for (const level of LOG_LEVELS) sums[level] += counts[level];
  return sums;
}

/** The lanes of a histogram: those of the view, but `debug` and `trace` only if there are lines of them or they are asked for. */
export function lanesOf(of: LogHistogram, view: Pick<LogView, 'level' | 'exact_level'>): LogLevel[] {
  const sums = sumsOf(of);
  const levels = levelsOf(view);
  return levels.filter((level) => sums[level] > 0 || levels.length <= 3 || (level !== 'trace' && level !== 'debug'));
}

/** The name of a level in the lines, or the name itself. */
export function levelOf(name: string): string {
  return name.toLowerCase();
}

/** Fields that stand elsewhere in a row, or are the same in all lines of a service. */
const NOT_IN_ROW = /^(target|message|trace_id|span_id|parent_span_id|event_id|service\.|deployment\.|code\.|log\.|exception\.|client\.|user_agent\.|url\.path$|http\.route$|http\.request\.method$|time_to_headers_ms$|http\.re\w+\.body\.size$)/;

/** Fields of the record of a request that its message has. */
const IN_MESSAGE = /^(http\.response\.status_code|watchpost\.outcome|duration_ms|error\.type)$/;

/** The first fields of a line that say more than its message. */
export function rowFields({ fields }: LogLine, most = 4): [string, FieldValue][] {
  const isRequest = 'http.request.method' in fields && 'watchpost.outcome' in fields;
  return Object.entries(fields).filter(([name, value]) => value !== null && !NOT_IN_ROW.test(name) && !(isRequest && IN_MESSAGE.test(name))).slice(0, most);
}

/** A field that is a text. */
export function textField({ fields }: Pick<LogLine, 'fields'>, name: string): string | null {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The names of the fields of lines. */
export function namesOf(lines: LogLine[]): Set<string> {
  return new Set(lines.flatMap(({ fields }) => Object.keys(fields)));
}
