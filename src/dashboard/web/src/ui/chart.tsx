/** A line chart of one signal. One cursor runs through all charts of the page. */

import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Card, Sections, Series, SignalName } from '../contract';
import { serverNow, setRange } from '../controller';
import { clock, clockSeconds, day, signalText } from '../format';
import { zoomed } from '../range';
import { useStore } from '../store';
import { CARD_TITLES, T } from '../strings';
import { systemIsDark, theme } from '../theme';
import { chartModel, lastIndex, rowsAt, scale, spokenAt, type ChartModel } from './chart-model';
import { readColours } from './colours';
import { paintAbove, paintBelow } from './paint';
import { tip } from './tip';

interface Props {
  model: ChartModel;
  large?: boolean;
  height: number;
}

const DAY = 86_400_000;

/** The columns of uPlot: times in seconds, the edges of the normal range if there is one, and the values, drawn last. */
function columns({ times, values, normal }: ChartModel): uPlot.AlignedData {
  const seconds = times.map((time) => time / 1000);
  return normal === null ? [seconds, values] : [seconds, normal.high, normal.low, values];
}

function options(width: number, height: number, large: boolean, read: () => ChartModel, hooks: uPlot.Hooks.Arrays): uPlot.Options {
  const colours = readColours();
  const ratio = devicePixelRatio || 1;
  const model = read();
  /** The number of the column with the values. */
  const values = model.normal === null ? 1 : 3;
  const hidden = { show: true, stroke: 'transparent', width: 0, points: { show: false } };
  const family = getComputedStyle(document.body).fontFamily;
  const axis: uPlot.Axis = {
    stroke: colours.mute,
    font: `11px ${family}`,
    ticks: { show: false },
    border: { show: false },
  };
  const painter = (u: uPlot): Parameters<typeof paintBelow>[0] => ({ u, model: read(), colours, large, ratio });
  return {
    width,
    height,
    legend: { show: false },
    padding: large ? [14, 8, 0, 0] : [4, 4, 4, 0],
    cursor: {
      y: false,
      sync: { key: 'page', setSeries: false, scales: ['x', null] },
      drag: { x: true, y: false, setScale: false },
      // Only the values have a dot, not the edges of the normal range.
      points: { size: (_u, i) => (i === values ? 7 : 0), fill: colours.text, stroke: colours.surface, width: 1.5 },
    },
    scales: {
      x: { time: true, range: () => [read().from / 1000, read().to / 1000] },
      y: { range: () => scale(read(), large) },
    },
    axes: large
      ? [
          {
            ...axis,
            grid: { show: false },
            size: 22,
            space: 110,
            values: (_u, splits) => splits.map((split) => axisTime(split * 1000, read())),
          },
          {
            ...axis,
            size: 56,
            space: 36,
            grid: { stroke: colours.line, width: 1 },
            values: (_u, splits) => splits.map((split) => (split === 0 ? '0' : signalText(model.name, split))),
          },
        ]
      : [{ show: false }, { show: false }],
    series: [
      {},
      ...(model.normal === null ? [] : [hidden, hidden]),
      { stroke: colours.ink, width: 1.5, points: { show: false }, spanGaps: false },
    ],
    ...(model.normal === null ? {} : { bands: [{ series: [1, 2] as uPlot.Band.Bounds, fill: colours.band }] }),
    hooks: {
      ...hooks,
      drawAxes: [(u) => { paintBelow(painter(u)); }],
      draw: [(u) => { paintAbove(painter(u)); }],
    },
  };
}

function axisTime(at: number, { from, to }: ChartModel): string {
  return to - from > 2 * DAY ? day(at) : clock(at);
}

