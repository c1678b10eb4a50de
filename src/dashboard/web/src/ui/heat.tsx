/** How many requests took how long, over time. A cell opens its traces. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Marker } from '../contract';
import { clock, clockOrDay, clockSeconds, count, day, duration, joined } from '../format';
import { LEVELS, cellAddress, columnTime, heatRows, heightOf, highestCount, level, type HeatMap, type HeatRow } from '../heat-model';
import type { PanelData } from '../panel-data';
import { T } from '../strings';
import { TO } from '../strings-operations';
import { tableIndexes } from './chart-panel';
import { Markers, useWidth } from './drawing';
import { Glyph } from './glyph';
import { path, timeTicks } from './plot-model';
import { Save } from './save';
import { tip } from './tip';

interface Line {
  start: number;
  stepMs: number;
  values: (number | null)[];
}

interface Props {
  route: string;
  map: HeatMap;
  p50: Line;
  p95: Line;
  markers: Marker[];
}

const HEIGHT = 240;
const TOP = 16;
const LEFT = 56;
const BASE = HEIGHT - 22;

const time = (seconds: number): string => joined(duration(seconds));

export function rowName({ from, to }: HeatRow): string {
  if (from === null) return to === null ? TO.allColumn : TO.below(time(to));
  return to === null ? TO.from(time(from)) : TO.between(time(from), time(to));
}

export function heatData({ route, map }: Props): PanelData {
  const rows = heatRows(map);
  return {
    name: `durations-${route}`,
    columns: ['time', ...rows.map(rowName)],
    rows: map.columns.map((counts, i) => [new Date(columnTime(map, i)).toISOString(), ...rows.map(({ place }) => (counts === null ? null : (counts[place] ?? 0)))]),
  };
}

export function HeatPanel(props: Props): JSX.Element {
  const [asTable, setAsTable] = useState(false);
  const hasValues = highestCount(props.map) > 0;
  return (
    <section class="panel" id="heat" aria-labelledby="heat-title">
      <header>
        <h2 id="heat-title">{TO.heat}</h2>
        <p class="w">{TO.heatNote}</p>
        <span class="fill" />
        {hasValues && <Save title={TO.heat} data={() => heatData(props)} />}
        <button class="icon" type="button" aria-pressed={asTable} aria-label={`${TO.heat}: ${T.table}`} title={T.table} onClick={() => { setAsTable(!asTable); }}>
          <Glyph name="table" />
        </button>
      </header>
      {!hasValues ? <p class="body mute small">{T.noRequestsInRange}</p> : asTable ? <HeatTable {...props} /> : <Heat {...props} />}
    </section>
  );
}

interface Cell {
  column: number;
  /** Its number among the rows that are drawn. */
  row: number;
}

