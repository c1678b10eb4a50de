/** Requests to the server, relative to the page, so that they work below any path. */

import type { Failure, Overview, Poll, Session, TestSent } from './contract';
import type { Acknowledge, AlertsPage, Backtest, EndSilence, NewSilence, SilencePreview } from './contract-alerts';
import type { MergeErrors, MuteError, ReopenError, ResolveError } from './contract-errors';
import type { SetLogLevel } from './contract-logs';
import type { RouteList, RoutePage } from './contract-routes';
import { rangeQuery, type RangeChoice } from './range';

/** A response that is no success. `status` is 0 if there was none. */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;
  readonly failure: Failure;

  constructor(status: number, failure: Failure) {
    super(failure.message);
    this.status = status;
    this.code = failure.code;
    this.failure = failure;
  }

  /** Whether the page has no access any more: nothing of the service may stay on it. */
  get isRefusal(): boolean {
    return this.status === 401 || (this.status === 404 && this.code === 'closed');
  }
}

const TIMEOUT = 15_000;

async function failureOf(response: Response): Promise<Failure> {
  const unknown: Failure = { code: 'unknown', message: `The service answered ${response.status}.` };
  try {
    const value: unknown = await response.json();
    if (typeof value !== 'object' || value === null) return unknown;
    const { code, message, position, expected } = value as Partial<Record<keyof Failure, unknown>>;
    if (typeof code !== 'string' || typeof message !== 'string') return unknown;
    return typeof position === 'number' && typeof expected === 'string' ? { code, message, position, expected } : { code, message };
  } catch {
    return unknown;
  }
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
      ...init,
    });
  } catch {
    throw new RequestError(0, { code: 'unreachable', message: '' });
  }
  if (!response.ok) throw new RequestError(response.status, await failureOf(response));
  return response;
}

/** Reads a document by its address relative to the page. */
export async function read<T>(path: string): Promise<T> {
  return (await (await request(path)).json()) as T;
}

/** A file of log lines: how its search ended, and the cursor of the rest. */
export interface LogFile {
  content: Blob;
  end: string | null;
  next: string | null;
}

/** The server searches for up to 15 seconds before it answers. */
const FILE_TIMEOUT = 40_000;

export async function readLogFile(path: string): Promise<LogFile> {
  const response = await request(path, { signal: AbortSignal.timeout(FILE_TIMEOUT) });
  const { headers } = response;
  return { content: await response.blob(), end: headers.get('watchpost-end'), next: headers.get('watchpost-next') };
}

/** The server demands this content type, which a form of another site cannot send. */
function post(path: string, body: object): Promise<Response> {
  return request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

export const api = {
  session: (): Promise<Session | null> => read('data/v1/session'),
  overview: (range: RangeChoice): Promise<Overview> => read(overviewPath(range)),
  routes: (range: RangeChoice): Promise<RouteList> => read(routesPath(range)),
  route: (name: RouteName, range: RangeChoice): Promise<RoutePage> => read(routePath(name, range)),
  alerts: (): Promise<AlertsPage> => read('data/v1/alerts'),
  previewSilence: (matchers: string[]): Promise<SilencePreview> =>
    read(`data/v1/alerts/preview?${matchers.map((matcher) => `matcher=${encodeURIComponent(matcher)}`).join('&')}`),
  backtest: (rule: string): Promise<Backtest> => read(`data/v1/alerts/backtest?hours=24&rule=${encodeURIComponent(rule)}`),
  acknowledge: async (body: Acknowledge): Promise<void> => {
    await post('data/v1/alerts/acknowledge', body);
  },
  silence: async (body: NewSilence): Promise<void> => {
    await post('data/v1/alerts/silence', body);
  },
  endSilence: async (body: EndSilence): Promise<void> => {
    await post('data/v1/alerts/end-silence', body);
  },
  resolveError: async (body: ResolveError): Promise<void> => {
    await post('data/v1/errors/resolve', body);
  },
  muteError: async (body: MuteError): Promise<void> => {
    await post('data/v1/errors/mute', body);
  },
  reopenError: async (body: ReopenError): Promise<void> => {
    await post('data/v1/errors/reopen', body);
  },
  mergeErrors: async (body: MergeErrors): Promise<void> => {
    await post('data/v1/errors/merge', body);
  },
  setLogLevel: async (body: SetLogLevel): Promise<void> => {
    await post('data/v1/log-level/set', body);
  },
  live: (after: { epoch: string; seq: number } | null): Promise<Poll> =>
    read('data/v1/live' + (after === null ? '' : `?epoch=${encodeURIComponent(after.epoch)}&after=${after.seq}`)),
  logIn: async (token: string): Promise<Session> => (await (await post('login', { token })).json()) as Session,
  logOut: async (): Promise<void> => {
    await post('logout', {});
  },
  testError: async (): Promise<TestSent> => (await (await post('data/v1/test-error', {})).json()) as TestSent,
  testTrace: async (): Promise<TestSent> => (await (await post('data/v1/test-trace', {})).json()) as TestSent,
};

/** The address of the document of a range, also for people who want it as JSON. */
export function overviewPath(range: RangeChoice): string {
  return `data/v1/overview?${rangeQuery(range)}`;
}

export interface RouteName {
  route: string;
  method: string;
}

export function routesPath(range: RangeChoice): string {
  return `data/v1/routes?${rangeQuery(range)}`;
}

export function routePath({ route, method }: RouteName, range: RangeChoice): string {
  return `data/v1/route?route=${encodeURIComponent(route)}&method=${encodeURIComponent(method)}&${rangeQuery(range)}`;
}

/** The address of the WebSocket, next to the page. */
export function liveAddress(page: string): string {
  const address = new URL('live', page);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  address.search = '';
  address.hash = '';
  return address.href;
}
