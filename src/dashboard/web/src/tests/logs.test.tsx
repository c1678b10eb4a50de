import { render, type JSX } from 'preact';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LogFacet, LogHistogram, LogLine, LogList, LogPatterns } from '../contract-logs';
import { page } from '../controller';
import { LOGS } from '../log-places';
import { L } from '../strings-logs';
import { LogExport } from '../ui/log-export';
import { LogHistogramPanel, placed } from '../ui/log-histogram';
import { LogRows } from '../ui/log-lines';
import { LogSearch, Problem, levelOf } from '../ui/log-search';
import { LogTailView, tailWait } from '../ui/log-tail';
import { Head, LogsView, Notes } from '../ui/logs';
import { MINUTE, NOW } from './sections';

const HOSTILE = '<img src=x onerror=alert(1)>';
const LAST = { kind: 'relative', name: '1h' } as const;
const ZERO = { trace: 0, debug: 0, info: 0, warn: 0, error: 0 };

function line(n: number, change: Partial<LogLine> = {}): LogLine {
  return { cursor: `f.${n}`, at: NOW - n * 1000, level: 'INFO', message: `line ${n}`, fields: { target: 'shop::pay', n, trace_id: 'ab'.repeat(16) }, ...change };
}

const list = (change: Partial<LogList> = {}): LogList => ({ lines: [line(1), line(2)], next: null, end: 'complete', reached: null, source: 'files', looked_at: 2, unreadable: 0, ...change });
const histogram = (change: Partial<LogHistogram> = {}): LogHistogram => ({ start: NOW - 2 * MINUTE, step_ms: MINUTE, counts: [{ ...ZERO, info: 1200, error: 2 }, { ...ZERO, info: 30, warn: 1 }], end: 'complete', reached: null, ...change });
const facet = (change: Partial<LogFacet> = {}): LogFacet => ({ field: 'target', values: [{ value: 'shop::pay', count: 7 }], others: 0, missing: 0, end: 'complete', reached: null, ...change });
const patterns = (change: Partial<LogPatterns> = {}): LogPatterns => ({ patterns: [{ template: 'line <*>', count: 2, level: 'INFO', first: NOW, last: NOW, example: 'line 2' }], others: 0, end: 'complete', reached: null, ...change });

let root = document.createElement('div');

/** Draws in place of what was drawn before. */
function drawn(element: JSX.Element): HTMLElement {
  render(null, root);
  root = document.createElement('div');
  document.body.append(root);
  render(element, root);
  return root;
}

type Answer = unknown;
/** Answers requests by the end of their path; a function gets the query. `Response`s are passed on. Returns what was asked. */
function serve(answers: Record<string, Answer>): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    const [name = '', query = ''] = path.replace('data/v1/logs', '').split('?');
    const all: Record<string, Answer> = { '': list(), '/histogram': histogram(), '/facets': facet(), '/patterns': patterns(), ...answers };
    const found = all[name];
    const body: unknown = typeof found === 'function' ? (found as (query: URLSearchParams) => unknown)(new URLSearchParams(query)) : found;
    return Promise.resolve(body instanceof Response ? body : new Response(JSON.stringify(body)));
  });
  return asked;
}

const refusal = (status: number, body: object): Response => new Response(JSON.stringify(body), { status });
const shows = (text: string): Promise<void> => vi.waitFor(() => { expect(root.textContent).toContain(text); }, 10_000);
const button = (name: string): HTMLElement => {
  const found = [...root.querySelectorAll<HTMLElement>('button, .tabs a, .btn')].find((it) => it.textContent === name || it.getAttribute('aria-label') === name);
  if (found === undefined) throw new Error(`there is no button ${name}`);
  return found;
};

function open(address: string): void {
  history.replaceState(null, '', address);
  page.update({ phase: 'open', range: LAST, session: { role: 'viewer', service: 'shop', version: null, environment: null, can_log_out: false, now: NOW } });
  drawn(<LogsView />);
}

afterEach(() => {
  render(null, root);
  root.remove();
  page.update({ phase: 'starting', session: null, held: null });
  history.replaceState(null, '', '/');
  vi.unstubAllGlobals();
});

