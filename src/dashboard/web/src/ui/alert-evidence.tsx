/** Where an alert leads: to what its labels name, and to traces of what is wrong. */

import type { JSX } from 'preact';
import type { RouteName } from '../api';
import { page } from '../controller';
import type { Sections } from '../contract';
import type { Alert } from '../contract-alerts';
import { callsAddress, databaseAddress, statementAddress } from '../operation-places';
import { routeAddress, tracesAddress } from '../place';
import type { RangeChoice } from '../range';
import { useStore } from '../store';
import { A } from '../strings-alerts';

/** The ID of a rule's row on the page of the alerts. */
export const ruleId = (rule: string): string => `rule-${rule}`;

interface Link {
  text: string;
  href: string;
}

/** The route that its labels name, or else the one with most of what its figure shows. `null` if its method is not known. */
function routeOf({ card }: Alert, label: (name: string) => string, { verdict: { where, slow } }: Sections): RouteName | null {
  const route = label('http_route');
  const worst = card === 'error_rate' ? where : card === 'response_time' ? slow : null;
  const named = [{ route, method: label('http_request_method') }, where, slow].find((it) => it?.route === route && it.method !== '');
  const of = route === '' ? worst : named;
  const method = of?.method ?? null;
  return of === null || of === undefined || method === null ? null : { route: of.route, method };
}

export function evidence(alert: Alert, sections: Sections, range: RangeChoice): Link[] {
  const label = (name: string): string => alert.labels.find((it) => it.name === name)?.value ?? '';
  const links: Link[] = [];
  const route = routeOf(alert, label, sections);
  if (route !== null) links.push({ text: `${route.method} ${route.route}`, href: routeAddress(route, range) });
  const [system, summary] = [label('db_system_name'), label('db_query_summary')];
  if (system !== '' && summary !== '') links.push({ text: summary, href: statementAddress({ system, namespace: label('db_namespace'), summary }, range) });
  if (label('db_client_connection_pool_name') !== '') links.push({ text: A.itsPool, href: databaseAddress(range) });
  if (label('service_peer_name') !== '') links.push({ text: A.itsCalls, href: callsAddress(range) });
  const of: Record<string, string> = label('http_route') === '' ? {} : { route: label('http_route') };
  if (alert.card === 'error_rate') links.push({ text: A.failedTraces, href: tracesAddress(range, { ...of, status: '5xx' }) });
  else if (alert.card === 'response_time') links.push({ text: A.slowTraces, href: tracesAddress(range, { ...of, kept: 'slow' }) });
  else links.push({ text: A.keptTraces, href: tracesAddress(range, of) });
  return links;
}

export function Evidence({ alert, sections }: { alert: Alert; sections: Sections }): JSX.Element {
  const { range } = useStore(page);
  return (
    <div class="btns">
      {evidence(alert, sections, range).map(({ text, href }) => (
        <a key={href} class="btn" href={href}>
          {text}
        </a>
      ))}
    </div>
  );
}
