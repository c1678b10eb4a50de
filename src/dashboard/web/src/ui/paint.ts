/** What is drawn over the lines of uPlot: markers, limits, spans that are odd or beyond a limit, the last value. */

import type uPlot from 'uplot';
import { signalText } from '../format';
import { T } from '../strings';
import { A } from '../strings-alerts';
import { flagText } from '../verdict';
import { lastIndex, type ChartModel } from './chart-model';
import type { Colours } from './colours';

interface Painter {
  u: uPlot;
  model: ChartModel;
  colours: Colours;
  large: boolean;
  /** Pixels of the canvas for one of the page. */
  ratio: number;
}

/** uPlot remembers what it set on the canvas, so that has to stay as it was. */
export function paintBelow(painter: Painter): void {
  const { ctx } = painter.u;
  ctx.save();
  markers(painter);
  limits(painter);
  ctx.restore();
}

export function paintAbove(painter: Painter): void {
  const { model, u } = painter;
  u.ctx.save();
  for (const [first, last] of model.odd) {
    wash(painter, first, last);
    trace(painter, first, last, 'odd-f', 2.25);
    diamond(painter, first);
  }
  for (const line of model.lines) {
    if (line.rule === null) continue;
    const colour = line.state === 'warning' ? 'warn-f' : 'crit-f';
    for (const [first, last] of spansAbove(model.values, line.value)) trace(painter, first, last, colour, line.state === 'warning' ? 2.25 : 2.75);
  }
  if (painter.large) {
    foot(painter);
    limitLabels(painter);
  }
  end(painter);
  u.ctx.restore();
}

/** Runs of at least four values above a limit. */
export function spansAbove(values: (number | null)[], limit: number): [number, number][] {
  const spans: [number, number][] = [];
  let first = -1;
  for (let i = 0; i <= values.length; i += 1) {
    const value = values[i] ?? null;
    const isAbove = value !== null && value > limit;
    if (isAbove && first < 0) first = i;
    if (!isAbove && first >= 0) {
      if (i - first >= 4) spans.push([first, i - 1]);
      first = -1;
    }
  }
  return spans;
}

function x({ u, model }: Painter, i: number): number {
  return u.valToPos((model.times[i] ?? 0) / 1000, 'x', true);
}

function y({ u }: Painter, value: number): number {
  return u.valToPos(value, 'y', true);
}

function trace(painter: Painter, first: number, last: number, colour: keyof Colours, width: number): void {
  const { u, model, colours, ratio } = painter;
  u.ctx.beginPath();
  let isDown = false;
  for (let i = first; i <= last; i += 1) {
    const value = model.values[i] ?? null;
    if (value === null) isDown = false;
    else if (isDown) u.ctx.lineTo(x(painter, i), y(painter, value));
    else {
      u.ctx.moveTo(x(painter, i), y(painter, value));
      isDown = true;
    }
  }
  u.ctx.strokeStyle = colours[colour];
  u.ctx.lineWidth = width * ratio;
  u.ctx.lineJoin = 'round';
  u.ctx.setLineDash([]);
  u.ctx.stroke();
}

/** The area between values that are odd and the edge of the normal range. */
function wash(painter: Painter, first: number, last: number): void {
  const { u, model, colours } = painter;
  const { normal } = model;
  if (normal === null) return;
  u.ctx.fillStyle = colours['odd-f'];
  u.ctx.globalAlpha = 0.16;
  for (let i = first; i < last; i += 1) {
    const [a, b] = [model.values[i] ?? null, model.values[i + 1] ?? null];
    const edge = (at: number, value: number): number | null => {
      const [low, high] = [normal.low[at] ?? null, normal.high[at] ?? null];
      return low === null || high === null ? null : Math.max(low, Math.min(high, value));
    };
    const [c, d] = [a === null ? null : edge(i, a), b === null ? null : edge(i + 1, b)];
    if (a === null || b === null || c === null || d === null) continue;
    u.ctx.beginPath();
    u.ctx.moveTo(x(painter, i), y(painter, a));
    u.ctx.lineTo(x(painter, i + 1), y(painter, b));
    u.ctx.lineTo(x(painter, i + 1), y(painter, d));
    u.ctx.lineTo(x(painter, i), y(painter, c));
    u.ctx.fill();
  }
  u.ctx.globalAlpha = 1;
}

/** The height of the foot, in pixels of the page. */
const FOOT = 4;

/** When the condition of a rule held: hatched while it waited, solid while it fired. */
function foot({ u, model, colours, ratio }: Painter): void {
  const { left, top, width, height } = u.bbox;
  const bottom = top + height;
  for (const span of model.spans) {
    const at = (time: number): number => Math.max(left, Math.min(left + width, u.valToPos(time / 1000, 'x', true)));
    const a = at(span.from);
    const wide = Math.max(3 * ratio, at(span.to) - a);
    const tall = FOOT * ratio;
    u.ctx.fillStyle = colours[span.state === 'warning' ? 'warn-f' : 'crit-f'];
    if (span.isFiring) {
      u.ctx.fillRect(a, bottom - tall, wide, tall);
      continue;
    }
    u.ctx.globalAlpha = 0.12;
    u.ctx.fillRect(a, top, wide, height);
    u.ctx.globalAlpha = 1;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(a, bottom - tall, wide, tall);
    u.ctx.clip();
    u.ctx.beginPath();
    for (let line = a - tall; line < a + wide + tall; line += 5 * ratio) {
      u.ctx.moveTo(line, bottom);
      u.ctx.lineTo(line + tall, bottom - tall);
    }
    u.ctx.strokeStyle = colours[span.state === 'warning' ? 'warn-f' : 'crit-f'];
    u.ctx.lineWidth = 1.5 * ratio;
    u.ctx.setLineDash([]);
    u.ctx.stroke();
    u.ctx.restore();
  }
}

