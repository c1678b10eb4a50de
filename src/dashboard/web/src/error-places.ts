/** The addresses of the pages and documents of errors, and what the inbox shows, as the address bar holds it. */

import { INBOX_STATES, type GroupRow, type InboxState } from './contract-errors';
import { address } from './place';
import { rangeQuery, type RangeChoice } from './range';

export const INBOX_ORDERS = ['change', 'last', 'count', 'users', 'first'] as const;
export type InboxOrder = (typeof INBOX_ORDERS)[number];
export const ERROR_KINDS = ['error', 'message', 'panic'] as const;

/** What the inbox shows. `null` filters nothing; the empty route stands for events outside a request. */
export interface InboxView {
  state: InboxState;
  sort: InboxOrder;
  route: string | null;
  release: string | null;
  kind: string | null;
  text: string | null;
}

export const INBOX: InboxView = { state: 'open', sort: 'change', route: null, release: null, kind: null, text: null };
const FILTERS = ['route', 'release', 'kind', 'text'] as const;

export function readInbox(query: URLSearchParams): InboxView {
  const state = INBOX_STATES.find((name) => name === query.get('state')) ?? INBOX.state;
  const sort = INBOX_ORDERS.find((name) => name === query.get('sort')) ?? INBOX.sort;
  const kind = ERROR_KINDS.find((name) => name === query.get('kind')) ?? null;
  const text = (name: string): string | null => {
    const value = query.get(name);
    return value === null || value.trim() === '' ? null : value.slice(0, 200);
  };
  return { state, sort, route: query.get('route')?.slice(0, 256) ?? null, release: text('release'), kind, text: text('text') };
}

/** Sets the view in `query`, and leaves its other parameters. */
export function writeInbox(query: URLSearchParams, view: InboxView): void {
  for (const name of ['state', 'sort', ...FILTERS] as const) {
    const value = view[name];
    if (value === null || value === INBOX[name]) query.delete(name);
    else query.set(name, value);
  }
}

export const isInboxFiltered = (view: InboxView): boolean => FILTERS.some((name) => view[name] !== null);

function viewQuery(view: Partial<InboxView>): Record<string, string> {
  const query = new URLSearchParams();
  writeInbox(query, { ...INBOX, ...view });
  return Object.fromEntries(query);
}

export const errorsAddress = (range: RangeChoice, view: Partial<InboxView> = {}): string => address('errors', range, viewQuery(view));
/** The page of a group. */
export const errorAddress = (id: string, range: RangeChoice): string => address('error', range, { id });
/** The page of the group to which a captured error belongs. */
export const errorOfEvent = (event: string, range: RangeChoice): string => address('error', range, { event });

export function inboxPath(view: InboxView, range: RangeChoice): string {
  const query = new URLSearchParams(viewQuery(view));
  const text = query.toString();
  return `data/v1/errors?${rangeQuery(range)}${text === '' ? '' : '&' + text}`;
}

/** The document of a group, by the query of its page. */
export function errorPath(query: { id: string } | { event: string }, range: RangeChoice): string {
  return `data/v1/error?${new URLSearchParams(query).toString()}&${rangeQuery(range)}`;
}

/** The group in the address of its page. */
export function errorOf(query: URLSearchParams): { id: string } | { event: string } {
  const event = query.get('event');
  return event === null ? { id: query.get('id') ?? '' } : { event };
}

/** The end of the path of a type, which tells it apart. */
export function typeName(type: string): string {
  return type.replace(/^.*::(?=[^:]+$)/, '');
}

/** The title of a group: its type and the begin of its message. */
export function groupTitle({ type, message }: Pick<GroupRow, 'type' | 'message'>): string {
  const name = typeName(type);
  if (name === '' || message === '') return name + message;
  return `${name}: ${message}`;
}