/** The model of a signal's chart, the same object as long as nothing that it shows has changed. */
export function useChartModel(name: SignalName, card: Card, series: Series, { anomalies, markers, alerts }: Sections): ChartModel {
  const lines = card.lines.map(({ value, state, rule }) => `${value} ${state} ${rule ?? ''}`).join();
  const inputs = [name, series, markers, anomalies, alerts.spans, lines];
  return useMemo(() => chartModel(name, CARD_TITLES[name], card, series, markers, anomalies, alerts.spans), inputs);
}

export function Chart({ model, large = false, height }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(model);
  /** Whether the pointer is over this chart; the cursors of the others only follow. */
  const isHere = useRef(false);
  const [index, setIndex] = useState<number | null>(null);
  const [isDark, setDark] = useState(systemIsDark.matches);
  const chosen = useStore(theme);
  const hasBand = model.normal !== null;
  latest.current = model;

  useEffect(() => {
    const changed = (): void => { setDark(systemIsDark.matches); };
    systemIsDark.addEventListener('change', changed);
    return () => { systemIsDark.removeEventListener('change', changed); };
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const hooks: uPlot.Hooks.Arrays = {
      setCursor: [(u) => { pointed(u); }],
      setSelect: [(u) => { selected(u); }],
    };
    const u = new uPlot(options(element.clientWidth, height, large, () => latest.current, hooks), columns(latest.current), element);
    plot.current = u;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) u.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      u.destroy();
      plot.current = null;
    };
    // A canvas keeps its colours, so the chart is made again in another theme.
  }, [height, large, hasBand, chosen, isDark]);

  useLayoutEffect(() => {
    plot.current?.setData(columns(model));
  }, [model]);

  const pointed = (u: uPlot): void => {
    if (!isHere.current) return;
    const i = u.cursor.idx ?? null;
    const time = i === null ? undefined : latest.current.times[i];
    if (i === null || time === undefined || (u.cursor.left ?? -1) < 0) {
      tip.set(null);
      return;
    }
    const area = u.over.getBoundingClientRect();
    const y = area.top + Math.max(0, u.cursor.top ?? 0);
    tip.set({ title: clockSeconds(time), rows: rowsAt(latest.current, i), x: area.left + (u.cursor.left ?? 0), y });
  };

  const selected = (u: uPlot): void => {
    const { left, width } = u.select;
    if (width < 4) return;
    const from = u.posToVal(left, 'x') * 1000;
    const to = u.posToVal(left + width, 'x') * 1000;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    // The other charts of the page are selected too; the one under the pointer decides.
    if (isHere.current) setRange(zoomed(from, to, serverNow()));
  };

  const move = (to: number): void => {
    const u = plot.current;
    const time = model.times[to];
    if (u === null || time === undefined) return;
    setIndex(to);
    isHere.current = true;
    const value = model.values[to];
    u.setCursor({ left: u.valToPos(time / 1000, 'x'), top: typeof value === 'number' ? u.valToPos(value, 'y') : 0 });
  };
  const leave = (): void => {
    isHere.current = false;
    plot.current?.setCursor({ left: -10, top: -10 });
    tip.set(null);
  };
  const last = model.times.length - 1;
  const at = Math.min(index ?? Math.max(0, lastIndex(model.values)), last);
  const onKeyDown = (event: KeyboardEvent): void => {
    const minutes5 = Math.max(1, Math.round(300_000 / ((model.to - model.from) / Math.max(1, last + 1))));
    const by: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -minutes5, PageDown: minutes5, Home: -last, End: last };
    const step = by[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(Math.max(0, Math.min(last, at + step)));
  };
  return (
    <div
      class={large ? 'chart large' : 'chart'}
      ref={box}
      role="slider"
      tabIndex={0}
      aria-label={T.chartOf(model.title)}
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={Math.max(0, last)}
      aria-valuenow={Math.max(0, at)}
      aria-valuetext={spokenAt(model, at)}
      onKeyDown={onKeyDown}
      onBlur={leave}
      onPointerEnter={() => { isHere.current = true; }}
      onPointerLeave={leave}
    />
  );
}
