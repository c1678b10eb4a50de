/** A chart with several lines, or with bars that stand on each other, and the same values as a table. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Marker } from '../contract';
import { clock, clockOrDay, clockSeconds, day } from '../format';
import { curveData } from '../panel-data';
import { T } from '../strings';
import { tableIndexes } from './chart-panel';
import { Markers, useWidth } from './drawing';
import { Glyph } from './glyph';
import { Save } from './save';
import { highest, path, ticks, timeTicks } from './plot-model';
import { tip } from './tip';

export interface PlotLine {
  name: string;
  /** The class that gives the line its colour and dashes, or the bar its fill. */
  tone: string;
  values: (number | null)[];
}

interface Props {
  id: string;
  title: string;
  aside?: string;
  start: number;
  stepMs: number;
  lines: PlotLine[];
  isStacked?: boolean;
  form: (value: number) => string;
  markers: Marker[];
  /** What is shown without values. */
  empty?: string;
}

const HEIGHT = 220;
const TOP = 16;
const LEFT = 56;
const BOTTOM = 22;
const BASE = HEIGHT - BOTTOM;

export function PlotPanel(props: Props): JSX.Element {
  const [asTable, setAsTable] = useState(false);
  const { id, title, aside, lines, empty = T.noRequestsInRange } = props;
  const hasValues = lines.some((line) => line.values.some((value) => value !== null));
  return (
    <section class="panel" id={id} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        {aside !== undefined && <p>{aside}</p>}
        <span class="fill" />
        {hasValues && <Save title={title} data={() => curveData(title, props.start, props.stepMs, lines)} />}
        <button class="icon" type="button" aria-pressed={asTable} aria-label={`${title}: ${T.table}`} title={T.table} onClick={() => { setAsTable(!asTable); }}>
          <Glyph name="table" />
        </button>
      </header>
      {!hasValues ? <p class="body mute small">{empty}</p> : asTable ? <PlotTable {...props} /> : <Plot {...props} />}
    </section>
  );
}

function Plot({ title, start, stepMs, lines, isStacked = false, form, markers }: Props): JSX.Element {
  const [box, width] = useWidth();
  const [index, setIndex] = useState<number | null>(null);
  const steps = lines[0]?.values.length ?? 0;
  const end = start + steps * stepMs;
  const most = highest(lines.map((line) => line.values), isStacked) || 1;
  const inner = Math.max(1, width - LEFT - 8);
  const x = (i: number): number => LEFT + ((i + (isStacked ? 0.5 : 1)) / Math.max(1, steps)) * inner;
  const xOf = (at: number): number => LEFT + ((at - start) / Math.max(1, end - start)) * inner;
  const y = (value: number): number => BASE - (value / (most * 1.05)) * (BASE - TOP);
  const timeOf = (i: number): number => start + (i + 1) * stepMs;
  const rows = (i: number): [string, string][] => lines.map(({ name, values }): [string, string] => [name, text(values[i] ?? null, form)]);
  const point = (i: number): void => {
    const area = box.current?.getBoundingClientRect();
    setIndex(i);
    if (area !== undefined) tip.set({ title: clockSeconds(timeOf(i)), rows: rows(i), x: area.left + x(i), y: area.top + TOP });
  };
  const leave = (): void => {
    setIndex(null);
    tip.set(null);
  };
  const at = index ?? steps - 1;
  const onKeyDown = (event: KeyboardEvent): void => {
    const by: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -steps, End: steps };
    const step = by[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    point(Math.max(0, Math.min(steps - 1, at + step)));
  };
  const spoken = [clockSeconds(timeOf(at)), ...rows(at).map((row) => row.join(' '))].join(', ');
  return (
    <div class="body">
      <div
        ref={box}
        class="plot"
        role="slider"
        tabIndex={0}
        aria-label={T.chartOf(title)}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, steps - 1)}
        aria-valuenow={Math.max(0, at)}
        aria-valuetext={spoken}
        onKeyDown={onKeyDown}
        onBlur={leave}
        onPointerMove={(event) => {
          const area = event.currentTarget.getBoundingClientRect();
          const i = Math.round(((event.clientX - area.left - LEFT) / inner) * steps - (isStacked ? 0.5 : 1));
          point(Math.max(0, Math.min(steps - 1, i)));
        }}
        onPointerLeave={leave}
      >
        <svg height={HEIGHT} aria-hidden="true">
          {ticks(most).map((value) => (
            <g key={value}>
              <line class="grid-line" x1={LEFT} x2={width} y1={Math.round(y(value)) + 0.5} y2={Math.round(y(value)) + 0.5} />
              <text class="axis" x={LEFT - 8} y={y(value) + 4} text-anchor="end">
                {value === 0 ? '0' : form(value)}
              </text>
            </g>
          ))}
          {timeTicks(start, end, inner).map((time) => (
            <text key={time} class="axis" x={xOf(time)} y={HEIGHT - 4} text-anchor="middle">
              {end - start > 2 * 86_400_000 ? day(time) : clock(time)}
            </text>
          ))}
          {isStacked ? <Bars lines={lines} x={x} y={y} width={Math.max(1, (inner / Math.max(1, steps)) * 0.85)} /> : lines.map(({ name, tone, values }) => <path key={name} class={`line ${tone}`} d={path(values, x, y)} />)}
          <Markers markers={markers} from={start} to={end} xOf={xOf} width={width} base={BASE} />
          {index !== null && <line class="dep" x1={x(index)} x2={x(index)} y1={TOP} y2={BASE} />}
        </svg>
      </div>
      <ul class="legend">
        {lines.map(({ name, tone }) => (
          <li key={name}>
            <svg width="18" height="8" aria-hidden="true">
              {isStacked ? <rect class={tone} width="18" height="8" /> : <path class={`line ${tone}`} d="M0 4h18" />}
            </svg>
            {name}
          </li>
        ))}
      </ul>
    </div>
  );
}

function text(value: number | null, form: (value: number) => string): string {
  return value === null ? T.noValue : form(value);
}

/** The first line stands on the base, where heights compare best. */
function Bars({ lines, x, y, width }: { lines: PlotLine[]; x: (i: number) => number; y: (value: number) => number; width: number }): JSX.Element {
  const steps = lines[0]?.values ?? [];
  return (
    <>
      {steps.map((_, i) => {
        let below = 0;
        return lines.map(({ name, tone, values }) => {
          const value = values[i] ?? 0;
          if (value <= 0) return null;
          const [from, to] = [y(below), y(below + value)];
          below += value;
          return <rect key={name} class={tone} x={x(i) - width / 2} width={width} y={to} height={Math.max(0.5, from - to)} />;
        });
      })}
    </>
  );
}

function PlotTable({ title, start, stepMs, lines, form }: Props): JSX.Element {
  const steps = lines[0]?.values.length ?? 0;
  const end = start + steps * stepMs;
  return (
    <div class="scroll tall" tabIndex={0} role="region" aria-label={T.tableOf(title)}>
      <table>
        <caption class="vh">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{T.time}</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col" class="num">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tableIndexes(steps).map((i) => {
            const at = start + (i + 1) * stepMs;
            return (
              <tr key={at}>
                <th scope="row">{end - start > 86_400_000 ? clockOrDay(at, end + 86_400_000) : clockSeconds(at)}</th>
                {lines.map(({ name, values }) => (
                  <td key={name} class="num">
                    {text(values[i] ?? null, form)}
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
