/** What the page knows, and everything that changes it. Components only show it. */

import { RequestError, api, liveAddress } from './api';
import { SIGNALS, type Overview, type Sections, type Series, type Session, type SignalName } from './contract';
import { Connection, type ConnectionState, type Socket } from './live/connection';
import { apply, errorsSince, type LiveDocument } from './live/document';
import { readRange, sameRange, writeRange, type RangeChoice } from './range';
import { extended, isBehind } from './series';
import { Store } from './store';
import { T } from './strings';

/** What stays on screen while the page is paused. */
export interface Held {
  at: number;
  document: LiveDocument;
  series: Series | null;
}

export interface Page {
  phase: 'starting' | 'login' | 'open' | 'unreachable';
  session: Session | null;
  /** A sentence for the login form. */
  loginFailure: string | null;
  connection: ConnectionState;
  /** The newest document, also while the page is paused. */
  document: LiveDocument | null;
  held: Held | null;
  range: RangeChoice;
  /** The document of `range`, or of the range before while a new one is read. */
  overview: Overview | null;
  /** Why `range` could not be read. */
  failure: string | null;
  /** The signal whose chart is open. */
  card: SignalName | null;
  /** Whether that chart is shown as a table. */
  asTable: boolean;
  /** Deltas that the server left out, and when on this machine's clock. */
  gap: { missed: number; at: number } | null;
}

const START: Page = {
  phase: 'starting',
  session: null,
  loginFailure: null,
  connection: { status: 'connecting', retryAt: null, heardAt: null },
  document: null,
  held: null,
  range: readRange(new URLSearchParams(location.search)),
  overview: null,
  failure: null,
  card: null,
  asTable: false,
  gap: null,
};

/** After this time without a message the page says that it is stale. */
export const STALE_AFTER = 10_000;
const AGAIN = 5_000;

export const page = new Store<Page>(START);
/** The time of the server, once a second. */
export const clock = new Store<number>(Date.now());
/** What a screen reader says next. */
export const spoken = new Store<string>('');

let connection: Connection | null = null;
/** The server's time minus ours. */
let offset = 0;
/** Numbers the reads of a range, so that a late response of an earlier one is not shown. */
let reading = 0;
let isReading = false;
/** When the range was last read: one that stays behind is not read at each message. */
let readAt = 0;
let retry: ReturnType<typeof setTimeout> | undefined;

/** The time of the server, as well as this machine knows it. */
export function serverNow(): number {
  return Date.now() + offset;
}

/** Seconds since the last message, if they are so many that the figures count as old. */
export function staleFor({ connection: { heardAt }, phase }: Page, now: number): number | null {
  if (phase !== 'open' || heardAt === null) return null;
  const silent = now - offset - heardAt;
  return silent >= STALE_AFTER ? silent / 1000 : null;
}

/** The sections that are on screen; null while there are none. */
export function shown({ document, held, overview, range }: Page): Sections | null {
  if (range.kind === 'absolute') {
    if (overview === null) return document?.sections ?? null;
    // A past range has figures of its own. The alerts, and what the monitor is and has, are those of now.
    const now = (held?.document ?? document)?.sections ?? overview.sections;
    return { ...overview.sections, alerts: now.alerts, cost: now.cost, setup: now.setup, day: now.day, markers: now.markers };
  }
  return (held?.document ?? document)?.sections ?? null;
}

export function shownSeries({ held, overview, range }: Page): Series | null {
  return range.kind === 'relative' && held !== null ? held.series : (overview?.series ?? null);
}

/** How much waits while the page is paused. */
export function backlog({ document, held }: Page): { updates: number; errors: number } {
  if (held === null || document === null) return { updates: 0, errors: 0 };
  const updates = held.document.epoch === document.epoch ? document.seq - held.document.seq : document.seq;
  return { updates, errors: errorsSince(held.document.sections, document.sections) };
}

export function start(): void {
  readAddress();
  addEventListener('popstate', () => {
    const before = page.get().range;
    readAddress();
    if (!sameRange(before, page.get().range)) void readRangeNow();
  });
  addEventListener('online', () => connection?.hurry());
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) connection?.hurry();
  });
  setInterval(() => { clock.set(serverNow()); }, 1000);
  void enter(tokenOfAddress());
}

function readAddress(): void {
  const query = new URLSearchParams(location.search);
  const name = query.get('card');
  const card = SIGNALS.find((signal) => signal === name) ?? null;
  page.update({ range: readRange(query), card, asTable: query.get('view') === 'table' });
}

