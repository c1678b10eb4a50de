/** The list of routes. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, routesPath } from '../api';
import { page } from '../controller';
import { rate } from '../format';
import { ORDERS, isOrder, ordered, type Order } from '../movement';
import { rangeQuery } from '../range';
import { parameter, setParameter } from '../sorting';
import { useStore } from '../store';
import { T } from '../strings';
import { loadingText, useRead } from './read';
import { RouteTable } from './route-table';

function readOrder(): Order {
  const name = parameter('sort');
  return isOrder(name) ? name : 'movement';
}

export function Routes(): JSX.Element {
  const { range, held } = useStore(page);
  const [order, setOrder] = useState(readOrder);
  const { document: list, failure } = useRead(rangeQuery(range), range.kind === 'relative', held !== null, () => api.routes(range));
  useEffect(() => { document.title = [T.routes, T.product].join(' · '); }, []);
  const choose = (name: Order): void => {
    setParameter('sort', name === 'movement' ? null : name);
    setOrder(name);
  };
  const why = failure ?? list?.failed ?? null;
  const rows = list === null ? [] : ordered(list.routes, order);
  const perSecond = rows.reduce((sum, row) => sum + (row.rate ?? 0), 0);
  return (
    <>
      <div>
        <h1 class="verdict">
          <b>{T.routes}.</b> {list === null ? (why ?? loadingText(range)) : list.count === 0 ? T.noRequestsInRange : T.routesSentence(list.count, rate(perSecond).value)}
        </h1>
        <p class="sub">
          {list !== null && why !== null && <span>{why}</span>}
          {list !== null && list.count > rows.length && <span>{T.routesShown(rows.length)}</span>}
          <a href={routesPath(range)} target="_blank" rel="noreferrer">
            {T.asJson}
          </a>
        </p>
      </div>
      {rows.length > 0 && (
        <section class="panel" aria-labelledby="routes-title">
          <header>
            <h2 id="routes-title">{T.where}</h2>
            <p class="w">{T.orderNotes[order]}</p>
            <span class="fill" />
            <div class="seg" role="group" aria-label={T.order}>
              {ORDERS.map((name) => (
                <button key={name} type="button" aria-pressed={order === name} onClick={() => { choose(name); }}>
                  {T.orders[name]}
                </button>
              ))}
            </div>
          </header>
          <RouteTable rows={rows} range={range} />
        </section>
      )}
    </>
  );
}
