import { render, type JSX } from 'preact';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ErrorGroup, ErrorInbox, ErrorPage, GroupRow, GroupState } from '../contract-errors';
import { page } from '../controller';
import { INBOX, errorAddress, errorOf, errorPath, errorsAddress, groupTitle, inboxPath, readInbox, typeName, writeInbox } from '../error-places';
import { placeOf } from '../place';
import { E, markOf, stateText } from '../strings-errors';
import { alertsAbout, ErrorView } from '../ui/error';
import { GroupActions, groupForm, localTime, muteBody } from '../ui/error-actions';
import { Crumbs, EventBars, Mark, RouteOf, Stack, crateOf, cratesOf, startBefore } from '../ui/error-parts';
import { ErrorsView, Head, Inbox } from '../ui/errors';
import { ErrorItem, LogItem } from '../ui/panels';
import { alert } from './alerts.test';
import { MINUTE, NOW, sections } from './sections';

const HOSTILE = '<img src=x onerror=alert(1)>';
const LAST = { kind: 'relative', name: '1h' } as const;

function row(change: Partial<GroupRow> = {}): GroupRow {
  return {
    id: '17', kind: 'error', type: 'sqlx::Error', message: 'pool timed out', location: 'src/db.rs:1:2', culprit: 'db::acquire', route: '/orders/{id}', count: 12, in_range: 9, users: 3,
    first_at: NOW - 10 * MINUTE, last_at: NOW - MINUTE, is_new: false, is_spiking: false, state: { name: 'open' }, last_resolution: null, releases: ['1.4.3'], trace_id: 'ab'.repeat(16),
    curve: [0, 4, 5], ...change,
  };
}

const counts = { open: 1, new: 0, spiking: 0, regressed: 0, muted: 0, resolved: 0, all: 1 };
const steps = { at: NOW, range: { from: NOW - 60 * MINUTE, to: NOW, live: true }, start: NOW - 3 * MINUTE, step_ms: MINUTE, is_cut: false, storage: 'stored' as const };

function inbox(groups: GroupRow[], change: Partial<ErrorInbox> = {}): ErrorInbox {
  return { ...steps, counts: { ...counts, open: groups.length, all: groups.length }, known: groups.length, count: groups.length, events: groups.reduce((sum, { in_range: n }) => sum + n, 0), groups, routes: [], releases: [], ...change };
}

function group(change: Partial<ErrorGroup> = {}): ErrorGroup {
  const event = { id: 'cd'.repeat(16), at: NOW, method: 'GET', route: '/orders/{id}', path: '/orders/1', user: 'u-1', trace_id: 'ab'.repeat(16), message: 'pool timed out' };
  return {
    ...row(), grouped_by: 'frames', grouping_version: 1, in_five_minutes: 10, routes: { names: [{ name: '/orders/{id}', count: 12 }], other: 0 }, in_releases: { names: [{ name: '1.4.3', count: 12 }], other: 0 },
    environments: { names: [], other: 0 }, changes: [], samples: [event],
    sample: { ...event, level: 'error', location: 'src/db.rs:1:2', thread: 'main', query: '', truncated: false, causes: [{ type: 'sqlx::Error', message: 'pool timed out' }], frame_count: 0, frames: [], breadcrumbs: [], tags: [] },
    ...change,
  };
}

function drawn(element: JSX.Element): HTMLElement {
  const root = document.createElement('div');
  document.body.append(root);
  render(element, root);
  return root;
}

const session = (role: 'viewer' | 'operator'): void => {
  page.update({ phase: 'open', session: { role, service: 'shop', version: '1.4.3', environment: null, can_log_out: false, now: NOW } });
};

