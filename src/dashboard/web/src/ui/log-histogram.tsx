/** Lines over time: a lane for each level, each on its own scale, so that many of one do not hide few of another. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Marker } from '../contract';
import type { LogHistogram, LogLevel } from '../contract-logs';
import { serverNow, setRange } from '../controller';
import { clock, clockOrDay, clockSeconds, count, day } from '../format';
import { lanesOf, sumsOf } from '../log-model';
import type { LogView } from '../log-places';
import { curveData } from '../panel-data';
import { zoomed } from '../range';
import { T } from '../strings';
import { L } from '../strings-logs';
import { tableIndexes } from './chart-panel';
import { Markers, useWidth } from './drawing';
import { Glyph } from './glyph';
import { timeTicks } from './plot-model';
import { Save } from './save';
import { tip } from './tip';

interface Props {
  of: LogHistogram;
  view: Pick<LogView, 'level' | 'exact_level'>;
  markers: Marker[];
}

const HEIGHTS: Record<LogLevel, number> = { error: 44, warn: 30, info: 24, debug: 24, trace: 24 };
const GAP = 10;
const TOP = 18;
const LEFT = 64;
const AXIS = 22;

const titleOf = ({ step_ms }: LogHistogram): string => L.histogram(step_ms / 1000);

export function LogHistogramPanel(props: Props): JSX.Element {
  const [asTable, setAsTable] = useState(false);
  const { of, view } = props;
  const title = titleOf(of);
  const lanes = lanesOf(of, view);
  const sums = sumsOf(of);
  const hasLines = lanes.some((level) => sums[level] > 0);
  return (
    <section class="panel" id="histogram" aria-labelledby="histogram-title">
      <header>
        <h2 id="histogram-title">{title}</h2>
        <p class="w">{of.end === 'complete' ? L.histogramNote : L.partly}</p>
        <span class="fill" />
        {hasLines && <Save title={title} data={() => curveData('log-lines', of.start, of.step_ms, lanes.map((name) => ({ name, values: of.counts.map((counts) => counts[name]) })))} />}
        <button class="icon" type="button" aria-pressed={asTable} aria-label={`${title}: ${T.table}`} title={T.table} onClick={() => { setAsTable(!asTable); }}>
          <Glyph name="table" />
        </button>
      </header>
      {!hasLines ? <p class="body mute small">{L.noLines}</p> : asTable ? <HistogramTable of={of} lanes={lanes} /> : <Lanes {...props} lanes={lanes} />}
    </section>
  );
}

function Lanes({ of, markers, lanes }: Props & { lanes: LogLevel[] }): JSX.Element {
  const [box, width] = useWidth();
  const [index, setIndex] = useState<number | null>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const steps = of.counts.length;
  const end = of.start + steps * of.step_ms;
  const inner = Math.max(1, width - LEFT - 8);
  const bar = inner / Math.max(1, steps);
  const xOf = (at: number): number => LEFT + ((at - of.start) / Math.max(1, end - of.start)) * inner;
  const drawn = placed(of, lanes);
  const base = drawn.at(-1)?.base ?? TOP;
  const timeOf = (i: number): number => of.start + i * of.step_ms;
  const rows = (i: number): [string, string][] => lanes.map((level) => [level, count(of.counts[i]?.[level] ?? 0)]);
  const point = (i: number): void => {
    const area = box.current?.getBoundingClientRect();
    setIndex(i);
    if (area !== undefined) tip.set({ title: `${clockSeconds(timeOf(i))} – ${clockSeconds(timeOf(i + 1))}`, rows: rows(i), x: area.left + xOf(timeOf(i) + of.step_ms / 2), y: area.top + TOP });
  };
  const leave = (): void => {
    setIndex(null);
    tip.set(null);
  };
  const zoom = (from: number, to: number): void => {
    leave();
    setRange(zoomed(from, to, serverNow()));
  };
  const under = (event: PointerEvent): number => {
    const area = box.current?.getBoundingClientRect() ?? new DOMRect();
    return of.start + (Math.max(0, Math.min(inner, event.clientX - area.left - LEFT)) / inner) * (end - of.start);
  };
  const at = index ?? Math.max(0, steps - 1);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      event.stopPropagation();
      zoom(timeOf(at), timeOf(at + 1));
      return;
    }
    const by: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -steps, End: steps };
    const step = by[event.key];
    if (step === undefined) return;
    event.preventDefault();
    point(Math.max(0, Math.min(steps - 1, at + step)));
  };
  return (
    <div class="body">
      <div
        ref={box}
        class="plot lanes"
        role="slider"
        tabIndex={0}
        aria-label={L.histogramKeys(titleOf(of))}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, steps - 1)}
        aria-valuenow={at}
        aria-valuetext={[clockSeconds(timeOf(at)), ...rows(at).map((row) => row.join(' '))].join(', ')}
        onKeyDown={onKeyDown}
        onBlur={leave}
        onPointerDown={(event) => {
          if (event.button !== 0 || event.pointerType === 'touch') return;
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([under(event), under(event)]);
        }}
        onPointerMove={(event) => {
          const to = under(event);
          if (drag !== null) setDrag([drag[0], to]);
          point(Math.max(0, Math.min(steps - 1, Math.floor((to - of.start) / of.step_ms))));
        }}
        onPointerUp={() => {
          if (drag !== null && Math.abs(drag[1] - drag[0]) > (end - of.start) / 100) zoom(Math.min(...drag), Math.max(...drag));
          setDrag(null);
        }}
        onPointerCancel={() => { setDrag(null); }}
        onPointerLeave={leave}
      >
        <svg height={base + AXIS} aria-hidden="true">
          <pattern id="log-cut" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <path class="cut" d="M0 0v4" />
          </pattern>
          {drawn.map(({ level, base: foot, height, highest, most }) => (
            <g key={level}>
              <text class="axis" x={LEFT - 8} y={foot - height + 8} text-anchor="end">
                {count(highest)}
              </text>
              <text class="axis lane" x={LEFT - 8} y={foot} text-anchor="end">
                {level}
              </text>
              <line class="grid-line" x1={LEFT} x2={width} y1={foot + 0.5} y2={foot + 0.5} />
              {of.counts.map((counts, i) => {
                const tall = Math.max(1, (counts[level] / most) * height);
                if (counts[level] === 0) return null;
                const place = { x: LEFT + i * bar, width: Math.max(1, bar - 1), y: foot - tall, height: tall };
                return (
                  <>
                    <rect class={`lv-${level}`} {...place} />
                    {level === 'warn' && <rect fill="url(#log-cut)" {...place} />}
                  </>
                );
              })}
            </g>
          ))}
          {timeTicks(of.start, end, inner).map((tick) => (
            <text key={tick} class="axis" x={xOf(tick)} y={base + AXIS - 4} text-anchor="middle">
              {end - of.start > 2 * 86_400_000 ? day(tick) : clock(tick)}
            </text>
          ))}
          <Markers markers={markers} from={of.start} to={end} xOf={xOf} width={width} base={base} />
          {index !== null && <rect class="win" x={LEFT + index * bar} width={bar} y={TOP} height={base - TOP} />}
          {drag !== null && <rect class="win" x={xOf(Math.min(...drag))} width={Math.max(1, xOf(Math.max(...drag)) - xOf(Math.min(...drag)))} y={TOP} height={base - TOP} />}
        </svg>
      </div>
    </div>
  );
}

interface Lane {
  level: LogLevel;
  /** Where its bars stand. */
  base: number;
  height: number;
  highest: number;
  /** The height of the lane: at least one line. */
  most: number;
}

