/** Which page this is, and the addresses of others. All are next to each other, so relative addresses work anywhere. */

import type { RouteName } from './api';
import type { SignalName } from './contract';
import { writeRange, type RangeChoice } from './range';

export type PlaceName = 'overview' | 'alerts' | 'errors' | 'error' | 'routes' | 'route' | 'database' | 'statement' | 'calls' | 'traces' | 'trace' | 'logs';

/** The page of an address: the last part of its path. */
export function placeOf(path: string): PlaceName {
  const last = path.slice(path.lastIndexOf('/') + 1);
  const known = ['alerts', 'errors', 'error', 'routes', 'route', 'database', 'statement', 'calls', 'traces', 'trace', 'logs'] as const;
  return known.find((name) => name === last) ?? 'overview';
}

export function address(place: string, range: RangeChoice, more: Record<string, string> = {}): string {
  const query = new URLSearchParams(more);
  writeRange(query, range);
  const text = query.toString();
  return place + (text === '' ? '' : '?' + text);
}

export const overviewAddress = (range: RangeChoice): string => address('./', range);
export const chartAddress = (card: SignalName, range: RangeChoice): string => address('./', range, { card });
/** The chart of a card as a table. */
export const tableAddress = (card: SignalName, range: RangeChoice): string => address('./', range, { card, view: 'table' });
export const alertsAddress = (range: RangeChoice): string => address('alerts', range);
export const routesAddress = (range: RangeChoice): string => address('routes', range);
export const routeAddress = ({ route, method }: RouteName, range: RangeChoice): string => address('route', range, { method, route });
export const tracesAddress = (range: RangeChoice, filter: Record<string, string> = {}): string => address('traces', range, filter);
/** The page of a trace, by its ID or by a request's. */
export const traceAddress = (id: string, range: RangeChoice): string => address('trace', range, { id });

/** The route in the address of its page. */
export function routeOf(query: URLSearchParams): RouteName {
  return { route: query.get('route') ?? '', method: query.get('method') ?? '' };
}
