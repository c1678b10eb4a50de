import { describe, expect, it } from 'vitest';
import { bytes, clock, clockOrDay, count, duration, joined, maybe, percent, rate, shortId, signalText, span, word } from '../format';

const N = '\u202f';

describe('numbers', () => {
  it('keeps about two significant digits, and never turns something into nothing', () => {
    const cases: [string, string][] = [
      [joined(duration(0)), `0${N}ms`],
      [joined(duration(0.000_04)), `40${N}µs`],
      [joined(duration(0.0008)), `0.8${N}ms`],
      [joined(duration(0.084)), `84${N}ms`],
      [joined(duration(0.9996)), `1${N}s`],
      [joined(duration(1.376)), `1.38${N}s`],
      [joined(duration(9.96)), `10${N}s`],
      [joined(duration(12.34)), `12.3${N}s`],
      [joined(duration(125)), `125${N}s`],
      [joined(percent(0)), `0${N}%`],
      [joined(percent(0.000_01)), `<${N}0.1${N}%`],
      [joined(percent(0.002)), `0.2${N}%`],
      [joined(percent(0.068)), `6.8${N}%`],
      [joined(percent(0.31)), `31${N}%`],
      [joined(percent(0.9999)), `99${N}%`],
      [joined(percent(1)), `100${N}%`],
      [joined(percent(1.5)), `150${N}%`],
      [joined(rate(0.004)), '0.004/s'],
      [joined(rate(6.2)), '6.2/s'],
      [joined(rate(10_412.4)), '10,412/s'],
      [joined(bytes(500)), `500${N}B`],
      [joined(bytes(11_534_336)), `11${N}MiB`],
      [joined(bytes(1_073_741_824)), `1${N}GiB`],
      [count(1_234_567), '1,234,567'],
      [signalText('connections', 2.72), '2.7'],
    ];
    for (const [text, wanted] of cases) expect(text).toBe(wanted);
  });

  it('shows a dash for what is not known', () => {
    for (const value of [null, undefined, NaN, Infinity]) expect(maybe(value, rate)).toBe('–');
    expect(signalText('cpu', null)).toBe('–');
    expect(signalText('cpu', 0)).toBe(`0${N}%`);
  });
});

describe('times', () => {
  it('tells spans in at most two units', () => {
    expect([0.4, 41, 59.6, 540, 3600, 9600, 86_400, 97_200, -3].map(span)).toEqual([
      `0${N}s`, `41${N}s`, `1${N}min`, `9${N}min`, `1${N}h`, `2${N}h 40${N}min`, `1${N}d`, `1${N}d 3${N}h`, `0${N}s`,
    ]);
  });

  it('adds the day to times of another day', () => {
    const now = new Date(2026, 10, 29, 14, 0).getTime();
    const earlier = new Date(2026, 10, 28, 9, 5).getTime();
    expect(clock(earlier)).toBe('09:05');
    expect(clockOrDay(now - 3_600_000, now)).toBe('13:00');
    expect(clockOrDay(earlier, now)).toBe('28 Nov 09:05');
  });
});

it('writes small numbers as words and shortens long IDs only', () => {
  expect([0, 2, 12, 13].map(word)).toEqual(['no', 'two', 'twelve', '13']);
  expect(shortId('4433808d45890a008fb200197c911045')).toBe('4433…1045');
  expect(shortId('abc')).toBe('abc');
});
