import { render, type JSX } from 'preact';
import { describe, expect, it, vi } from 'vitest';
import type { Differences, SpanDetails, Trace, TracePage, TraceSpan } from '../contract-traces';
import { workAddress } from '../operation-places';
import { isFiltered, looksLikeId, NO_FILTER, readFilter, tracesPath, writeFilter } from '../trace-filter';
import { axisOf, closedAtFirst, mostOf, placeOn, rowsOf } from '../trace-model';
import { DifferencesPanel } from '../ui/differences';
import { ErrorList, LineList, Pairs } from '../ui/trace-signals';
import { Waterfall } from '../ui/trace-waterfall';

const ID = '4f1c8a0b7d2e4e5f93a1c6d0b8f79e02';

function span(id: string, change: Partial<TraceSpan> = {}): TraceSpan {
  return {
    id, depth: 1, below: 0, work: 'code', label: 'fn', title: id, start_us: 0, end_us: 10, failed: false, is_orphan: false,
    on_path: [], events: 0, typical: null, details: null, ...change,
  };
}

function details(change: Partial<SpanDetails> = {}): SpanDetails {
  return { name: '', status_message: '', scope: '', left_out: 0, statement: null, attributes: [], event_list: [], links: [], ...change };
}

function trace(spans: TraceSpan[], duration_us = 1000): Trace {
  return {
    name: 'GET /', method: 'GET', route: '/', start: 0, duration_us, took: duration_us / 1e6, status: 200, failed: false, kept: 'head',
    outcome: null, error_type: null, user: null, has_root: true, lost_spans: 0, span_count: spans.length, spans, typical: null,
  };
}

function pageOf(of: Trace, change: Partial<TracePage> = {}): TracePage {
  return { at: 0, trace_id: ID, is_stored: false, stored_since: null, failed: null, running_for: null, lines: 'complete', logs: [], errors: [], trace: of, ...change };
}

function drawn(element: JSX.Element): HTMLElement {
  const root = document.createElement('div');
  render(element, root);
  return root;
}

const waterfall = (of: Trace, page: Partial<TracePage> = {}, chosen: string | null = null): HTMLElement =>
  drawn(<Waterfall of={pageOf(of, page)} trace={of} range={{ kind: 'relative', name: '1h' }} chosen={chosen} choose={() => undefined} />);

describe('the filter of traces', () => {
  it('is in the address and comes back from it', () => {
    const filter = { ...NO_FILTER, route: '/orders/{id}', min_ms: '250', status: '5xx', kept: 'error' };
    const query = new URLSearchParams('range=6h&span=x');
    writeFilter(query, filter);
    expect(readFilter(query)).toEqual(filter);
    expect(query.get('range')).toBe('6h');
    writeFilter(query, NO_FILTER);
    expect(query.toString()).toBe('range=6h&span=x');
    expect([isFiltered(filter), isFiltered(NO_FILTER)]).toEqual([true, false]);
    expect(tracesPath(filter, { kind: 'relative', name: '6h' })).toBe('data/v1/traces?range=6h&route=%2Forders%2F%7Bid%7D&min_ms=250&status=5xx&kept=error');
  });

  it('takes ids for ids, and words for words', () => {
    for (const id of [ID, ID.toUpperCase(), ID.slice(16), '10638104012351938050', '01J0QF8V3E6T9W', 'order-17', ` ${ID} `]) expect(looksLikeId(id), id).toBe(true);
    for (const word of ['', 'checkout', 'GET /orders', 'a1', '/api/v1/content', '<b>12345678</b>', 'two words 12']) expect(looksLikeId(word), word).toBe(false);
  });
});

