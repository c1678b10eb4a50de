import { render } from 'preact';
import { describe, expect, it } from 'vitest';
import type { Card, Reason, SignalName } from '../contract';
import { Verdict } from '../ui/overview';
import { asText, sentence } from '../verdict';
import { MINUTE, NOW, card, sections } from './sections';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');
const textOf = (...change: Parameters<typeof sections>): string => plain(asText(sentence(sections(...change), NOW)));

describe('the verdict', () => {
  it('tells the figures of a service that is well', () => {
    expect(textOf()).toBe('Healthy. p95 210 ms, 0.2 % errors, 412 requests/s.');
  });

  it('leaves out figures that are not known', () => {
    const { cards } = sections();
    const unknown = { ...cards, response_time: { ...cards.response_time, value: null }, requests: card(null) };
    expect(textOf({ cards: unknown })).toBe('Healthy. 0.2 % errors.');
    const none = { ...unknown, error_rate: { ...cards.error_rate, value: null } };
    expect(textOf({ cards: none })).toBe('Healthy.');
  });

  it('names what is odd, since when and after what, without calling it a cause', () => {
    const anomalies = [{ id: 'a', episode: '1', text: '', route: null, signal: 'memory', from: NOW - 35 * MINUTE, to: null, value: 0.61, normal: { low: 0.51, high: 0.54 }, also: [] }];
    const markers = [
      { at: NOW - 600 * MINUTE, kind: 'deploy', text: 'v1.4.1' },
      { at: NOW - 38 * MINUTE, kind: 'deploy', text: 'v1.4.2' },
    ];
    expect(textOf({ anomalies, markers })).toBe(
      'Healthy. p95 210 ms, 0.2 % errors, 412 requests/s. One thing is odd: memory has been outside its normal range since 13:57, three minutes after v1.4.2.',
    );
    const marked = [...markers, { at: NOW - 36 * MINUTE, kind: 'mark', text: 'flag search-v2 on' }];
    expect(textOf({ anomalies, markers: marked })).toContain('one minute after “flag search-v2 on”.');
    // A level that has changed, with values that are normal by themselves.
    const level = anomalies.map((one) => ({ ...one, value: 0.53 }));
    expect(textOf({ anomalies: level, markers })).toContain('memory has been unusual since 13:57');
    // An anomaly that is over is in the list alone.
    expect(textOf({ anomalies: anomalies.map((one) => ({ ...one, to: NOW })) })).not.toContain('odd');
  });

  it('names figures over their lines, without a colour', () => {
    const { cards } = sections();
    const over = { ...cards, error_rate: { ...cards.error_rate, value: 0.068 }, response_time: { ...cards.response_time, value: 0.64 } };
    const of = sentence(sections({ cards: over }), NOW);
    expect(of.state).toBe('healthy');
    expect(plain(asText(of))).toContain(
      'Response time, p95 is over its warning line, 500 ms; Error rate is over its critical line, 5 %.',
    );
  });

  it('tells why it is critical, since when, after what, how bad and where', () => {
    const { cards } = sections();
    const verdict = {
      state: 'critical' as const,
      since: NOW - 12 * MINUTE,
      uptime: 840,
      reasons: [
        { kind: 'check', name: 'database', state: 'critical' as const, text: 'timed out after 2 s.', alert: null, card: null },
        { kind: 'sink', name: 'otlp', state: 'warning' as const, text: 'nothing was delivered', alert: null, card: null },
      ],
      reason_count: 2,
      where: { method: 'POST', route: '/api/content/generate', share: 0.91 },
      slow: null,
    };
    const change = { verdict, cards: { ...cards, error_rate: { ...cards.error_rate, value: 0.068 } }, markers: [{ at: NOW - 14 * MINUTE, kind: 'deploy', text: 'v1.4.3' }] };
    expect(textOf(change)).toBe(
      'Critical. The check “database” does not pass: timed out after 2 s; one more below. ' +
        'It began at 14:20, two minutes after v1.4.3; 6.8 % of requests fail, 91 % of them on POST /api/content/generate.',
    );
    expect(textOf({ ...change, markers: [], verdict: { ...verdict, since: null, reasons: [], reason_count: 0 } })).toBe(
      'Critical. 6.8 % of requests fail, 91 % of them on POST /api/content/generate.',
    );
  });

  it('tells a firing alert in its figure, its multiple of normal, since when, after what and where', () => {
    const { cards } = sections();
    const rule = (name: string, value: number, state: 'warning' | 'critical'): Card['lines'] => [{ value, state, rule: name, for: 60 }];
    const reason = (name: string, card: SignalName, state: 'warning' | 'critical'): Reason => ({ kind: 'alert', name, state, text: 'In words.', alert: '1', card });
    const verdict = {
      state: 'critical' as const,
      since: NOW - 12 * MINUTE,
      uptime: 840,
      reasons: [reason('high-error-rate', 'error_rate', 'critical'), reason('slow-response', 'response_time', 'warning'), reason('disk-full', 'cpu', 'warning')],
      reason_count: 3,
      where: { method: 'POST', route: '/api/content/generate', share: 0.91 },
      slow: { method: 'GET', route: '/search', p95: 1.2 },
    };
    const bad = {
      ...cards,
      error_rate: { ...cards.error_rate, value: 0.068, state: 'critical' as const, lines: rule('high-error-rate', 0.05, 'critical') },
      response_time: { ...cards.response_time, value: 1.38, state: 'warning' as const, lines: rule('slow-response', 1, 'warning'), normal: { low: 0.19, high: 0.23 } },
    };
    const markers = [{ at: NOW - 14 * MINUTE, kind: 'deploy', text: 'v1.4.3' }];
    expect(textOf({ verdict, cards: bad, markers })).toBe(
      'Critical. 6.8 % of requests fail and p95 is 1.38 s, 6.6 × its normal; one more below. ' +
        'It began at 14:20, two minutes after v1.4.3; 91 % of the failures are on POST /api/content/generate.',
    );
    const pieces = sentence(sections({ verdict, cards: bad }), NOW).pieces;
    expect(pieces.filter(({ link }) => link !== undefined).map(({ text }) => plain(text))).toEqual(['6.8 % of requests fail', '1.38 s', 'POST /api/content/generate']);
    // The figure is back, and the alert on the last minutes is not over.
    const back = { ...bad, error_rate: { ...bad.error_rate, value: 0 } };
    expect(textOf({ verdict: { ...verdict, reasons: verdict.reasons.slice(0, 1), reason_count: 1 }, cards: back })).toMatch(/^Critical\. In words\. It began/);
    const slow = { ...verdict, state: 'warning' as const, reasons: [reason('slow-response', 'response_time', 'warning')], reason_count: 1 };
    expect(textOf({ verdict: slow, cards: bad })).toBe('Warning. p95 is 1.38 s, 6.6 × its normal. It began at 14:20; slowest on GET /search, p95 1.2 s.');
  });

  it('waits for the first request', () => {
    const verdict = { ...sections().verdict, state: 'waiting' as const };
    expect(textOf({ verdict })).toMatch(/^Waiting for the first request\. The monitor runs/);
  });

  it('is rendered as text: markup in names stays text', () => {
    const hostile = '<img src=x onerror=alert(1)>';
    const verdict = {
      ...sections().verdict,
      state: 'warning' as const,
      reasons: [{ kind: 'check', name: hostile, state: 'warning' as const, text: hostile, alert: null, card: null }],
      where: { method: hostile, route: hostile, share: 1 },
      slow: null,
    };
    const root = document.createElement('div');
    render(<Verdict of={sentence(sections({ verdict }), NOW)} />, root);
    expect(root.querySelector('img')).toBeNull();
    expect(root.textContent).toContain(`“${hostile}” does not pass: ${hostile}`);
    expect(root.querySelector('h1 b')?.textContent).toBe('Warning.');
    expect(root.querySelector('a')?.getAttribute('href')).toBe('?card=error_rate');
  });
});
