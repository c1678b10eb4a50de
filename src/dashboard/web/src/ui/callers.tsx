/** The routes that run a statement or call a service. */

import type { JSX } from 'preact';
import type { Caller } from '../contract-operations';
import { page } from '../controller';
import { count } from '../format';
import { routeAddress, tracesAddress } from '../place';
import { useStore } from '../store';
import { TO } from '../strings-operations';

/** Leads to the page of the route, or to its traces if its method is not known. */
export function CallerLink({ caller: { route, method } }: { caller: Caller }): JSX.Element {
  const { range } = useStore(page);
  if (route === '') return <span class="mute">{TO.outside}</span>;
  const address = method === null ? tracesAddress(range, { route }) : routeAddress({ route, method }, range);
  return (
    <a href={address}>
      {method !== null && <span class="meth">{method}</span>} {route}
    </a>
  );
}

/** The first callers, and how many more there are. */
export function Callers({ callers, others, most = 1 }: { callers: Caller[]; others: number; most?: number }): JSX.Element {
  const rest = Math.max(0, callers.length - most) + (others > 0 ? 1 : 0);
  return (
    <>
      {callers.slice(0, most).map((caller, i) => (
        <span key={caller.route} title={count(caller.calls)}>
          {i > 0 && ', '}
          <CallerLink caller={caller} />
        </span>
      ))}
      {rest > 0 && <span class="mute"> + {TO.moreCallers(rest)}</span>}
    </>
  );
}

/** The callers as one text, for files. */
export function callersText(callers: Caller[], others: number): string {
  const known = callers.map(({ route, calls }) => `${route === '' ? TO.outside : route} (${calls})`);
  return [...known, ...(others > 0 ? [`${TO.otherRoutes} (${others})`] : [])].join('; ');
}
