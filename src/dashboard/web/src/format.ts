/** Numbers, durations and times as text. A value of null becomes a dash. */

import type { SignalName } from './contract';

/** A narrow space that does not break, between a number and its unit. */
export const NARROW = '\u202f';
export const DASH = '–';

export interface Figure {
  value: string;
  unit: string;
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** A count, with its thousands separated. */
export function count(value: number): string {
  return grouped.format(Math.round(value));
}

/** A count with its noun. */
export function plural(n: number, one: string, many: string): string {
  return count(n) + ' ' + (n === 1 ? one : many);
}

/** A number with about two significant digits, and none behind the point from 10 on. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 9.95) return count(value);
  if (size >= 0.095) return trimmed(value.toFixed(1));
  return trimmed(value.toPrecision(1));
}

/** Removes zeros behind the point. Never changes a whole number. */
function trimmed(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}

/** A duration that was measured, in seconds: `210 ms`, `1.38 s`. */
export function duration(seconds: number): Figure {
  const ms = seconds * 1000;
  if (ms >= 99_500) return { value: count(seconds), unit: 's' };
  if (ms >= 9_950) return { value: trimmed(seconds.toFixed(1)), unit: 's' };
  if (ms >= 999.5) return { value: trimmed(seconds.toFixed(2)), unit: 's' };
  if (ms >= 9.95) return { value: count(ms), unit: 'ms' };
  if (ms >= 0.095 || ms === 0) return { value: trimmed(ms.toFixed(1)), unit: 'ms' };
  return { value: count(ms * 1000), unit: 'µs' };
}

/** A ratio as percent. A share that is small but not 0 is never shown as 0. */
export function percent(ratio: number): Figure {
  const value = ratio * 100;
  if (value > 0 && value < 0.05) return { value: '<' + NARROW + '0.1', unit: '%' };
  if (value < 9.95) return { value: trimmed(value.toFixed(1)), unit: '%' };
  // A share that is not the whole is never shown as 100 %.
  const whole = value < 100 ? Math.min(99, Math.round(value)) : Math.round(value);
  return { value: count(whole), unit: '%' };
}

/** Events per second. */
export function rate(perSecond: number): Figure {
  return { value: short(perSecond), unit: '/s' };
}

export function bytes(value: number): Figure {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1023.5 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return { value: unit === 0 ? count(size) : short(size), unit: units[unit] ?? 'B' };
}

/** A figure as one text. */
export function joined({ value, unit }: Figure): string {
  if (unit === '') return value;
  return unit.startsWith('/') ? value + unit : value + NARROW + unit;
}

/** A number that may be unknown, by one of the functions above. */
export function maybe(value: number | null | undefined, form: (value: number) => Figure | string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const text = form(value);
  return typeof text === 'string' ? text : joined(text);
}

const FORMS: Record<SignalName, (value: number) => Figure> = {
  requests: rate,
  response_time: duration,
  error_rate: percent,
  users: (value) => ({ value: count(value), unit: '' }),
  cpu: percent,
  memory: percent,
  connections: (value) => ({ value: value < 9.95 ? trimmed(value.toFixed(1)) : count(value), unit: '' }),
};

/** The value of a card. */
export function signal(name: SignalName, value: number): Figure {
  return FORMS[name](value);
}

/** The value of a card as one text, or a dash. */
export function signalText(name: SignalName, value: number | null | undefined): string {
  return maybe(value, FORMS[name]);
}

/** A span of time for sentences, in its two largest units: `2 h 40 min`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return whole + NARROW + 's';
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return minutes + NARROW + 'min';
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  if (hours < 24) return hours + NARROW + 'h' + (rest === 0 ? '' : ' ' + rest + NARROW + 'min');
  const days = Math.floor(hours / 24);
  const hoursLeft = hours % 24;
  return days + NARROW + 'd' + (hoursLeft === 0 ? '' : ' ' + hoursLeft + NARROW + 'h');
}

const two = (value: number): string => value.toString().padStart(2, '0');

/** `14:20`. */
export function clock(at: number): string {
  const time = new Date(at);
  return two(time.getHours()) + ':' + two(time.getMinutes());
}

/** `14:20:10`. */
export function clockSeconds(at: number): string {
  return clock(at) + ':' + two(new Date(at).getSeconds());
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** `28 Nov`. */
export function day(at: number): string {
  const time = new Date(at);
  return time.getDate() + ' ' + (MONTHS[time.getMonth()] ?? '');
}

export function weekday(at: number): string {
  return WEEKDAYS[new Date(at).getDay()] ?? '';
}

/** The clock time, with the day in front if `at` is more than 20 hours before `now`. */
export function clockOrDay(at: number, now: number): string {
  return now - at > 20 * 3_600_000 ? day(at) + ' ' + clock(at) : clock(at);
}

const SMALL = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];

/** A small number as a word. */
export function word(value: number): string {
  return SMALL[value] ?? count(value);
}

/** The first and last digits of a long ID. */
export function shortId(id: string): string {
  return id.length > 12 ? id.slice(0, 4) + '…' + id.slice(-4) : id;
}