function Heat({ route, map, p50, p95, markers }: Props): JSX.Element {
  const [box, width] = useWidth();
  const [cell, setCell] = useState<Cell | null>(null);
  const rows = heatRows(map);
  const most = highestCount(map);
  const steps = map.columns.length;
  const end = map.start + steps * map.step_ms;
  const inner = Math.max(1, width - LEFT - 8);
  const high = (BASE - TOP) / rows.length;
  const xOf = (at: number): number => LEFT + ((at - map.start) / Math.max(1, end - map.start)) * inner;
  const cellWidth = inner / Math.max(1, steps);
  const yOf = (seconds: number): number => BASE - heightOf(seconds, rows) * (BASE - TOP);
  const countOf = ({ column, row }: Cell): number | null => {
    const counts = map.columns[column] ?? null;
    return counts === null ? null : (counts[rows[row]?.place ?? -1] ?? 0);
  };
  const texts = (at: Cell): [string, string] => {
    const found = countOf(at);
    const row = rows[at.row];
    return [row === undefined ? '' : rowName(row), found === null ? T.noValue : TO.requestsCell(found)];
  };
  const point = (at: Cell): void => {
    const area = box.current?.getBoundingClientRect();
    setCell(at);
    if (area !== undefined) {
      tip.set({ title: clockSeconds(columnTime(map, at.column)), rows: [texts(at)], x: area.left + LEFT + (at.column + 0.5) * cellWidth, y: area.top + BASE - (at.row + 1) * high });
    }
  };
  const leave = (): void => {
    setCell(null);
    tip.set(null);
  };
  const address = (at: Cell): string | null => {
    const row = rows[at.row];
    return row === undefined || (countOf(at) ?? 0) === 0 ? null : cellAddress(route, map, at.column, row);
  };
  const open = (at: Cell | null): void => {
    const to = at === null ? null : address(at);
    if (to !== null) location.assign(to);
  };
  const under = (event: PointerEvent | MouseEvent): Cell => {
    const area = box.current?.getBoundingClientRect() ?? new DOMRect();
    const column = Math.floor((event.clientX - area.left - LEFT) / cellWidth);
    const row = Math.floor((BASE - (event.clientY - area.top)) / high);
    return { column: Math.max(0, Math.min(steps - 1, column)), row: Math.max(0, Math.min(rows.length - 1, row)) };
  };
  const at = cell ?? { column: steps - 1, row: 0 };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter') {
      event.preventDefault();
      // The keys of the page open the row with the focus.
      event.stopPropagation();
      open(cell);
      return;
    }
    const by: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], PageUp: [-10, 0], PageDown: [10, 0], Home: [-steps, 0], End: [steps, 0] };
    const step = by[event.key];
    if (step === undefined) return;
    event.preventDefault();
    point({ column: Math.max(0, Math.min(steps - 1, at.column + step[0])), row: Math.max(0, Math.min(rows.length - 1, at.row + step[1])) });
  };
  const line = ({ start, stepMs, values }: Line): string => path(values, (i) => xOf(start + (i + 0.5) * stepMs), yOf);
  return (
    <div class="body">
      <div
        ref={box}
        class="plot heat"
        role="slider"
        tabIndex={0}
        aria-label={TO.heatKeys(TO.heat)}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, steps - 1)}
        aria-valuenow={at.column}
        aria-valuetext={[clockSeconds(columnTime(map, at.column)), ...texts(at)].join(', ')}
        onKeyDown={onKeyDown}
        onBlur={leave}
        onPointerMove={(event) => { point(under(event)); }}
        onPointerLeave={leave}
        onClick={(event) => { open(under(event)); }}
      >
        <svg height={HEIGHT} aria-hidden="true">
          {map.columns.map((counts, column) =>
            rows.map(({ place }, row) => {
              const shade = level(counts?.[place] ?? 0, most);
              if (shade === 0) return null;
              return <rect key={place} class={`h${shade}`} x={LEFT + column * cellWidth} width={Math.max(1, cellWidth - 0.5)} y={BASE - (row + 1) * high} height={Math.max(1, high - 0.5)} />;
            }),
          )}
          <line class="grid-line" x1={LEFT} x2={width} y1={BASE + 0.5} y2={BASE + 0.5} />
          {boundTicks(rows).map(({ seconds, at: row }) => (
            <text key={seconds} class="axis" x={LEFT - 8} y={BASE - row * high + 4} text-anchor="end">
              {time(seconds)}
            </text>
          ))}
          {timeTicks(map.start, end, inner).map((tick) => (
            <text key={tick} class="axis" x={xOf(tick)} y={HEIGHT - 4} text-anchor="middle">
              {end - map.start > 2 * 86_400_000 ? day(tick) : clock(tick)}
            </text>
          ))}
          <Markers markers={markers} from={map.start} to={end} xOf={xOf} width={width} base={BASE} />
          <path class="line heat-halo" d={line(p95)} />
          <path class="line heat-halo" d={line(p50)} />
          <path class="line heat-line" d={line(p95)} />
          <path class="line heat-line l-p50" d={line(p50)} />
          {cell !== null && <rect class="heat-cell" x={LEFT + cell.column * cellWidth} width={cellWidth} y={BASE - (cell.row + 1) * high} height={high} />}
        </svg>
      </div>
      <ul class="legend">
        <li>
          {TO.fewer}
          {Array.from({ length: LEVELS }, (_, i) => (
            <svg key={i} width="18" height="8" aria-hidden="true">
              <rect class={`h${i + 1}`} width="18" height="8" />
            </svg>
          ))}
          {TO.moreRequests}
        </li>
        <li>{TO.heatLines}</li>
        <li>{TO.heatOpen}</li>
      </ul>
    </div>
  );
}

/** At most six bounds, evenly chosen, with the number of rows below them. */
export function boundTicks(rows: HeatRow[]): { seconds: number; at: number }[] {
  const all = rows.flatMap(({ from }, at) => (from === null ? [] : [{ seconds: from, at }]));
  const last = rows.at(-1);
  if (last?.to !== null && last?.to !== undefined) all.push({ seconds: last.to, at: rows.length });
  const every = Math.max(1, Math.ceil(all.length / 6));
  return all.filter((_, i) => i % every === 0);
}

export function HeatTable({ route, map }: Props): JSX.Element {
  const rows = heatRows(map);
  const end = map.start + map.columns.length * map.step_ms;
  return (
    <div class="scroll tall" tabIndex={0} role="region" aria-label={T.tableOf(TO.heat)}>
      <table>
        <caption class="vh">{TO.heat}</caption>
        <thead>
          <tr>
            <th scope="col">{T.time}</th>
            {rows.map((row) => (
              <th key={row.place} scope="col" class="num">
                {rowName(row)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tableIndexes(map.columns.length).map((column) => {
            const counts = map.columns[column] ?? null;
            const at = columnTime(map, column);
            return (
              <tr key={at}>
                <th scope="row">{end - map.start > 86_400_000 ? clockOrDay(at, end + 86_400_000) : clockSeconds(at)}</th>
                {rows.map((row) => {
                  const found = counts === null ? null : (counts[row.place] ?? 0);
                  return (
                    <td key={row.place} class="num">
                      {found === null ? T.noValue : found === 0 ? '0' : <a href={cellAddress(route, map, column, row)}>{count(found)}</a>}
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
