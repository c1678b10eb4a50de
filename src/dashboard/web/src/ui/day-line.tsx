/** The last 24 hours: load, states, what was odd, starts and deploys, and the window in view. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { page, serverNow, setRange, shown } from '../controller';
import { clock } from '../format';
import { bounds, zoomed } from '../range';
import { useStore } from '../store';
import { flagText, markerName } from '../verdict';
import { STATE_WORDS, T } from '../strings';
import { useWidth } from './drawing';
import { TONES } from './tone';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HEIGHT = 52;
const BASE = 34;
const TOP = 14;

export function DayLine(): JSX.Element {
  const [box, width] = useWidth();
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const state = useStore(page);
  const sections = shown(state);

  // The line moves with the data, not with each second: its end is that of the last step.
  const end = sections === null ? serverNow() : sections.day.start + Math.max(1, sections.day.load.length) * sections.day.step_ms;
  const start = end - DAY;
  const x = (at: number): number => Math.max(0, Math.min(width, ((at - start) / DAY) * width));
  const view = bounds(state.range, end);
  const left = x(drag === null ? view.from : Math.min(...drag));
  const right = Math.max(left + 4, x(drag === null ? view.to : Math.max(...drag)));

  const timeOf = (event: PointerEvent): number => {
    const area = box.current?.getBoundingClientRect();
    return area === undefined ? end : start + ((event.clientX - area.left) / Math.max(1, area.width)) * DAY;
  };
  const shift = (by: number): void => {
    const length = Math.min(view.to - view.from, DAY);
    const to = Math.max(start + length, Math.min(serverNow(), view.to + by));
    setRange(zoomed(to - length, to, serverNow()));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by: Record<string, number> = { ArrowLeft: -600_000, ArrowRight: 600_000, PageUp: -HOUR, PageDown: HOUR, Home: -DAY };
    const step = by[event.key];
    if (event.key === 'End') setRange({ kind: 'relative', name: '1h' });
    else if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    else shift(step);
    event.preventDefault();
  };
  return (
    <section class="watch" aria-label={T.span24}>
      <div
        ref={box}
        role="slider"
        tabIndex={0}
        aria-label={T.windowInView}
        aria-valuemin={0}
        aria-valuemax={1440}
        aria-valuenow={Math.max(0, Math.min(1440, Math.round((view.to - start) / 60_000)))}
        aria-valuetext={spokenView(sections, view)}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = timeOf(event);
          setDrag([at, at]);
        }}
        onPointerMove={(event) => {
          if (drag !== null) setDrag([drag[0], timeOf(event)]);
        }}
        onPointerUp={() => {
          if (drag !== null && Math.abs(drag[1] - drag[0]) > 60_000) {
            setRange(zoomed(Math.max(start, Math.min(...drag)), Math.max(...drag), serverNow()));
          }
          setDrag(null);
        }}
        onPointerCancel={() => { setDrag(null); }}
      >
        <svg height={HEIGHT} aria-hidden="true">
          {sections !== null && <Load load={sections.day.load} width={width} />}
          <line class="base" x1="0" x2={width} y1={BASE + 0.5} y2={BASE + 0.5} />
          <rect class="win" x={left} width={right - left} y={TOP} height={BASE - TOP} />
          <path class="f-text" d={`M${left} ${TOP}h2v${BASE - TOP}h-2zM${right - 2} ${TOP}h2v${BASE - TOP}h-2z`} />
          {sections?.anomalies.map((anomaly) => {
            const [a, b] = [x(anomaly.from), x(anomaly.to ?? end)];
            return <path key={anomaly.id} class="f-odd" d={`M${a} ${BASE + 3}h${Math.max(3, b - a)}v2h-${Math.max(3, b - a)}zM${a} ${BASE}l4 4l-4 4l-4 -4z`} />;
          })}
          {sections?.day.states
            .filter(({ state: of }) => of === 'warning' || of === 'critical')
            .map(({ from, to, state: of }) => {
              const tall = of === 'critical' ? 20 : 10;
              const [a, b] = [x(from), x(to ?? end)];
              return (
                <rect key={from} class={`f-${TONES[of]}`} x={a} width={Math.max(4, b - a)} y={BASE - tall} height={tall}>
                  <title>{STATE_WORDS[of]}</title>
                </rect>
              );
            })}
          {sections !== null && <Flags sections={sections} start={start} x={x} width={width} />}
          <Hours start={start} end={end} width={width} x={x} />
        </svg>
      </div>
    </section>
  );
}

/** The window in words, with the starts, deploys and marks in it. */
function spokenView(sections: ReturnType<typeof shown>, view: { from: number; to: number }): string {
  const inView = (sections?.markers ?? []).filter((marker) => marker.at >= view.from && marker.at <= view.to);
  const marks = inView.map((marker) => `${markerName(marker)} ${clock(marker.at)}`);
  return [`${clock(view.from)} ${T.to} ${clock(view.to)}`, ...marks].join(', ');
}