/** Takes the token of a start link out of the address bar and of the history. */
function tokenOfAddress(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  if (token === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return token;
}

async function enter(token: string | null): Promise<void> {
  try {
    const session = token === null ? await api.session() : await api.logIn(token);
    if (session === null) page.update({ phase: 'login' });
    else opened(session);
  } catch (error) {
    const failed = failure(error);
    // An old start link does not end a session that still holds.
    const session = failed.status === 401 && token !== null ? await api.session().catch(() => null) : null;
    if (session !== null) opened(session);
    else if (failed.status === 0 || failed.status >= 500) {
      page.update({ phase: 'unreachable' });
      setTimeout(() => void enter(token), AGAIN);
    } else {
      page.update({ phase: 'login', loginFailure: sentenceOf(failed) });
    }
  }
}

/** Notes that the server refused a read: the session is over. */
export function refused(): void {
  closed();
}

export async function logIn(token: string): Promise<void> {
  try {
    opened(await api.logIn(token));
  } catch (error) {
    page.update({ loginFailure: sentenceOf(failure(error)) });
  }
}

export async function logOut(): Promise<void> {
  await api.logOut().catch(() => undefined);
  closed();
}

function failure(error: unknown): RequestError {
  return error instanceof RequestError ? error : new RequestError(0, { code: 'unreachable', message: String(error) });
}

function sentenceOf({ code, message }: RequestError): string {
  return T.loginFailed[code] ?? message;
}

/** Access is gone: nothing of the service stays on the page. */
function closed(): void {
  connection?.stop();
  connection = null;
  clearTimeout(retry);
  reading += 1;
  page.set({ ...START, range: page.get().range, phase: 'login' });
}

function opened(session: Session): void {
  offset = session.now - Date.now();
  clock.set(serverNow());
  page.update({ phase: 'open', session, loginFailure: null });
  connection?.stop();
  connection = new Connection({
    open: () => new WebSocket(liveAddress(location.href)) as unknown as Socket,
    poll: async (after) => {
      try {
        return await api.live(after);
      } catch (error) {
        if (failure(error).isRefusal) return 'ended';
        throw error;
      }
    },
    now: () => Date.now(),
    setTimer: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => { clearTimeout(timer); };
    },
    random: () => Math.random(),
    position: () => page.get().document,
    onMessage: receive,
    onState: (state) => {
      if (state.status === 'ended') closed();
      else page.update({ connection: state });
    },
  });
  connection.start();
  void readRangeNow();
}

function receive(message: Parameters<typeof apply>[1]): boolean {
  const applied = apply(page.get().document, message);
  switch (applied.kind) {
    case 'replaced':
      page.update({ document: applied.document });
      // The history of a restarted process may differ, and steps may have passed meanwhile.
      if (applied.restarted) void readRangeNow();
      else addPoints(applied.document);
      return true;
    case 'changed':
      page.update({ document: applied.document });
      addPoints(applied.document);
      return true;
    case 'gap':
      page.update({ gap: { missed: applied.missed, at: Date.now() } });
      return true;
    case 'kept':
    case 'bye':
      return true;
    case 'out_of_step':
      return false;
  }
}

/** Brings the series of a live range up to the newest points, or reads it again if they do not continue it. */
function addPoints({ sections }: LiveDocument): void {
  const { overview, range } = page.get();
  if (overview === null || range.kind === 'absolute' || isReading) return;
  const series = extended(overview.series, sections.points);
  if (series !== null) page.update({ overview: series === overview.series ? overview : { ...overview, series } });
  else if (isBehind(overview.series, serverNow()) && Date.now() - readAt >= AGAIN) void readRangeNow();
}

async function readRangeNow(): Promise<void> {
  clearTimeout(retry);
  const number = ++reading;
  isReading = true;
  readAt = Date.now();
  try {
    const overview = await api.overview(page.get().range);
    if (number === reading) page.update({ overview, failure: null });
  } catch (error) {
    if (number !== reading) return;
    const failed = failure(error);
    if (failed.isRefusal) {
      closed();
      return;
    }
    page.update({ failure: failed.code === 'unreachable' ? T.loadFailed : failed.message });
    retry = setTimeout(() => void readRangeNow(), AGAIN);
  } finally {
    if (number === reading) isReading = false;
  }
}

/** Changes the address without leaving the page. */
function go(change: (query: URLSearchParams) => void): void {
  const query = new URLSearchParams(location.search);
  change(query);
  const text = query.toString();
  history.pushState(null, '', location.pathname + (text === '' ? '' : '?' + text));
  readAddress();
}

export function setRange(range: RangeChoice): void {
  if (sameRange(range, page.get().range)) return;
  go((query) => { writeRange(query, range); });
  // Values of another range are not shown under the name of this one.
  page.update({ overview: null, failure: null, held: null });
  void readRangeNow();
}

/** The address of a card's chart, for links. */
export function cardAddress(card: SignalName | null): string {
  const query = new URLSearchParams(location.search);
  query.delete('card');
  query.delete('view');
  if (card !== null) query.set('card', card);
  return '?' + query.toString();
}

export function setCard(card: SignalName | null): void {
  go((query) => {
    query.delete('card');
    query.delete('view');
    if (card !== null) query.set('card', card);
  });
}

export function setAsTable(on: boolean): void {
  go((query) => {
    if (on) query.set('view', 'table');
    else query.delete('view');
  });
}

export function togglePause(): void {
  const { document, held, overview } = page.get();
  if (held !== null) {
    page.update({ held: null });
    spoken.set(T.liveAgain);
  } else if (document !== null) {
    page.update({ held: { at: serverNow(), document, series: overview?.series ?? null } });
    spoken.set(T.pausedSpoken);
  }
}
