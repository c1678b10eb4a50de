/** A shape for each state and thing, so that colour is never the only sign. */

import type { JSX } from 'preact';

const PATHS = {
  ok: 'M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13zm0 2a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9zm0 2.5a2 2 0 1 1 0 4a2 2 0 0 1 0-4z',
  warning: 'M8 1.2l7.3 13.3H.7zM7 6v4.2h2V6zm0 5.2v1.8h2v-1.8z',
  critical: 'M1.5 1.5h13v13h-13zM7 4v5.2h2V4zm0 6.4v1.8h2v-1.8z',
  odd: 'M8 .8L15.2 8L8 15.2L.8 8z',
  pending: 'M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13zm0 2v9a4.5 4.5 0 0 0 0-9z',
  off: 'M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13zM4.6 10l5.4-5.4a4.5 4.5 0 0 0-5.4 5.4zm6.8-4L6 11.4A4.5 4.5 0 0 0 11.4 6z',
  done: 'M2 8.6L3.5 7l3 3L12.6 3.6 14 5l-7.5 8z',
  deploy: 'M3 1h2v14H3zM5 2h9l-2.6 3.5L14 9H5z',
  new: 'M7 1h2v4.6l3.2-3.2 1.4 1.4L10.4 7H15v2h-4.6l3.2 3.2-1.4 1.4L9 10.4V15H7v-4.6l-3.2 3.2-1.4-1.4L5.6 9H1V7h4.6L2.4 3.8l1.4-1.4L7 5.6z',
  back: 'M8 3V.5L3.5 4L8 7.5V5a4 4 0 1 1-4 4H2a6 6 0 1 0 6-6z',
  rising: 'M1 12h3.5L8 2l3.5 10H15v2h-5L8 8l-2 6H1z',
  find: 'M6.8 1.5a5.3 5.3 0 0 1 4.2 8.5l3.8 3.8-1.2 1.2-3.8-3.8a5.3 5.3 0 1 1-3-9.7zm0 1.8a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7z',
  pause: 'M4 2.5h2.8v11H4zM9.2 2.5H12v11H9.2z',
  play: 'M4 2l9 6-9 6z',
  menu: 'M1.5 3h13v1.8h-13zm0 4.1h13v1.8h-13zm0 4.1h13V13h-13z',
  down: 'M3 5.5h10L8 11.5z',
  mark: 'M2 14V2h2v10h2.5V6h2v6H11V9h2v5zM12 2.2a2.2 2.2 0 1 1 0 4.4a2.2 2.2 0 0 1 0-4.4z',
  table: 'M1.5 2.5h13v11h-13zm1.6 4v2.2h3.6V6.5zm5.2 0v2.2h4.6V6.5zm-5.2 3.800v1.700h3.600v-1.700zm5.200 0v1.700h4.600v-1.700z',
  close: 'M3.5 2L8 6.5 12.500 2 14 3.500 9.500 8l4.500 4.500-1.500 1.500L8 9.500 3.500 14 2 12.500 6.500 8 2 3.500z',
} as const;

export type GlyphName = keyof typeof PATHS;

/** With a label it is an image of that name; without one it is decoration beside a word. */
export function Glyph({ name, label, tone }: { name: GlyphName; label?: string; tone?: string }): JSX.Element {
  const named = label === undefined ? { 'aria-hidden': true as const } : { role: 'img' as const, 'aria-label': label };
  return (
    <svg class={tone === undefined ? 'g' : `g s-${tone}`} viewBox="0 0 16 16" {...named}>
      <path fill-rule="evenodd" d={PATHS[name]} />
    </svg>
  );
}
