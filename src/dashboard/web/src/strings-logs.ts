/** The texts about log lines. */

import type { LogLevel } from './contract-logs';
import { clockSeconds, count, day, plural, span } from './format';

/** `14:31:58.402`, with the day in front if it is long ago. */
export function exactClock(at: number, now: number): string {
  const time = `${clockSeconds(at)}.${new Date(at).getMilliseconds().toString().padStart(3, '0')}`;
  return now - at > 20 * 3_600_000 ? `${day(at)} ${time}` : time;
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
/** `1.37M`. */
export const compactCount = (n: number): string => compact.format(n);

export const L = {
  logs: 'Logs',
  loading: 'Reading the log lines.',
  head: (n: number, isLeast: boolean): string => `${isLeast ? 'At least ' : ''}${plural(n, 'line', 'lines')}`,
  inRange: (range: string): string => ` in ${range}`,
  errorsOf: (n: number): string => plural(n, 'error', 'errors'),
  warningsOf: (n: number): string => plural(n, 'warning', 'warnings'),
  among: (texts: string[]): string => (texts.length === 0 ? '.' : `, with ${texts.join(' and ')}.`),
  noneHead: 'No log line.',
  noneYet: 'None was written in this range. Events of tracing and one record for each request appear here.',
  noMatch: 'No line of this range matches.',
  badHead: 'The query is not valid.',
  from: { files: 'From the log files', memory: 'From memory: without log files, only the last lines are known' },
  lookedAt: (n: number): string => `${plural(n, 'line', 'lines')} looked at`,
  unreadable: (n: number): string => `${plural(n, 'file', 'files')} could not be read, or in part: lines of ${n === 1 ? 'it' : 'them'} are missing`,
  timeOver: (reached: string | null): string => `The time of the search was over${reached === null ? '' : ` at the lines of ${reached}`}: older ones were not looked at`,

  // the query
  query: 'Query',
  queryHelp: 'timeout, "timed out", target:shop, duration_ms:>=250, -level:info, a OR b',
  search: 'Search',
  clear: 'Clear',
  level: 'Level',
  allLevels: 'all levels',
  least: (level: LogLevel): string => (level === 'error' ? level : `${level} or worse`),
  exact: (level: LogLevel): string => `only ${level}`,
  names: 'Names of fields',
  expected: (what: string, at: number): string => `Expected ${what}, at character ${at}.`,

  // which lines are kept
  kept: 'Which lines are kept',
  untilChanged: 'until it is changed',
  keptUntil: (time: string): string => `until ${time}, then `,
  directives: 'A level, and levels of targets',
  levelFor: 'For',
  levelTimes: [[600, '10 minutes'], [3600, 'an hour'], [14_400, 'four hours'], [86_400, 'a day']] as const,
  setLevel: 'Change',
  endLevel: 'End now',
  levelSet: 'The log level is changed',
  levelEnded: 'The log level is the lasting one again',
  levelViewerNote: 'An operator can change it for a while.',

  // the histogram
  histogram: (step: number): string => (step === 1 ? 'Lines per second' : `Lines per ${step === 60 ? 'minute' : step === 3600 ? 'hour' : span(step)}`),
  histogramNote: 'each level on its own scale, drag to zoom',
  histogramKeys: (title: string): string => `${title}: arrow keys move through time, Enter zooms`,
  partly: 'Older lines were not counted: the time of the search was over.',
  noLines: 'No line in this range.',

  // facets
  filter: 'Filter',
  facets: { target: 'Target', 'http.route': 'Route' } as Record<string, string>,
  otherField: 'Another field',
  countField: 'Count',
  others: (n: number): string => `${count(n)} with other values`,
  missing: (n: number): string => `${count(n)} without it`,
  noValue: 'No line has it.',
  noneOf: 'none',
  notAll: 'of the newest lines',
  countedAt: (at: number): string => `Values counted at ${clockSeconds(at)}`,

  // views
  view: 'View',
  shows: { lines: 'Lines', patterns: 'Patterns', around: 'Around this line', tail: 'Live tail' },
  lines: 'Lines',
  older: 'Older lines',
  searchOn: 'Search on',
  newer: 'Newer lines',
  newest: 'Newest lines',
  allShown: 'That is all: there is no older line.',
  open: 'All fields of this line',
  filterFor: (name: string): string => `Filter for ${name}`,
  filterOut: (name: string): string => `Filter out ${name}`,
  trace: 'Trace',
  error: 'Its error',
  route: 'Its route',
  routeTraces: 'Traces of its route',
  around: 'Lines around it',
  before: 'These are the lines of the search before.',
  noMessage: 'no message',
  noLinesYet: 'No line among those that were looked at so far.',

  // patterns
  patternsHead: 'Lines with the same words. What differs is <*>.',
  noPatterns: 'No message in this range.',
  otherPatterns: (n: number): string => `${plural(n, 'line has', 'lines have')} other messages.`,
  pattern: 'Pattern',
  count: 'Lines',
  first: 'First',
  last: 'Last',

  // around
  aroundNote: (n: number): string => `Up to ${n} lines on each side, without the filter, the newest first.`,
  gone: 'This line is no longer there: its file was removed, or it has left the memory.',

  // tail
  tailNote: 'New lines as they are written, whatever the range is.',
  tailWaits: 'No new line yet.',
  tailPaused: (at: number, lines: number, errors: number): string =>
    `Live tail paused at ${clockSeconds(at)}. ${plural(lines, 'line waits', 'lines wait')}${errors === 0 ? '' : `, ${count(errors)} of them ${errors === 1 ? 'an error' : 'errors'}`}.`,
  skipped: (n: number): string => `${plural(n, 'line', 'lines')} came too fast to be shown.`,
  waitsForOpen: (n: number): string => `${plural(n, 'new line waits', 'new lines wait')} until the open one is closed.`,
  tooFast: 'Lines came faster than they can be read: some are not shown.',

  // files
  save: 'NDJSON',
  saveLabel: 'Save the lines as NDJSON',
  saving: 'Searching…',
  saved: (n: number): string => `${plural(n, 'line', 'lines')} saved: all of them.`,
  savedPart: (n: number): string => `${plural(n, 'line', 'lines')} saved. There are older ones.`,
  savedTime: (n: number): string => `${plural(n, 'line', 'lines')} saved. The time of the search was over before it had looked at all.`,
  saveRest: 'Save the next file',

  // on other pages
  inLogs: 'Search in the logs',
  ofType: 'Lines of its type',
} as const;
