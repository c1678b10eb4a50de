/** What the server sends of searches in log records. */

import type { Time } from './contract';

/** The most severe one last. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type FieldValue = string | number | boolean | null;

export interface LogLine {
  /** Where the line is. */
  cursor: string;
  at: Time;
  /** In capitals. */
  level: string;
  message: string;
  /** All others but time and level. */
  fields: Record<string, FieldValue>;
}

/** Why a search ended: nothing is left, there are as many lines as asked for, or its time was over. */
export type SearchEnd = 'complete' | 'rows' | 'time';

interface Searched {
  end: SearchEnd;
  /** How far back it got. */
  reached: Time | null;
}

/** `GET data/v1/logs?range=..` */
export interface LogList extends Searched {
  /** The newest first. */
  lines: LogLine[];
  /** Where the search continues. */
  next: string | null;
  source: 'files' | 'memory';
  looked_at: number;
  /** Files that could not be read, or in part. */
  unreadable: number;
}

/** `GET data/v1/logs/histogram?intervals=..` */
export interface LogHistogram extends Searched {
  start: Time;
  step_ms: number;
  counts: Record<LogLevel, number>[];
}

/** `GET data/v1/logs/facets?field=..` */
export interface LogFacet extends Searched {
  field: string;
  /** The most frequent first. Values are cut at 256 bytes. */
  values: { value: string; count: number }[];
  /** Lines with another value. */
  others: number;
  /** Lines without the field. */
  missing: number;
}

export interface LogPattern {
  /** `<*>` stands for words that differ. */
  template: string;
  count: number;
  /** The most severe one of its lines, in capitals. */
  level: string;
  first: Time;
  last: Time;
  /** The newest message. */
  example: string;
}

/** `GET data/v1/logs/patterns` */
export interface LogPatterns extends Searched {
  patterns: LogPattern[];
  /** Lines of other templates. */
  others: number;
}

/** `GET data/v1/logs/context?cursor=..`, the oldest first, with the line itself. */
export interface LogContext {
  lines: LogLine[];
}

/** `GET data/v1/logs/tail`, the oldest first. */
export interface LogTail {
  lines: LogLine[];
  next: string;
  has_more: boolean;
}

/** `GET data/v1/log-level`: the directives of the log records that are kept. */
export interface KeptLevel {
  at: Time;
  level: string;
  /** When `lasting` returns; `null` if `level` holds until it is changed. */
  until: Time | null;
  lasting: string;
}

/** `POST data/v1/log-level/set`. Without a level, the lasting one returns. */
export interface SetLogLevel {
  level?: string;
  seconds?: number;
  by: string;
  comment: string;
}
