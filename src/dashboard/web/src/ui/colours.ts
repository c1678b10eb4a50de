/** The colours of the style sheet as values that a canvas takes. */

const NAMES = ['text', 'mute', 'line', 'line2', 'ink', 'band', 'surface', 'warn', 'warn-f', 'crit', 'crit-f', 'odd-f'] as const;
export type ColourName = (typeof NAMES)[number];
export type Colours = Record<ColourName, string>;

/** Reads the colours of the current theme. A property alone would read as `light-dark(..)`, so an element resolves it. */
export function readColours(): Colours {
  const probe = document.createElement('span');
  document.body.append(probe);
  const colours = {} as Colours;
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colours;
}