afterEach(() => {
  groupForm.set(null);
  page.update({ phase: 'starting', session: null });
  history.replaceState(null, '', '/');
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

describe('the addresses of errors', () => {
  it('hold the view of the inbox, and what stands for itself is left out', () => {
    const view = { ...INBOX, state: 'muted' as const, sort: 'count' as const, route: '', text: 'pool & co' };
    const query = new URLSearchParams('range=6h&id=17');
    writeInbox(query, view);
    expect(readInbox(query)).toEqual(view);
    expect([query.get('range'), query.get('id')]).toEqual(['6h', '17']);
    writeInbox(query, INBOX);
    expect(query.toString()).toBe('range=6h&id=17');
    expect(readInbox(new URLSearchParams('state=x&sort=y&kind=z'))).toEqual(INBOX);
    expect(inboxPath(view, LAST)).toBe('data/v1/errors?range=1h&state=muted&sort=count&route=&text=pool+%26+co');
    expect(errorsAddress(LAST, { state: 'new' })).toBe('errors?state=new');
  });

  it('name a group by its number or by an event', () => {
    expect(errorAddress('17', { kind: 'relative', name: '7d' })).toBe('error?id=17&range=7d');
    expect(errorOf(new URLSearchParams('id=17'))).toEqual({ id: '17' });
    expect(errorOf(new URLSearchParams('event=ab'))).toEqual({ event: 'ab' });
    expect(errorPath({ event: 'a&b' }, LAST)).toBe('data/v1/error?event=a%26b&range=1h');
    expect(['/monitoring/errors', '/monitoring/error', '/monitoring/'].map(placeOf)).toEqual(['errors', 'error', 'overview']);
  });
});

describe('the words of a group', () => {
  it('begin with the end of its type', () => {
    expect(typeName('sqlx::error::Error')).toBe('Error');
    expect(groupTitle({ type: 'a::B', message: 'm' })).toBe('B: m');
    expect(groupTitle({ type: '', message: 'm' })).toBe('m');
    expect(groupTitle({ type: 'panic', message: '' })).toBe('panic');
  });

  it('name its state with what belongs to it', () => {
    const text = (state: GroupState): string => stateText(state, NOW).replaceAll('\u202f', ' ');
    expect(text({ name: 'open' })).toBe('Open');
    expect(text({ name: 'muted', at: NOW, mute: { events: 100, period: 3600 } })).toBe('Muted until more than 100 events in 1 h');
    expect(text({ name: 'muted', at: NOW, mute: { until: NOW + 60 * MINUTE } })).toBe('Muted until 15:32');
    expect(text({ name: 'resolved', at: NOW, resolution: { in: 'next_release', release: '1.4.3' } })).toBe('Resolved in the release after 1.4.3');
    expect(text({ name: 'regressed', at: NOW, resolved_at: NOW - MINUTE })).toBe('Regressed: resolved 14:31, and occurred again');
  });

  it('say what stands out first', () => {
    expect(markOf(row())).toBeNull();
    expect(markOf(row({ is_new: true, is_spiking: true }))).toBe('spiking');
    expect(markOf(row({ state: { name: 'regressed' }, is_spiking: true }))).toBe('regressed');
    const root = drawn(<Mark group={row({ is_new: true })} />);
    expect(root.querySelector('svg')?.getAttribute('aria-label')).toBe('New');
  });

  it('name a deploy only if it was shortly before', () => {
    const at = (minutes: number, kind = 'deploy'): { at: number; kind: string; text: string } => ({ at: NOW - minutes * MINUTE, kind, text: 'v2' });
    expect(startBefore(NOW, [at(40), at(20), at(3)])?.at).toBe(NOW - 3 * MINUTE);
    expect(startBefore(NOW, [at(40), at(-1), at(3, 'mark')])).toBeNull();
    expect(E.after(180, 'v1.4.3')).toBe(', three minutes after v1.4.3');
  });
});

describe('the stack', () => {
  const frame = (name: string, in_app: boolean): { function: string; file: string; line: number; in_app: boolean } => ({ function: name, file: in_app ? 'src/a.rs' : '', line: 3, in_app });

  it('has the frames of the service first, and the whole one behind them', () => {
    const frames = [frame('sqlx::fetch', false), frame('shop::load', true), frame('<tokio::Task as Future>::poll', false), frame('tokio::run', false)];
    const { sample } = group();
    const root = drawn(<Stack sample={sample === null ? null : { ...sample, frames, frame_count: 4 }} />);
    const first = [...root.querySelectorAll('.frames')[0]?.children ?? []].map((it) => it.textContent);
    expect(first).toEqual(['shop::load src/a.rs:3', '3 frames of tokio, sqlx']);
    expect(root.querySelectorAll('.whole li')).toHaveLength(4);
    expect(crateOf(frame('<&mut h2::proto::X as Y>::poll', false))).toBe('h2');
    expect(cratesOf([])).toBe('');
  });

  it('says why there is none', () => {
    expect(drawn(<Stack sample={null} />).textContent).toBe(E.noSample);
    expect(drawn(<Stack sample={group().sample} />).textContent).toBe(E.noStack);
  });

  it('draws a bar for each step with events, and a line for a deploy within', () => {
    const markers = [{ at: NOW - MINUTE, kind: 'deploy', text: 'v2' }, { at: NOW - 99 * MINUTE, kind: 'deploy', text: 'v1' }];
    const root = drawn(<EventBars values={[0, 4, 5]} start={NOW - 3 * MINUTE} stepMs={MINUTE} markers={markers} label="9 events" />);
    expect(root.querySelectorAll('.f-ink')).toHaveLength(2);
    expect(root.querySelectorAll('.dep-line')).toHaveLength(1);
    expect(root.querySelector('svg')?.getAttribute('aria-label')).toBe('9 events');
  });
});

describe('the inbox', () => {
  const inboxOf = (of: ErrorInbox, selected: string | null = null, select: (id: string) => void = () => undefined): HTMLElement =>
    drawn(<Inbox of={of} view={INBOX} range={LAST} now={NOW} markers={[]} selected={selected} select={select} choose={() => undefined} />);

  it('leads to the page of a group, or shows it beside the list first', () => {
    const chosen: string[] = [];
    const root = inboxOf(inbox([row(), row({ id: '18' })]), '17', (id) => { chosen.push(id); });
    const links = [...root.querySelectorAll<HTMLAnchorElement>('li a')];
    expect(links.map((link) => link.getAttribute('href'))).toEqual(['error?id=17', 'error?id=18']);
    expect(links.map((link) => link.getAttribute('aria-current'))).toEqual(['true', null]);
    links[1]?.click();
    expect(chosen).toEqual(['18']);
    expect([...root.querySelectorAll<HTMLElement>('[data-row]')].map((it) => it.dataset['row'])).toEqual(['error-17', 'error-18']);
  });

  it('says what it would show while it is empty', () => {
    expect(inboxOf(inbox([], { known: 3 })).textContent).toContain('No error is open.');
  });

  it('names the error with most events, or that there is none', () => {
    const head = (of: ErrorInbox | null, failure: string | null = null): string => drawn(<Head of={of} failure={failure} range={LAST} />).textContent.replaceAll('\u202f', ' ');
    const top = inbox([row({ in_range: 66, users: 611 }), row({ id: '18', in_range: 34 })]);
    expect(head({ ...top, counts: { ...counts, new: 2 } })).toBe('2 new errors in the last 24 hours. Error is 66 % of the errors of the last hour and has reached 611 users.');
    expect(head(inbox([]))).toContain('No error was captured.');
    expect(head(inbox([], { known: 3 }))).toBe('No open error. 0 events in the last hour.');
    expect(head(null)).toContain('Reading');
    expect(head(null, 'The monitor has ended.')).toContain('has ended');
  });

  it('is read with the filter of the address, and says what a restart forgets', async () => {
    history.replaceState(null, '', '/errors?state=muted&text=pool');
    const asked: string[] = [];
    vi.stubGlobal('fetch', (path: string) => {
      asked.push(path);
      return Promise.resolve(new Response(JSON.stringify(path.startsWith('data/v1/errors') ? inbox([row()], { storage: 'memory' }) : ({ ...steps, release: null, group: group() } satisfies ErrorPage))));
    });
    session('operator');
    const root = drawn(<ErrorsView />);
    await vi.waitFor(() => { expect(root.querySelector('.inbox')).not.toBeNull(); }, 10_000);
    expect(asked[0]).toBe('data/v1/errors?range=1h&state=muted&text=pool');
    expect(root.textContent).toContain(E.memory);
    expect(root.querySelector('.tabs [aria-current]')?.textContent).toBe('Muted 0');
    render(null, root);
  });
});

describe('what an operator does', () => {
  it('is not offered to a viewer, who reads why', () => {
    session('viewer');
    const root = drawn(<GroupActions group={row()} />);
    expect(root.querySelector('button')).toBeNull();
    expect(root.textContent).toBe(E.viewerNote);
  });

  it('depends on the state', () => {
    session('operator');
    const buttons = (state: GroupState['name']): (string | null)[] => [...drawn(<GroupActions group={row({ state: { name: state } })} />).querySelectorAll('button')].map((it) => it.textContent);
    expect(buttons('open')).toEqual(['Resolve…', 'Mute…']);
    expect(buttons('regressed')).toEqual(['Resolve…', 'Mute…']);
    expect(buttons('muted')).toEqual(['Resolve…', 'Reopen']);
    expect(buttons('resolved')).toEqual(['Reopen']);
  });

  it('mutes until a time, a date, or more events', () => {
    const common = { error: '17', by: '', comment: '' };
    expect(muteBody(common, 'more', '', 100, 3600)).toEqual({ ...common, events: 100, period: 3600 });
    const date = localTime(NOW);
    expect(muteBody(common, 'date', date, 0, 0)).toEqual({ ...common, until: NOW - (NOW % MINUTE) });
    expect(muteBody(common, '3600', '', 0, 0)).toHaveProperty('until');
  });

  it('sends the form, and reads the group again', async () => {
    history.replaceState(null, '', '/error?id=17');
    const sent: [string, string][] = [];
    let reads = 0;
    vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
      if (init.method === 'POST') {
        sent.push([path, init.body as string]);
        return Promise.resolve(new Response('{}'));
      }
      reads += 1;
      return Promise.resolve(new Response(JSON.stringify({ ...steps, release: '1.4.3', group: group() } satisfies ErrorPage)));
    });
    session('operator');
    const root = drawn(<ErrorView />);
    const button = await vi.waitFor(() => {
      const found = [...root.querySelectorAll('button')].find((it) => it.textContent === 'Resolve…');
      if (found === undefined) throw new Error('the button is not there');
      return found;
    }, 10_000);
    button.click();
    const form = await vi.waitFor(() => {
      const found = root.querySelector('form');
      if (found === null) throw new Error('the form is not there');
      return found;
    }, 10_000);
    form.requestSubmit();
    await vi.waitFor(() => { expect(root.querySelector('form')).toBeNull(); }, 10_000);
    expect(sent).toEqual([['data/v1/errors/resolve', '{"error":"17","by":"","comment":"","in":"now"}']]);
    await vi.waitFor(() => { expect(reads).toBeGreaterThan(1); }, 10_000);
    render(null, root);
  });

  it('is beside the alerts about errors that fire', () => {
    const spike = alert({ rule: 'error-spike', labels: [{ name: 'error_type', value: 'sqlx::Error' }] });
    const all = [spike, alert({ rule: 'new-error', state: 'resolved' }), alert({ rule: 'slow-response' }), { ...spike, labels: [{ name: 'error_type', value: 'other' }] }];
    expect(alertsAbout(all, 'sqlx::Error')).toEqual([spike]);
  });
});