describe('the rows of a trace', () => {
  it('folds equal spans that follow each other, and no others', () => {
    const load = (n: number, change: Partial<TraceSpan> = {}): TraceSpan => span(`l${n}`, { title: 'SELECT', start_us: n * 10, end_us: n * 10 + 9, ...change });
    const spans = [span('root', { depth: 0, below: 8 }), load(0), load(1), load(2), load(3), span('other', { below: 1 }), span('inner', { depth: 2 }), load(4), load(5, { failed: true })];
    const rows = rowsOf(spans, new Set(), new Set());
    expect(rows.map((row) => [row.kind, row.key])).toEqual([
      ['span', 'root'], ['group', 'group-l0'], ['span', 'other'], ['span', 'inner'], ['span', 'l4'], ['span', 'l5'],
    ]);
    const [, group] = rows;
    expect(group?.kind === 'group' && [group.spans.length, group.isSerial]).toEqual([4, true]);
    expect(rowsOf(spans, new Set(), new Set(['group-l0'])).map((row) => row.key)).toEqual(['root', 'group-l0', 'l0', 'l1', 'l2', 'l3', 'other', 'inner', 'l4', 'l5']);
    expect(rowsOf(spans, new Set(['other']), new Set()).map((row) => row.key)).toEqual(['root', 'group-l0', 'other', 'l4', 'l5']);
    expect(rowsOf(spans, new Set(['root']), new Set()).map((row) => row.key)).toEqual(['root']);
    expect(rowsOf([], new Set(), new Set())).toEqual([]);
    const together = [0, 1, 2].map((n) => span(`p${n}`, { title: 'part', start_us: n, end_us: 100 }));
    const [first] = rowsOf(together, new Set(), new Set());
    expect(first?.kind === 'group' && first.isSerial).toBe(false);
  });

  it('closes large parts that took little time', () => {
    const part = (name: string, on_path: [number, number][]): TraceSpan[] => [
      span(name, { below: 60, on_path }),
      ...Array.from({ length: 60 }, (_, n) => span(`${name}${n}`, { depth: 2, title: `${name} ${n}` })),
    ];
    const spans = [span('root', { depth: 0, below: 122 }), ...part('idle', []), ...part('busy', [[0, 900]])];
    expect([...closedAtFirst(trace(spans))]).toEqual(['idle']);
    expect(closedAtFirst(trace(spans.slice(0, 20))).size).toBe(0);
  });

  it('names the span that the trace waited longest for', () => {
    const spans = [span('root', { depth: 0, on_path: [[0, 100], [900, 1000]] }), span('query', { on_path: [[100, 900]] })];
    const most = mostOf(trace(spans));
    expect([most?.span.id, most?.share]).toEqual(['query', 0.8]);
    expect(mostOf(trace([]))).toBeNull();
    expect(mostOf(trace([span('x')], 0))).toBeNull();
  });

  it('has lines at round times within it', () => {
    expect(axisOf(2_310_000)).toEqual([1_000_000, 2_000_000]);
    expect(axisOf(1000)).toEqual([500]);
    for (const total of [1, 7, 999, 123_456, 3_600_000_000]) {
      const ticks = axisOf(total);
      expect(ticks.length).toBeLessThan(6);
      expect(ticks.every((at) => at > 0 && at < total)).toBe(true);
    }
    expect(axisOf(0)).toEqual([]);
    expect([placeOn(-5, 10), placeOn(5, 10), placeOn(20, 10), placeOn(1, 0)]).toEqual([0, 50, 100, 0]);
  });
});

describe('the waterfall', () => {
  it('leads from a span to all runs of its statement, and to the calls', () => {
    const range = { kind: 'relative', name: '1h' } as const;
    const of = (...attributes: [string, string][]): TraceSpan => span('a', { details: details({ attributes: attributes.map(([key, value]) => ({ key, value })) }) });
    const query = of(['db.system.name', 'postgresql'], ['db.namespace', 'shop'], ['db.query.summary', 'SELECT orders']);
    expect(workAddress(query, range)).toBe('statement?system=postgresql&namespace=shop&summary=SELECT+orders');
    expect(workAddress(of(['service.peer.name', 'stripe']), range)).toBe('calls');
    expect([workAddress(of(['db.system.name', 'redis']), range), workAddress(span('b'), range)]).toEqual([null, null]);
    const root = waterfall(trace([{ ...query, title: 'SELECT orders', label: 'SQL' }]));
    const link = root.querySelector('a.sw');
    expect([link?.textContent, link?.getAttribute('aria-label')]).toEqual(['SQL', 'SQL: All runs of SELECT orders']);
  });

  it('draws one span, fifty, and no more than two hundred rows of ten thousand', () => {
    expect(waterfall(trace([span('root', { depth: 0 })])).querySelectorAll('.wf li').length).toBe(1);
    const many = (n: number): TraceSpan[] => [span('root', { depth: 0, below: n - 1 }), ...Array.from({ length: n - 1 }, (_, i) => span(`s${i}`, { title: `step ${i}` }))];
    expect(waterfall(trace(many(50))).querySelectorAll('.wf li').length).toBe(50);
    const large = waterfall(trace(many(10_000)));
    expect(large.querySelectorAll('.wf li').length).toBe(200);
    expect(large.textContent).toContain('Show 200 more rows');
    expect(large.textContent).toContain('10,000 spans');
    // One that is chosen is there, however far below.
    expect(waterfall(trace(many(10_000)), {}, 's500').querySelector('li.sel')?.textContent).toContain('step 500');
    const equal = [span('root', { depth: 0, below: 9999 }), ...Array.from({ length: 9999 }, (_, i) => span(`s${i}`, { title: 'SELECT', start_us: i, end_us: i + 1 }))];
    const folded = waterfall(trace(equal, 10_000));
    expect(folded.querySelectorAll('.wf li').length).toBe(2);
    expect(folded.textContent).toContain('9,999 × one after another');
    expect(folded.querySelectorAll('rect').length).toBeLessThan(100);
  });

  it('scrolls to the span that is chosen, also to one in a folded group', async () => {
    const scrolled: string[] = [];
    const scroll = vi.spyOn(Element.prototype, 'scrollIntoView').mockImplementation(function (this: Element) { scrolled.push(this.id); });
    const equal = [span('root', { depth: 0, below: 20 }), ...Array.from({ length: 20 }, (_, i) => span(`s${i}`, { title: 'SELECT', start_us: i, end_us: i + 1 }))];
    const root = document.createElement('div');
    document.body.append(root);
    const show = (chosen: string | null): void => { render(<Waterfall of={pageOf(trace(equal))} trace={trace(equal)} range={{ kind: 'relative', name: '1h' }} chosen={chosen} choose={() => undefined} />, root); };
    show(null);
    show('s7');
    await vi.waitFor(() => { expect(scrolled).toEqual(['span-s7']); }, 10_000);
    show('root');
    await vi.waitFor(() => { expect(scrolled).toEqual(['span-s7', 'span-root']); }, 10_000);
    render(null, root);
    root.remove();
    scroll.mockRestore();
  });

  it('leads from a failed span to the errors of its trace', () => {
    const root = waterfall(trace([span('root', { depth: 0, failed: true, details: details() })]), {}, 'root');
    expect(root.querySelector('.det .btns a')?.getAttribute('href')).toBe('#errors');
  });

  it('says what is unusual of a span', () => {
    const text = waterfall(trace([span('a', { depth: 0, is_orphan: true }), span('b', { work: 'task' }), span('c', { failed: true })])).textContent;
    expect(text).toContain('parent missing');
    expect(text).toContain('ended after its parent');
  });

  it('shows ticks of a typical trace and dots of lines', () => {
    const spans = [span('root', { depth: 0, end_us: 1000, typical: { start_us: 0, end_us: 300 } })];
    const line = { at: 0, at_us: 500, level: 'error', target: '', message: 'm', span_id: 'root', fields: [] };
    const root = waterfall(trace(spans), { logs: [line, { ...line, level: 'info', span_id: 'other' }] });
    expect(root.querySelector('.bars rect.f-text')?.getAttribute('x')).toBe('30%');
    expect([...root.querySelectorAll('.bars circle')].map((dot) => dot.getAttribute('class'))).toEqual(['f-crit']);
  });
});

