import type { State } from '../contract';
import type { GlyphName } from './glyph';

/** The short name of a state in the style sheet. */
export const TONES: Record<State, string> = { ok: 'ok', warning: 'warn', critical: 'crit', odd: 'odd' };

export const PILLS = {
  healthy: { tone: 'ok', glyph: 'ok' },
  warning: { tone: 'warn', glyph: 'warning' },
  critical: { tone: 'crit', glyph: 'critical' },
  waiting: { tone: 'wait', glyph: 'pending' },
} as const;

/** The glyph of a state; half a circle where it is not known yet. */
export function glyphOf(state: State | null): GlyphName {
  return state ?? 'pending';
}

export function toneOf(state: State | null): string {
  return state === null ? 'wait' : TONES[state];
}