describe('the routes of a group', () => {
  it('lead to their pages, or to their traces where no sample tells the method', () => {
    const links = ['/orders/{id}', '/late'].map((route) => drawn(<RouteOf group={group()} route={route} />).querySelector('a')?.getAttribute('href'));
    expect(links).toEqual(['route?method=GET&route=%2Forders%2F%7Bid%7D', 'traces?route=%2Flate']);
    expect(drawn(<RouteOf group={group()} route="" />).querySelector('a')).toBeNull();
  });
});

describe('hostile text', () => {
  it('stays text on every part of the pages', () => {
    session('operator');
    const hostile = row({ type: HOSTILE, message: HOSTILE, location: HOSTILE, culprit: HOSTILE, route: HOSTILE });
    const crumb = { at: NOW, at_us: -1, level: HOSTILE, target: HOSTILE, message: HOSTILE, fields: [{ key: HOSTILE, value: HOSTILE }] };
    const { sample } = group();
    const frames = [{ function: HOSTILE, file: HOSTILE, line: 1, in_app: true }, { function: HOSTILE, file: HOSTILE, line: 1, in_app: false }];
    const all = sections({ errors: [{ id: '1', type: HOSTILE, message: HOSTILE, location: HOSTILE, route: HOSTILE, count: 1, first_at: NOW, last_at: NOW, trace_id: null, mark: 'back' }] });
    const [error] = all.errors;
    const root = drawn(
      <>
        <Inbox of={inbox([hostile])} view={INBOX} range={LAST} now={NOW} markers={[]} selected={null} select={() => undefined} choose={() => undefined} />
        <Crumbs crumbs={[crumb]} />
        <Stack sample={sample === null ? null : { ...sample, frames }} />
        {error !== undefined && <ErrorItem error={error} now={NOW} />}
        <LogItem log={{ at: NOW, level: 'error', target: HOSTILE, message: HOSTILE, trace_id: null, event_id: HOSTILE }} now={NOW} />
      </>,
    );
    expect(root.querySelector('img, script')).toBeNull();
    expect(root.textContent).toContain(HOSTILE);
    for (const link of root.querySelectorAll('a')) expect(link.getAttribute('href')).toMatch(/^errors?\?/);
  });
});
