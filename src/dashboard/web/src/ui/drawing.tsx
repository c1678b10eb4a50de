/** What the drawn charts share: the width of their box, and the lines of starts, deploys and marks. */

import type { JSX, RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Marker } from '../contract';
import { flagText, markerName } from '../verdict';

/** A box and its width in pixels, which follows the window. */
export function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = (): void => { setWidth(element.clientWidth); };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => { observer.disconnect(); };
  }, []);
  return [box, width];
}

interface MarkersProps {
  markers: Marker[];
  /** The times at the ends of the chart. */
  from: number;
  to: number;
  xOf: (at: number) => number;
  width: number;
  /** Where the lines end. */
  base: number;
}

/** A line for each marker in the range, with its text on the side that has room. */
export function Markers({ markers, from, to, xOf, width, base }: MarkersProps): JSX.Element {
  const inRange = markers.filter((marker) => marker.at >= from && marker.at <= to);
  return (
    <>
      {inRange.map((marker) => {
        const x = xOf(marker.at);
        const isLeft = x > width - 80;
        return (
          <g key={marker.at}>
            <line class="dep" x1={Math.round(x) + 0.5} x2={Math.round(x) + 0.5} y1="2" y2={base} />
            <text class="flag" x={x + (isLeft ? -4 : 4)} y="10" text-anchor={isLeft ? 'end' : 'start'}>
              {flagText(marker)}
            </text>
            <title>{markerName(marker)}</title>
          </g>
        );
      })}
    </>
  );
}
