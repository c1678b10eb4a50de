/** The box beside the pointer or the cursor of the keyboard. */

import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Store, useStore } from '../store';

export interface TipContent {
  title: string;
  rows: [string, string][];
  /** Where it points, in pixels of the window. */
  x: number;
  y: number;
}

export const tip = new Store<TipContent | null>(null);

const EDGE = 8;
const AWAY = 14;

export function Tip(): JSX.Element | null {
  const content = useStore(tip);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || content === null) return;
    const { width, height } = element.getBoundingClientRect();
    // On the side with room.
    const left = content.x > innerWidth * 0.55 ? content.x - width - AWAY : content.x + AWAY;
    element.style.left = `${Math.max(EDGE, Math.min(innerWidth - width - EDGE, left))}px`;
    element.style.top = `${Math.max(EDGE, content.y - height - 10)}px`;
  }, [content]);
  if (content === null) return null;
  return (
    <div class="tip" ref={box} aria-hidden="true">
      <b>{content.title}</b>
      <dl>
        {content.rows.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
    </div>
  );
}