describe('the page of logs', () => {
  it('searches what the address says, and counts it', async () => {
    const asked = serve({});
    open('/logs?text=refused&level=warn');
    await shows('with 2 errors and 1 warning');
    expect(asked[0]).toBe('data/v1/logs?range=1h&text=refused&level=warn&limit=100');
    expect(asked).toContain('data/v1/logs/histogram?range=1h&text=refused');
    expect(root.querySelectorAll('.log > li')).toHaveLength(2);
    expect(root.querySelector('.log a')?.getAttribute('href')).toBe(`trace?id=${'ab'.repeat(16)}`);
    expect(document.title).toBe('Logs · shop · watchpost');
  });

  it('filters for a value with a click, and no longer with another one', async () => {
    const asked = serve({});
    open('/logs');
    await shows('shop::pay7');
    const value = (): HTMLButtonElement | undefined => [...root.querySelectorAll<HTMLButtonElement>('button.fv')].find((it) => it.textContent.startsWith('shop::pay'));
    value()?.click();
    await vi.waitFor(() => { expect(value()?.getAttribute('aria-pressed')).toBe('true'); }, 10_000);
    expect(location.search).toBe('?text=target%3A%3D%22shop%3A%3Apay%22');
    expect(asked).toContain('data/v1/logs?range=1h&text=target%3A%3D%22shop%3A%3Apay%22&limit=100');
    value()?.click();
    await vi.waitFor(() => { expect(value()?.getAttribute('aria-pressed')).toBe('false'); }, 10_000);
    expect(location.search).toBe('');
  });

  it('filters for exactly one level of those in the range', async () => {
    serve({});
    open('/logs');
    await shows('1.23K');
    [...root.querySelectorAll<HTMLButtonElement>('button.fv')].find((it) => it.textContent.startsWith('error'))?.click();
    await vi.waitFor(() => { expect(location.search).toBe('?exact_level=error'); }, 10_000);
    await shows('2 lines in the last hour.');
    // The others can still be chosen.
    expect([...root.querySelectorAll('button.fv')].map((it) => it.textContent)).toContain('info1.23K');
  });

  it('opens a line with all its fields, and filters for one of them or leaves it out', async () => {
    serve({ '': list({ lines: [line(1, { fields: { n: 17, 'odd key': 'x', 'http.route': '/o', 'http.request.method': 'GET', event_id: 'e1', 'exception.type': 'E' } })] }) });
    open('/logs?text=a');
    await shows('line 1');
    root.querySelector<HTMLElement>('[data-open]')?.click();
    await shows('odd key');
    expect([...root.querySelectorAll('.opened .btn')].map((it) => it.getAttribute('href'))).toEqual(['error?event=e1', 'route?method=GET&route=%2Fo', 'logs?text=a&show=around&line=f.1']);
    // A search cannot name this field.
    expect(root.querySelector('[aria-label="Filter for odd key"]')).toBeNull();
    button('Filter out n').click();
    await vi.waitFor(() => { expect(location.search).toBe('?text=a+-n%3A17'); }, 10_000);
    button('Filter for n').click();
    await vi.waitFor(() => { expect(location.search).toBe('?text=a+n%3A17'); }, 10_000);
  });

  it('goes to older lines by the cursor, and back', async () => {
    const asked = serve({ '': (query: URLSearchParams) => (query.get('cursor') === null ? list({ next: 'f.2', end: 'rows' }) : list({ lines: [line(3)] })) });
    open('/logs');
    await shows(L.older);
    button(L.older).click();
    await shows('line 3');
    await shows(L.allShown);
    expect(asked).toContain('data/v1/logs?range=1h&cursor=f.2&limit=100');
    expect(location.search).toBe('?cursor=f.2');
    button(L.newest).click();
    await shows('line 1');
    expect(location.search).toBe('');
  });

  it('says how far the search got, and what was not read', async () => {
    serve({ '': list({ lines: [], next: 'f.9', end: 'time', reached: NOW, unreadable: 2, looked_at: 1_432_118 }), '/histogram': histogram({ end: 'time' }) });
    open('/logs');
    await shows('The time of the search was over at the lines of');
    await shows('2 files could not be read, or in part');
    await shows('1,432,118 lines looked at');
    await shows('At least 1,233 lines');
    expect(button(L.searchOn)).toBeTruthy();
  });

  it('does not repeat a search that took all of its time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const asked = serve({ '': list({ end: 'time' }) });
      const of = (name: string): number => asked.filter((path) => path.startsWith(`data/v1/${name}?`)).length;
      open('/logs');
      for (let n = 0; n < 60; n += 1) await vi.advanceTimersByTimeAsync(500);
      expect(of('logs')).toBe(1);
      // The histogram was complete, so it is live.
      expect(of('logs/histogram')).toBeGreaterThan(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('says what is missing while it is empty, and without a match', async () => {
    const none = { '': list({ lines: [] }), '/histogram': histogram({ counts: [ZERO] }), '/facets': facet({ values: [], missing: 3 }) };
    serve(none);
    open('/logs');
    await shows(L.noneYet);
    render(null, root);
    serve(none);
    open('/logs?text=x');
    await shows(L.noMatch);
    await shows(L.noValue);
    await shows(L.noLines);
  });

  it('shows why it could not be read', async () => {
    serve({ '': refusal(503, { code: 'closed', message: 'Too many searches run.' }) });
    open('/logs');
    await shows('Logs. Too many searches run.');
    expect(root.querySelector('.log')).toBeNull();
  });

  it('sends a query that is not valid once, and marks the place', async () => {
    const asked = serve({ '': (query: URLSearchParams) => (query.get('text') === 'ä (' ? refusal(400, { code: 'bad_query', message: 'm', position: 4, expected: 'a word' }) : list()) });
    open('/logs?text=%C3%A4+(');
    await shows(L.badHead);
    await shows('Expected a word, at character 4.');
    expect(asked).toEqual(['data/v1/logs?range=1h&text=%C3%A4+%28&limit=100']);
    const field = root.querySelector<HTMLInputElement>('#lq');
    expect([field?.value, field?.getAttribute('aria-invalid'), field?.getAttribute('aria-describedby')]).toEqual(['ä (', 'true', root.querySelector('[role=alert]')?.id]);
    // Another one takes its place.
    button(L.clear).click();
    await shows('line 1');
    expect(root.textContent).not.toContain(L.before);
    expect(root.querySelector('[role=alert]')).toBeNull();
  });

  it('has patterns, and a click filters for one', async () => {
    const asked = serve({});
    open('/logs?show=patterns&text=a+OR+b');
    await shows('line <*>');
    expect(asked).toContain('data/v1/logs/patterns?range=1h&text=a+OR+b&limit=100');
    root.querySelector<HTMLElement>('.patterns th a')?.click();
    await shows('line 2');
    expect(new URLSearchParams(location.search).get('text')).toBe('(a OR b) message:"line"');
  });

  it('has the lines around one, the newest first, with it open', async () => {
    serve({ '/context': { lines: [line(9), line(8), line(7)] } });
    open('/logs?show=around&line=f.8');
    await shows('line 7');
    expect([...root.querySelectorAll<HTMLElement>('.log > li')].map((it) => it.dataset['row'])).toEqual(['f.7', 'f.8', 'f.9']);
    expect(root.querySelector('.log > .sel.open')?.textContent).toContain('line 8');
    expect(button(L.shows.around).getAttribute('aria-current')).toBe('true');
  });

  it('says if the line is gone', async () => {
    serve({ '/context': { lines: [] } });
    open('/logs?show=around&line=f.8');
    await shows(L.gone);
  });
});

describe('the live tail', () => {
  const rows = { view: LOGS, range: LAST, filter: () => undefined, choose: () => undefined, onOpen: () => undefined };

  it('adds new lines, and counts them while it is paused', async () => {
    let n = 0;
    const asked = serve({
      '/tail': () => {
        n += 1;
        return { lines: [line(100 + n, { cursor: `t.${n}`, level: 'ERROR' })], next: `n.${n}`, has_more: false };
      },
    });
    drawn(<LogTailView {...rows} />);
    await shows('line 101');
    await shows('line 102');
    expect(asked.slice(0, 2)).toEqual(['data/v1/logs/tail?limit=100', 'data/v1/logs/tail?cursor=n.1&limit=500']);
    page.update({ held: { at: NOW, document: { epoch: '', seq: 0, sections: {} as never }, series: null } as never });
    await vi.waitFor(() => { expect(tailWait.get()?.lines).toBeGreaterThan(0); }, 10_000);
    const { lines = 0, errors = 0 } = tailWait.get() ?? {};
    expect(errors).toBe(lines);
    const before = root.querySelectorAll('.log > li').length;
    page.update({ held: null });
    await vi.waitFor(() => { expect(root.querySelectorAll('.log > li').length).toBeGreaterThan(before); }, 10_000);
    expect(tailWait.get()).toBeNull();
    expect(L.tailPaused(NOW, 5376, 410)).toBe('Live tail paused at 14:32:10. 5,376 lines wait, 410 of them errors.');
  });

  it('waits for the first line, and says what fails', async () => {
    serve({ '/tail': { lines: [], next: 'n', has_more: false } });
    drawn(<LogTailView {...rows} />);
    await shows(L.tailWaits);
    render(null, root);
    const asked = serve({ '/tail': refusal(400, { code: 'bad_query', message: 'expected a word', position: 0, expected: 'a word' }) });
    drawn(<LogTailView {...rows} />);
    await shows('expected a word');
    expect(asked).toHaveLength(1);
  });
});

describe('the search field', () => {
  function field(search: (change: object) => void = () => undefined): HTMLInputElement {
    drawn(<LogSearch view={LOGS} names={['target', 'trace_id', 'http.route']} problem={null} search={search} />);
    const found = root.querySelector<HTMLInputElement>('#lq');
    if (found === null) throw new Error('there is no field');
    return found;
  }
  const type = async (input: HTMLInputElement, text: string): Promise<void> => {
    input.value = text;
    input.setSelectionRange(text.length, text.length);
    input.dispatchEvent(new Event('input', { bubbles: true }));
    await vi.waitFor(() => { expect(input.getAttribute('aria-expanded')).toBe('true'); }, 10_000);
  };
  const press = (input: HTMLInputElement, key: string): void => { input.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })); };

  it('completes names of fields by the keyboard', async () => {
    const input = field();
    await type(input, 'x -t');
    expect([...root.querySelectorAll('[role=option]')].map((it) => it.textContent)).toEqual(['target', 'trace_id']);
    press(input, 'ArrowDown');
    press(input, 'ArrowDown');
    await vi.waitFor(() => { expect(input.getAttribute('aria-activedescendant')).toBe('lq-name-1'); }, 10_000);
    press(input, 'Enter');
    await vi.waitFor(() => { expect(input.value).toBe('x -trace_id:'); }, 10_000);
    expect(input.getAttribute('aria-expanded')).toBe('false');
  });

  it('leaves the text if nothing is chosen, and closes on Escape', async () => {
    const searches: object[] = [];
    const input = field((change) => { searches.push(change); });
    await type(input, 'tar');
    press(input, 'Escape');
    await vi.waitFor(() => { expect(input.getAttribute('aria-expanded')).toBe('false'); }, 10_000);
    root.querySelector('form')?.requestSubmit();
    expect(searches).toEqual([{ text: 'tar' }]);
  });

  it('tells at least a level from exactly it', () => {
    expect([levelOf('warn'), levelOf('=info'), levelOf('')]).toEqual([{ level: 'warn', exact_level: null }, { level: null, exact_level: 'info' }, { level: null, exact_level: null }]);
  });

  it('marks the end of the text too', () => {
    drawn(<Problem text="a AND" problem={{ code: 'bad_query', message: 'm', position: 5, expected: 'a word' }} />);
    expect([root.querySelector('mark')?.textContent, root.querySelector('.s-crit')?.textContent]).toEqual([' ', 'Expected a word, at character 6.']);
  });
});

