/** New log lines as they come: those on screen, and those that wait while the page is paused. */

import type { LogLine, LogTail } from '../contract-logs';

/** So many lines are kept: those on screen, and as many that wait. */
export const MOST_LINES = 500;

export interface TailState {
  /** The newest first. */
  lines: LogLine[];
  held: LogLine[];
  /** How many lines came while it was paused, and how many of them are errors. */
  waiting: number;
  errors: number;
  /** Lines that came too fast to be shown: more than are kept, at once. */
  skipped: number;
}

export const NO_LINES: TailState = { lines: [], held: [], waiting: 0, errors: 0, skipped: 0 };

const isError = ({ level }: LogLine): boolean => level === 'ERROR';

/** What was there, and the lines of another response. */
export function withLines(state: TailState, { lines }: Pick<LogTail, 'lines'>, isPaused: boolean): TailState {
  if (lines.length === 0) return isPaused || state.waiting === 0 ? state : released(state);
  const held = [...lines.toReversed(), ...state.held].slice(0, MOST_LINES);
  const next = { ...state, held, waiting: state.waiting + lines.length, errors: state.errors + lines.filter(isError).length };
  return isPaused ? next : released(next);
}

/** Shows what has waited. */
export function released(state: TailState): TailState {
  return { lines: [...state.held, ...state.lines].slice(0, MOST_LINES), held: [], waiting: 0, errors: 0, skipped: state.waiting - state.held.length };
}
