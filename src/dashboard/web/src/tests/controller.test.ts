import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Overview, Session } from '../contract';
import type { Alerts } from '../contract-alerts';
import type { Page } from '../controller';
import { NOW, sections, series } from './sections';

const session: Session = { role: 'operator', service: 'shop', version: null, environment: null, can_log_out: true, now: NOW };
const overview: Overview = { epoch: 'e', seq: 1, at: NOW, range: { from: NOW - 3_600_000, to: NOW, live: true }, sections: sections(), series: series(NOW - 3_600_000, 360) };

/** The requests of the page, and the answers to them. */
let requests: [string, string, string][];
let answers: Record<string, [number, unknown]>;

class QuietSocket {
  static opened: string[] = [];
  onmessage = null;
  onclose = null;
  constructor(address: string) {
    QuietSocket.opened.push(address);
  }
  close(): void {
    // Nothing is open.
  }
}

beforeEach(() => {
  requests = [];
  QuietSocket.opened = [];
  answers = { 'data/v1/session': [200, session], 'data/v1/overview?range=1h': [200, overview], login: [200, session] };
  vi.resetModules();
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', QuietSocket);
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    requests.push([init.method ?? 'GET', path, typeof init.body === 'string' ? init.body : '']);
    const [status, body] = answers[path] ?? [404, { code: 'not_found', message: 'nothing' }];
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
  history.replaceState(null, '', '/monitoring/');
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Loads the page at an address, and lets its first requests end. */
async function load(address: string): Promise<typeof import('../controller')> {
  history.replaceState(null, '', address);
  const controller = await import('../controller');
  controller.start();
  await vi.advanceTimersByTimeAsync(10);
  return controller;
}

describe('the start of the page', () => {
  it('opens with a session, and reads the range of the address', async () => {
    answers['data/v1/overview?range=6h'] = [200, overview];
    const { page } = await load('/monitoring/?range=6h');
    expect(page.get().phase).toBe('open');
    expect(requests.map(([method, path]) => `${method} ${path}`)).toEqual(['GET data/v1/session', 'GET data/v1/overview?range=6h']);
    expect(QuietSocket.opened).toHaveLength(1);
    expect(QuietSocket.opened[0]).toMatch(/^ws:.*\/monitoring\/live$/);
  });

  it('exchanges the token of a start link by POST and takes it out of the address', async () => {
    const { page } = await load('/monitoring/?range=1h#token=s3cret');
    expect(page.get().phase).toBe('open');
    expect(requests[0]).toEqual(['POST', 'login', '{"token":"s3cret"}']);
    expect(location.href).not.toContain('s3cret');
    expect(location.search).toBe('?range=1h');
    expect(QuietSocket.opened.join()).not.toContain('s3cret');
  });

  it('shows the form without a session', async () => {
    answers['data/v1/session'] = [200, null];
    const { page } = await load('/monitoring/');
    expect(page.get()).toMatchObject({ phase: 'login', loginFailure: null, session: null });
    expect(QuietSocket.opened).toHaveLength(0);
  });

  it('keeps a session that holds when the start link is an old one', async () => {
    answers['login'] = [401, { code: 'wrong_token', message: 'no' }];
    const { page } = await load('/monitoring/#token=old');
    expect(page.get().phase).toBe('open');
  });

  it('says why a login failed, in its own words or in those of the server', async () => {
    answers['data/v1/session'] = [200, null];
    answers['login'] = [401, { code: 'wrong_token', message: 'x' }];
    const { logIn, page } = await load('/monitoring/#token=old');
    expect(page.get().loginFailure).toBe('This token is not right.');
    answers['login'] = [403, { code: 'insecure', message: 'Use HTTPS.' }];
    await logIn('again');
    expect(page.get()).toMatchObject({ phase: 'login', loginFailure: 'Use HTTPS.' });
  });

  it('tries again while the server does not answer', async () => {
    answers['data/v1/session'] = [503, { code: 'later', message: 'later' }];
    const { page } = await load('/monitoring/');
    expect(page.get().phase).toBe('unreachable');
    answers['data/v1/session'] = [200, session];
    await vi.advanceTimersByTimeAsync(5_000);
    expect(page.get().phase).toBe('open');
  });

  it('leaves nothing on the page after a logout', async () => {
    answers['logout'] = [204, null];
    vi.stubGlobal('fetch', (path: string) => Promise.resolve(path === 'logout' ? new Response(null, { status: 204 }) : new Response(JSON.stringify(answers[path]?.[1]), { status: 200 })));
    const { logOut, page } = await load('/monitoring/');
    expect(page.get().overview).not.toBeNull();
    await logOut();
    expect(page.get()).toMatchObject({ phase: 'login', session: null, overview: null, document: null });
  });
});

describe('a session that ends', () => {
  it.each([[401, 'no_session'], [404, 'closed']])('leaves nothing on the page: %i %s', async (status, code) => {
    const { page, setRange } = await load('/monitoring/');
    expect(page.get().overview).not.toBeNull();
    answers['data/v1/overview?range=6h'] = [status, { code, message: 'no' }];
    setRange({ kind: 'relative', name: '6h' });
    await vi.advanceTimersByTimeAsync(10);
    expect(page.get()).toMatchObject({ session: null, overview: null, document: null });
  });

  it('goes on where only a part of the page is not available', async () => {
    const { page, setRange } = await load('/monitoring/');
    answers['data/v1/overview?range=6h'] = [503, { code: 'closed', message: 'later' }];
    setRange({ kind: 'relative', name: '6h' });
    await vi.advanceTimersByTimeAsync(10);
    expect(page.get()).toMatchObject({ phase: 'open', failure: 'later' });
  });
});

describe('what is shown', () => {
  it('is the newest document, the held one while paused, and that of a past range', async () => {
    const { page, shown, backlog, shownSeries, togglePause, setRange } = await load('/monitoring/');
    const first = { epoch: 'e', seq: 5, at: NOW, sections: sections() };
    page.update({ document: first });
    expect(shown(page.get())).toBe(first.sections);
    togglePause();
    const running = { count: 9, requests: [] };
    page.update({ document: { ...first, seq: 9, sections: sections({ running }) } });
    expect(shown(page.get())).toBe(first.sections);
    expect(shownSeries(page.get())).toEqual(overview.series);
    expect(backlog(page.get())).toEqual({ updates: 4, errors: 0 });
    togglePause();
    expect(shown(page.get())?.running).toBe(running);
    answers['data/v1/overview?from=1000000&to=5000000'] = [200, { ...overview, sections: sections({ running: { count: 1, requests: [] } }) }];
    setRange({ kind: 'absolute', from: 1_000_000, to: 5_000_000 });
    expect(location.search).toBe('?from=1000000&to=5000000');
    await vi.advanceTimersByTimeAsync(10);
    expect(shown(page.get())?.running.count).toBe(1);
  });

  it('has the alerts of now, also beside the figures of a past range', async () => {
    answers['data/v1/overview?from=1000000&to=5000000'] = [200, overview];
    const { page, shown, togglePause } = await load('/monitoring/?from=1000000&to=5000000');
    const alerts = (open: number): Alerts => ({ rules: 12, open, open_critical: 0, acknowledged: 0, alerts: [], spans: [] });
    const documentOf = (open: number): Page['document'] => ({ epoch: 'e', seq: open, at: NOW, sections: sections({ alerts: alerts(open) }) });
    expect(shown(page.get())?.alerts.open).toBe(0);
    page.update({ document: documentOf(1) });
    expect(shown(page.get())?.alerts.open).toBe(1);
    expect(shown(page.get())?.cards).toEqual(overview.sections.cards);
    togglePause();
    page.update({ document: documentOf(2) });
    expect(shown(page.get())?.alerts.open).toBe(1);
  });

  it('is stale after ten seconds without a message', async () => {
    const { page, serverNow, staleFor } = await load('/monitoring/');
    const at = Date.now();
    page.update({ connection: { status: 'live', retryAt: null, heardAt: at } });
    expect(staleFor(page.get(), serverNow())).toBeNull();
    expect(staleFor(page.get(), serverNow() + 9_900)).toBeNull();
    expect(staleFor(page.get(), serverNow() + 14_000)).toBeCloseTo(14);
  });
});