describe('the histogram', () => {
  it('has each level on its own scale', () => {
    expect(placed(histogram(), ['error', 'info', 'debug']).map(({ level, highest, most }) => [level, highest, most])).toEqual([['error', 2, 2], ['info', 1200, 1200], ['debug', 0, 1]]);
  });

  it('turns into a table', async () => {
    drawn(<LogHistogramPanel of={histogram()} view={LOGS} markers={[]} />);
    const area = root.querySelector('[role=slider]');
    expect(area?.getAttribute('aria-valuetext')).toContain('error 0, warn 1, info 30');
    root.querySelector<HTMLElement>('button.icon')?.click();
    await vi.waitFor(() => { expect(root.querySelectorAll('tbody tr')).toHaveLength(2); }, 10_000);
    expect([...root.querySelectorAll('tbody tr:last-child td')].map((it) => it.textContent)).toEqual(['2', '0', '1,200']);
  });
});

describe('a file of lines', () => {
  it('says if there are older lines, and continues with them', async () => {
    const file = (headers: Record<string, string>): Response => new Response('{"a":1}\n{"a":2}\n', { headers });
    const asked = serve({ '/export': (query: URLSearchParams) => file(query.get('cursor') === null ? { 'watchpost-end': 'rows', 'watchpost-next': 'f.2' } : { 'watchpost-end': 'complete' }) });
    const saved: string[] = [];
    vi.stubGlobal('URL', Object.assign(URL, { createObjectURL: () => 'blob:x', revokeObjectURL: () => undefined }));
    drawn(<LogExport view={{ ...LOGS, text: 'a' }} range={LAST} isOff={false} />);
    document.addEventListener('click', (event) => {
      if (event.target instanceof HTMLAnchorElement) saved.push(event.target.download);
    });
    button(L.saveLabel).click();
    await shows(L.savedPart(2));
    button(L.saveRest).click();
    await shows(L.saved(2));
    expect(asked).toEqual(['data/v1/logs/export?range=1h&text=a', 'data/v1/logs/export?range=1h&text=a&cursor=f.2']);
    expect([...root.querySelectorAll('button')]).toHaveLength(1);
  });

  it('says why there is none', async () => {
    serve({ '/export': refusal(503, { code: 'closed', message: 'Too many searches run.' }) });
    drawn(<LogExport view={LOGS} range={LAST} isOff={false} />);
    button(L.saveLabel).click();
    await shows('Too many searches run.');
  });
});

