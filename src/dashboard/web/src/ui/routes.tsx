/** The list of routes. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, routesPath } from '../api';
import type { RouteRow } from '../contract-routes';
import { page } from '../controller';
import { duration, maybe, percent, rate } from '../format';
import { ORDERS, isOrder, ordered, type Order } from '../movement';
import { routeAddress } from '../place';
import { rangeQuery, type RangeChoice } from '../range';
import { parameter, setParameter } from '../sorting';
import { useStore } from '../store';
import { T } from '../strings';
import { highest, path } from './plot-model';
import { loadingText, useRead } from './read';

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

function RouteTable({ rows, range }: { rows: RouteRow[]; range: RangeChoice }): JSX.Element {
  const numbers = [T.reqPerSecond, T.errors, 'p50', 'p95', 'p99', T.before, T.p95Curve, T.shareOfErrors, T.shareOfTime];
  return (
    <div class="scroll">
      <table class="routes">
        <caption class="vh">{T.routes}</caption>
        <thead>
          <tr>
            <th scope="col">{T.route}</th>
            {numbers.map((name, i) => (
              <th key={name} scope="col" class={i === 1 || i === 3 ? 'num' : 'num w'}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.method + row.route} tabIndex={-1} data-row={`${row.method} ${row.route}`}>
              <th scope="row">
                <a href={routeAddress(row, range)}>
                  <span class="meth">{row.method}</span> {row.route}
                </a>
              </th>
              <td class="num w">{maybe(row.rate, (value) => rate(value).value)}</td>
              <td class="num">{row.errors === 0 ? '0' : maybe(row.error_rate, percent)}</td>
              <td class="num w">{maybe(row.p50, duration)}</td>
              <td class="num">{maybe(row.p95, duration)}</td>
              <td class="num w">{maybe(row.p99, duration)}</td>
              <td class="num w mute">{maybe(row.before?.p95, duration)}</td>
              <td class="num w">
                <Curve values={row.p95_curve} />
              </td>
              <td class="num w">{row.error_share === null ? '' : maybe(row.error_share, percent)}</td>
              <td class="num w">{maybe(row.time_share, percent)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A small line from 0. Its last value is in the column of the p95. */
function Curve({ values }: { values: (number | null)[] }): JSX.Element {
  const most = highest([values], false) || 1;
  return (
    <svg class="curve" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
      <path class="line l-p95" d={path(values, (i) => ((i + 0.5) / Math.max(1, values.length)) * 100, (value) => 19 - (value / most) * 17)} />
    </svg>
  );
}