/** The lanes below each other, each with the highest of its own counts. */
export function placed(of: LogHistogram, levels: LogLevel[]): Lane[] {
  let base = TOP - GAP;
  return levels.map((level) => {
    const height = HEIGHTS[level];
    base += height + GAP;
    const highest = Math.max(0, ...of.counts.map((counts) => counts[level]));
    return { level, base, height, highest, most: Math.max(1, highest) };
  });
}

function HistogramTable({ of, lanes }: { of: LogHistogram; lanes: LogLevel[] }): JSX.Element {
  const title = titleOf(of);
  const end = of.start + of.counts.length * of.step_ms;
  return (
    <div class="scroll tall" tabIndex={0} role="region" aria-label={T.tableOf(title)}>
      <table>
        <caption class="vh">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{T.time}</th>
            {lanes.map((level) => (
              <th key={level} scope="col" class="num">
                {level}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tableIndexes(of.counts.length).map((i) => {
            const at = of.start + i * of.step_ms;
            return (
              <tr key={at}>
                <th scope="row">{end - of.start > 86_400_000 ? clockOrDay(at, end + 86_400_000) : clockSeconds(at)}</th>
                {lanes.map((level) => (
                  <td key={level} class="num">
                    {count(of.counts[i]?.[level] ?? 0)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