function diamond(painter: Painter, i: number): void {
  const { u, model, colours, ratio, large } = painter;
  const value = model.values[i] ?? null;
  if (value === null) return;
  const size = (large ? 5 : 3.5) * ratio;
  const [cx, cy] = [x(painter, i), y(painter, value)];
  u.ctx.beginPath();
  u.ctx.moveTo(cx, cy - size);
  u.ctx.lineTo(cx + size, cy);
  u.ctx.lineTo(cx, cy + size);
  u.ctx.lineTo(cx - size, cy);
  u.ctx.closePath();
  u.ctx.fillStyle = colours['odd-f'];
  u.ctx.fill();
}

function markers({ u, model, colours, large, ratio }: Painter): void {
  const { left, top, width, height } = u.bbox;
  u.ctx.font = `600 ${11 * ratio}px ${font(u)}`;
  u.ctx.textBaseline = 'top';
  let free = -Infinity;
  for (const marker of model.markers) {
    const at = Math.round(u.valToPos(marker.at / 1000, 'x', true)) + 0.5;
    u.ctx.beginPath();
    u.ctx.moveTo(at, large ? 0 : top);
    u.ctx.lineTo(at, top + height);
    u.ctx.strokeStyle = colours.text;
    u.ctx.lineWidth = ratio;
    u.ctx.setLineDash(large ? [] : [2 * ratio, 2 * ratio]);
    u.ctx.globalAlpha = large ? 1 : 0.7;
    u.ctx.stroke();
    u.ctx.globalAlpha = 1;
    if (!large) continue;
    u.ctx.setLineDash([]);
    u.ctx.fillStyle = colours.text;
    u.ctx.beginPath();
    u.ctx.moveTo(at, 0);
    u.ctx.lineTo(at + 7 * ratio, 0);
    u.ctx.lineTo(at + 4.8 * ratio, 3 * ratio);
    u.ctx.lineTo(at + 7 * ratio, 6 * ratio);
    u.ctx.lineTo(at, 6 * ratio);
    u.ctx.fill();
    const label = flagText(marker);
    const room = u.ctx.measureText(label).width + 14 * ratio;
    // A label that would lie over the one before, or leave the chart, is left out: the list of changes has it.
    if (label !== '' && at > free && at + room < left + width) {
      u.ctx.textAlign = 'left';
      u.ctx.fillText(label, at + 11 * ratio, 0);
      free = at + room;
    }
  }
}

/** The place of a limit, or null if it is outside of the chart. */
function limitAt(painter: Painter, value: number): number | null {
  const { top, height } = painter.u.bbox;
  const at = Math.round(y(painter, value)) + 0.5;
  return at < top || at > top + height ? null : at;
}

function limits(painter: Painter): void {
  const { u, model, colours, ratio } = painter;
  const { left, width } = u.bbox;
  for (const line of model.lines) {
    const at = limitAt(painter, line.value);
    if (at === null) continue;
    u.ctx.beginPath();
    u.ctx.moveTo(left, at);
    u.ctx.lineTo(left + width, at);
    u.ctx.strokeStyle = colours[line.state === 'warning' ? 'warn-f' : 'crit-f'];
    u.ctx.lineWidth = ratio;
    u.ctx.setLineDash(line.state === 'warning' ? [5 * ratio, 3 * ratio] : []);
    u.ctx.stroke();
    u.ctx.setLineDash([]);
  }
}

/** The names of the limits, over everything else: a normal range may be as high as the chart. */
function limitLabels(painter: Painter): void {
  const { u, model, colours, ratio } = painter;
  // Where labels are. Those of close lines stand beside each other, above the highest of the lines.
  const labels: { at: number; top: number; end: number }[] = [];
  u.ctx.font = `${11 * ratio}px ${font(u)}`;
  u.ctx.textAlign = 'left';
  u.ctx.textBaseline = 'bottom';
  for (const line of [...model.lines].sort((a, b) => b.value - a.value)) {
    const at = limitAt(painter, line.value);
    if (at === null) continue;
    const value = signalText(model.name, line.value);
    const text = A.lineFor(line.state === 'warning' ? T.warningLine(value) : T.criticalLine(value), line.for);
    const close = labels.filter((label) => Math.abs(label.at - at) < 15 * ratio);
    const begin = Math.max(u.bbox.left + 6 * ratio, ...close.map((label) => label.end + 14 * ratio));
    const top = Math.min(at, ...close.map((label) => label.top));
    labels.push({ at, top, end: begin + u.ctx.measureText(text).width });
    u.ctx.fillStyle = colours[line.state === 'warning' ? 'warn' : 'crit'];
    u.ctx.fillText(text, begin, top - 3 * ratio);
  }
}

function end(painter: Painter): void {
  const { u, model, colours, ratio } = painter;
  const i = lastIndex(model.values);
  const value = model.values[i] ?? null;
  if (value === null) return;
  const isOdd = model.odd.some(([, last]) => last >= i);
  const over = model.lines.findLast((line) => line.rule !== null && value > line.value);
  const colour = over === undefined ? (isOdd ? 'odd-f' : 'ink') : over.state === 'warning' ? 'warn-f' : 'crit-f';
  u.ctx.beginPath();
  u.ctx.arc(x(painter, i), y(painter, value), 3 * ratio, 0, 2 * Math.PI);
  u.ctx.fillStyle = colours[colour];
  u.ctx.strokeStyle = colours.surface;
  u.ctx.lineWidth = 2 * ratio;
  u.ctx.stroke();
  u.ctx.fill();
}

function font(u: uPlot): string {
  return getComputedStyle(u.root).fontFamily;
}
