/** Small drawings without an axis: the states of an hour, and the place of a value between its lines. */

import type { JSX } from 'preact';
import type { Card, SignalName } from '../contract';
import { signalText } from '../format';

const HEIGHTS: Record<string, { tone: string; share: number }> = {
  '-': { tone: 'f-line', share: 0.12 },
  w: { tone: 'f-warn', share: 0.55 },
  c: { tone: 'f-crit', share: 1 },
};
const UNKNOWN = { tone: 'f-band', share: 0.12 };

/** One bar a minute: height and colour are its state. */
export function StateStrip({ states, label }: { states: string; label: string }): JSX.Element {
  const bars = states.split('');
  return (
    <svg class="strip" role="img" aria-label={label} viewBox={`0 0 ${Math.max(1, bars.length)} 1`} preserveAspectRatio="none">
      {bars.map((state, i) => {
        const { tone, share } = HEIGHTS[state] ?? UNKNOWN;
        const isFlat = share < 0.5;
        return <rect key={i} class={tone} x={i} width={isFlat ? 1.02 : 0.8} y={1 - share} height={share} />;
      })}
    </svg>
  );
}

/** Value, warning and critical line on one scale from 0. */
export function Rail({ name, card }: { name: SignalName; card: Card }): JSX.Element | null {
  const top = card.lines.at(-1)?.value;
  if (card.value === null || top === undefined || top <= 0) return null;
  // A share has its whole as the end of the scale.
  const isShare = name === 'cpu' || name === 'memory';
  const end = Math.max(isShare ? 1 : 0, card.value, name === 'connections' ? top / 0.9 : top);
  const at = (value: number): number => Math.min(100, (value / end) * 100);
  const line = (value: number, tone: string, isNamed: boolean): JSX.Element => {
    const x = at(value);
    const anchor = x > 86 ? 'end' : 'middle';
    return (
      <>
        <rect class={tone} x={`${Math.min(x, 99.4)}%`} y="0" width="2" height="8" />
        {isNamed && (
          <text x={anchor === 'end' ? '100%' : `${x}%`} y="19" text-anchor={anchor}>
            {signalText(name, value)}
          </text>
        )}
      </>
    );
  };
  return (
    <svg class="rail" aria-hidden="true">
      <rect class="tr" y="2" width="100%" height="4" rx="1" />
      <rect class="fi" y="2" width={`${at(card.value)}%`} height="4" rx="1" />
      {card.lines.map(({ value, state }, i) => {
        // A label stands only where it does not meet the next one.
        const next = card.lines[i + 1];
        const isNamed = next === undefined || at(next.value) - at(value) >= 12;
        return <g key={`${state} ${value}`}>{line(value, state === 'warning' ? 'f-warn' : 'f-crit', isNamed)}</g>;
      })}
    </svg>
  );
}