describe('hostile text', () => {
  const PAYLOADS = [
    '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '"><svg onload=alert(1)>', "'-alert(1)-'", 'javascript:alert(1)', '{{constructor.constructor("alert(1)")()}}',
    '</pre><iframe src="javascript:alert(1)">', '\u202e<b>reversed</b>', '<!--', '&lt;script&gt;', '<a href="javascript:alert(1)">x</a>', '<style>*{display:none}</style>', '\u0000<x>',
  ];
  const FORBIDDEN = 'script, img, iframe, style, b > b, [onerror], [onload], a[href^="javascript"]';

  it.each(PAYLOADS)('stays text everywhere: %s', (text) => {
    const pair = { key: text, value: text };
    const of = trace([
      span('0000000000000001', {
        depth: 0, label: text, title: text, failed: true,
        details: details({ name: text, status_message: text, scope: text, statement: text, attributes: [pair], event_list: [{ at_us: 1, name: text, attributes: [pair] }], links: [{ trace_id: text, span_id: text, attributes: [pair] }] }),
      }),
    ]);
    const line = { at: 0, at_us: 1, level: text, target: text, message: text, span_id: '0000000000000001', fields: [pair] };
    const error = { id: '1', at: 0, at_us: 1, span_id: '', location: text, causes: [{ type: text, message: text }], frames: [{ function: text, file: text, line: 1, in_app: true }] };
    const differences: Differences = { at: 0, range: { from: 0, to: 1, live: true }, selected: 1, all: 2, by_filter: true, rows: [{ ...pair, selected: 1, all: 1, share_selected: 1, share_all: 0.5 }] };
    const all = [
      waterfall(of, { logs: [line] }, '0000000000000001'),
      drawn(<Pairs pairs={[pair]} />),
      drawn(<LineList lines={[line]} choose={() => undefined} />),
      drawn(<ErrorList errors={[error]} />),
      drawn(<DifferencesPanel found={differences} />),
    ];
    for (const root of all) {
      expect(root.querySelector(FORBIDDEN), text).toBeNull();
      expect(root.textContent).toContain(text.replaceAll('\u0000', root.textContent.includes('\u0000') ? '\u0000' : ''));
    }
    // A linked trace with such an ID leads to our own page.
    const links = [...(all[0]?.querySelectorAll('a') ?? [])].map((a) => a.getAttribute('href') ?? '');
    expect(links.every((href) => /^(#|\.\/|trace\?)/.test(href)), links.join(' ')).toBe(true);
  });
});