describe('hostile text', () => {
  it('stays text on every part of the page', async () => {
    const hostile = line(1, { message: HOSTILE, level: HOSTILE, fields: { target: HOSTILE, [HOSTILE]: HOSTILE, trace_id: `"><script>`, 'http.route': 'javascript:alert(1)', event_id: HOSTILE, 'exception.type': HOSTILE } });
    serve({ '': list({ lines: [hostile] }), '/facets': facet({ values: [{ value: HOSTILE, count: 1 }] }), '/patterns': patterns({ patterns: [{ template: HOSTILE, count: 1, level: HOSTILE, first: NOW, last: NOW, example: HOSTILE }] }) });
    open('/logs?text=' + encodeURIComponent(HOSTILE) + '&by=' + encodeURIComponent(HOSTILE));
    await shows(HOSTILE);
    root.querySelector<HTMLElement>('[data-open]')?.click();
    await vi.waitFor(() => { expect(root.querySelector('.opened')).not.toBeNull(); }, 10_000);
    button(L.shows.patterns).click();
    await vi.waitFor(() => { expect(root.querySelector('.patterns')?.textContent).toContain(HOSTILE); }, 10_000);
    expect(root.querySelector('img, script')).toBeNull();
    for (const link of root.querySelectorAll('a')) expect(link.getAttribute('href')).toMatch(/^(logs|trace|traces|route|error|data\/v1\/logs)(\?|$)/);
    drawn(
      <>
        <LogRows view={LOGS} range={LAST} filter={() => undefined} choose={() => undefined} onOpen={() => undefined} lines={[hostile]} marked="f.1" />
        <Problem text={HOSTILE} problem={{ code: 'bad_query', message: HOSTILE, position: 3, expected: HOSTILE }} />
        <Head list={null} counted={null} view={LOGS} range={LAST} failure={HOSTILE} isBad={false} />
        <Notes list={list()} failure={HOSTILE} path="data/v1/logs" />
      </>,
    );
    expect(root.querySelector('img, script')).toBeNull();
  });
});
