import { render } from 'preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RouteList, RouteRow } from '../contract-routes';
import type { Differences } from '../contract-traces';
import { clock, page } from '../controller';
import { Where, timeSince } from '../ui/where';
import { MINUTE, NOW, sections } from './sections';

const LIVE = { kind: 'relative', name: '1h' } as const;

function row(route: string, change: Partial<RouteRow> = {}): RouteRow {
  const figures = { count: 900, rate: 3, errors: 0, error_rate: 0, client_errors: 0, cancelled: 0, p50: 0.02, p95: 0.04, p99: 0.06 };
  return { ...figures, route, method: 'GET', time_share: 0.1, error_share: 0, before: figures, p95_curve: [0.04, 0.04], ...change };
}

function listOf(routes: RouteRow[], change: Partial<RouteList> = {}): RouteList {
  return { at: NOW, range: { from: 0, to: NOW, live: true }, count: routes.length, start: 0, step_ms: 10_000, routes, failed: null, ...change };
}

const differences: Differences = {
  at: NOW, range: { from: 0, to: NOW, live: true }, selected: 40, all: 100, by_filter: false,
  rows: [{ key: 'plan', value: 'free', selected: 38, all: 45, share_selected: 0.95, share_all: 0.45 }],
};

let root: HTMLElement;
let asked: URL[];

function serve(list: RouteList): void {
  asked = [];
  vi.stubGlobal('fetch', (path: string) => {
    const url = new URL(path, 'http://host/monitoring/');
    asked.push(url);
    const document = url.pathname.endsWith('/routes') ? list : differences;
    return Promise.resolve(new Response(JSON.stringify(document), { headers: { 'content-type': 'application/json' } }));
  });
}

const failing = sections({ verdict: { state: 'critical', since: NOW - 12 * MINUTE, uptime: 840, reasons: [], reason_count: 1, where: null, slow: null } });
const shows = (text: string): Promise<void> => vi.waitFor(() => { expect(root.textContent).toContain(text); }, 10_000);

beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
  page.update({ phase: 'open', range: LIVE });
  clock.set(NOW);
});

afterEach(() => {
  render(null, root);
  root.remove();
  page.update({ phase: 'starting', range: LIVE });
  vi.unstubAllGlobals();
});

describe('where something is wrong', () => {
  it('is not asked of a service that is well', () => {
    serve(listOf([row('/a')]));
    render(<Where sections={sections()} />, root);
    expect(root.textContent).toBe('');
    expect(asked).toEqual([]);
  });

  it('lists the routes that moved most since it began, and what differs in their traces', async () => {
    const calm = ['/b', '/c', '/d', '/e', '/f'].map((name) => row(name));
    serve(listOf([...calm, row('/a', { p95: 2, errors: 400, error_rate: 0.44, error_share: 0.9 })]));
    render(<Where sections={failing} />, root);
    await shows('since 14:20');
    await shows('plan');
    const routes = [...root.querySelectorAll('tbody th')].map((cell) => cell.textContent);
    expect(routes).toEqual(['GET /a', 'GET /b', 'GET /c', 'GET /d', 'GET /e']);
    expect(root.querySelector('tbody tr')?.textContent).toContain('44');
    expect(root.textContent).toContain('All 6 routes');
    for (const url of asked) {
      expect(Number(url.searchParams.get('from'))).toBe(NOW - 12 * MINUTE);
      expect(Number(url.searchParams.get('to')) - NOW).toBeLessThanOrEqual(MINUTE);
    }
    expect(asked.map((url) => url.pathname.split('/').pop()).sort()).toEqual(['routes', 'trace-differences']);
  });

  it('keeps a time that was chosen', async () => {
    serve(listOf([row('/a')]));
    page.update({ range: { kind: 'absolute', from: NOW - 60 * MINUTE, to: NOW - 30 * MINUTE } });
    render(<Where sections={failing} />, root);
    await shows('GET /a');
    expect(asked[0]?.searchParams.get('from')).toBe(String(NOW - 60 * MINUTE));
    expect(root.textContent).not.toContain('since');
  });

  it('says why there is no list', async () => {
    serve(listOf([], { failed: 'The history is not open.' }));
    render(<Where sections={failing} />, root);
    await shows('The history is not open.');
  });

  it('takes a minute at least and a day at most', () => {
    const length = (since: number): number => {
      const range = timeSince(since, NOW);
      return range.kind === 'absolute' ? range.to - range.from : 0;
    };
    expect(length(NOW)).toBe(MINUTE);
    expect(length(NOW - 100 * 24 * 60 * MINUTE)).toBe(24 * 60 * MINUTE);
    expect(length(NOW + MINUTE)).toBe(MINUTE);
  });
});