function Load({ load, width }: { load: (number | null)[]; width: number }): JSX.Element | null {
  const most = Math.max(0, ...load.map((value) => value ?? 0));
  if (most === 0 || load.length < 2) return null;
  const at = (i: number): string => ((i / (load.length - 1)) * width).toFixed(1);
  // Each run of known values is an area of its own: the load is not known between them.
  const path = load.map((value, i) => {
    if (value === null) return '';
    const height = (BASE - (value / most) * 19).toFixed(1);
    const begins = (load[i - 1] ?? null) === null;
    const ends = (load[i + 1] ?? null) === null;
    return (begins ? `M${at(i)} ${BASE}V${height}` : `L${at(i)} ${height}`) + (ends ? `V${BASE}Z` : '');
  });
  return <path class="band" d={path.join('')} />;
}

interface FlagsProps {
  sections: NonNullable<ReturnType<typeof shown>>;
  start: number;
  x: (at: number) => number;
  width: number;
}

/** Flags from the newest on; a text that would lie over a newer one is left out. */
function Flags({ sections, start, x, width }: FlagsProps): JSX.Element {
  let free = width;
  const flags = sections.markers.filter((marker) => marker.at >= start).reverse();
  return (
    <>
      {flags.map((marker) => {
        const at = Math.round(x(marker.at)) + 0.5;
        const isLeft = at > width - 60;
        const text = flagText(marker);
        const room = 14 + text.length * 7;
        const [a, b] = isLeft ? [at - room, at] : [at, at + room];
        const fits = text !== '' && b <= free;
        if (fits) free = a - 4;
        const flag = isLeft ? `M${at} 3h-7l2.2 3l-2.2 3h7z` : `M${at} 3h7l-2.200 3l2.200 3h-7z`;
        return (
          <g key={marker.at}>
            <line class="dep" x1={at} x2={at} y1="6" y2={BASE} />
            <path class="f-text" d={flag} />
            {fits && (
              <text class="flag" x={isLeft ? at - 10 : at + 10} y="10" text-anchor={isLeft ? 'end' : 'start'}>
                {text}
              </text>
            )}
          </g>
        );
      })}
    </>
  );
}

function Hours({ start, end, width, x }: { start: number; end: number; width: number; x: (at: number) => number }): JSX.Element {
  const step = (width < 500 ? 6 : width < 900 ? 3 : 2) * HOUR;
  const zone = new Date(start).getTimezoneOffset() * 60_000;
  const marks: number[] = [];
  for (let at = Math.ceil((start - zone) / step) * step + zone; at < end; at += step) {
    if (x(at) > 56 && x(at) < width - 52) marks.push(at);
  }
  const y = HEIGHT - 4;
  return (
    <>
      {marks.map((at) => (
        <text key={at} class="axis" x={x(at)} y={y} text-anchor="middle">
          {clock(at)}
        </text>
      ))}
      <text class="axis" x="0" y={y}>
        {T.from24}
      </text>
      <text class="axis" x={width} y={y} text-anchor="end">
        {T.nowMark}
      </text>
    </>
  );
}
