/** The database: statements, loops of statements, and pools. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import type { LoopRow, PoolList, PoolRow, StatementList, StatementRow } from '../contract-operations';
import { page } from '../controller';
import { count, duration, joined, maybe, percent, rate, short } from '../format';
import { poolsPath, statementAddress, statementsPath } from '../operation-places';
import { routeAddress, traceAddress } from '../place';
import { rangeQuery, type RangeChoice } from '../range';
import { STATEMENT_ORDERS, isStatementOrder, orderedStatements, parameter, setParameter, type StatementOrder } from '../sorting';
import { useStore } from '../store';
import { T } from '../strings';
import { TO } from '../strings-operations';
import { Callers, callersText } from './callers';
import { Glyph } from './glyph';
import { PlotPanel } from './plot';
import { loadingText, useRead } from './read';
import { TablePanel } from './table';

function readOrder(): StatementOrder {
  const name = parameter('sort');
  return isStatementOrder(name) ? name : 'time';
}

export function Database(): JSX.Element {
  const { range, held } = useStore(page);
  const [order, setOrder] = useState(readOrder);
  const isLive = range.kind === 'relative';
  const { document: list, failure } = useRead(rangeQuery(range), isLive, held !== null, () => read<StatementList>(statementsPath(range)));
  const pools = useRead(rangeQuery(range), isLive, held !== null, () => read<PoolList>(poolsPath(range)));
  useEffect(() => { document.title = [TO.database, T.product].join(' · '); }, []);
  const choose = (name: StatementOrder): void => {
    setParameter('sort', name === 'time' ? null : name);
    setOrder(name);
  };
  const why = failure ?? list?.failed ?? null;
  const rows = list === null ? [] : orderedStatements(list.statements, order);
  const perSecond = rows.reduce((sum, row) => sum + (row.rate ?? 0), 0);
  return (
    <>
      <div>
        <h1 class="verdict">
          <b>{TO.database}.</b> {list === null ? (why ?? loadingText(range)) : list.count === 0 ? TO.noQueriesInRange : TO.databaseSentence(list.count, rate(perSecond).value)}
        </h1>
        <p class="sub">
          {list !== null && why !== null && <span>{why}</span>}
          {list?.count === 0 && <span>{TO.noQueriesYet}</span>}
          {list !== null && list.count > rows.length && <span>{TO.statementsShown(rows.length)}</span>}
          <a href={statementsPath(range)} target="_blank" rel="noreferrer">
            {T.asJson}
          </a>
        </p>
      </div>
      {list !== null && list.loops.length > 0 && <Loops list={list} range={range} />}
      {rows.length > 0 && <Statements rows={rows} order={order} choose={choose} range={range} />}
      {pools.document !== null && <Pools of={pools.document} />}
      {pools.failure !== null && <p class="mute">{pools.failure}</p>}
    </>
  );
}

export function statementTitle({ summary, is_other }: { summary: string; is_other: boolean }): string {
  return is_other ? TO.otherStatements : summary;
}

function statementsData(rows: StatementRow[]): (string | number | boolean | null)[][] {
  return rows.map((row) => [row.system, row.namespace, row.summary, row.count, row.rate, row.total, row.time_share, row.mean, row.p50, row.p95, row.p99, row.errors, row.cancelled, row.rows_since_start, row.calls_since_start, callersText(row.callers, row.other_callers), row.in_loop]);
}

const STATEMENT_COLUMNS = ['system', 'namespace', 'summary', 'count', 'rate_per_second', 'total_seconds', 'time_share', 'mean_seconds', 'p50_seconds', 'p95_seconds', 'p99_seconds', 'errors', 'cancelled', 'rows_since_start', 'calls_since_start', 'callers', 'in_loop'];

function Statements({ rows, order, choose, range }: { rows: StatementRow[]; order: StatementOrder; choose: (order: StatementOrder) => void; range: RangeChoice }): JSX.Element {
  const systems = new Set(rows.map((row) => `${row.system} ${row.namespace}`));
  const tools = (
    <div class="seg" role="group" aria-label={T.order}>
      {STATEMENT_ORDERS.map((name) => (
        <button key={name} type="button" aria-pressed={order === name} onClick={() => { choose(name); }}>
          {TO.orders[name]}
        </button>
      ))}
    </div>
  );
  return (
    <TablePanel
      id="statements"
      title={TO.statements}
      aside={TO.orderNotes[order]}
      empty={null}
      tools={tools}
      data={() => ({ name: 'statements', columns: STATEMENT_COLUMNS, rows: statementsData(rows) })}
      columns={[
        { name: T.statement },
        { name: TO.share, isNumber: true },
        { name: TO.calls, isNumber: true, isWide: true },
        { name: TO.perSecond, isNumber: true, isWide: true },
        { name: TO.mean, isNumber: true, isWide: true },
        { name: 'p95', isNumber: true },
        { name: T.errors, isNumber: true, isWide: true },
        { name: TO.rows, isNumber: true, isWide: true },
        { name: TO.callers, isWide: true },
      ]}
    >
      {rows.map((row) => (
        <tr key={`${row.system} ${row.namespace} ${row.summary}`} tabIndex={-1} data-row={row.summary}>
          <th scope="row" class="clip" title={row.is_other ? TO.otherNote : row.summary}>
            <a href={statementAddress(row, range)}>{statementTitle(row)}</a>
            {row.is_other && <span class="tag mute">{TO.other}</span>}
            {row.in_loop && (
              <span class="tag s-odd" title={TO.inLoopLabel}>
                <Glyph name="odd" tone="odd" label={TO.inLoopLabel} />
                {TO.inLoop}
              </span>
            )}
            {systems.size > 1 && <small class="mute">{[row.system, row.namespace].filter(Boolean).join(' · ')}</small>}
          </th>
          <td class="num share">
            <ShareBar share={row.time_share} />
            <span>{maybe(row.time_share, percent)}</span>
          </td>
          <td class="num w">{count(row.count)}</td>
          <td class="num w">{maybe(row.rate, (value) => rate(value).value)}</td>
          <td class="num w">{maybe(row.mean, duration)}</td>
          <td class="num">{maybe(row.p95, duration)}</td>
          <td class="num w">{row.errors === 0 ? '0' : `${count(row.errors)} (${maybe(row.error_rate, percent)})`}</td>
          <td class="num w" title={TO.rowsNote}>
            {maybe(rowsPerCall(row), short)}
          </td>
          <td class="w callers" title={TO.callersNote}>
            <Callers callers={row.callers} others={row.other_callers} />
          </td>
        </tr>
      ))}
    </TablePanel>
  );
}

export function rowsPerCall({ rows_since_start: rows, calls_since_start: calls }: { rows_since_start: number | null; calls_since_start: number | null }): number | null {
  return rows === null || calls === null || calls === 0 ? null : rows / calls;
}

export function ShareBar({ share }: { share: number | null }): JSX.Element {
  return (
    <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect class="f-band" width="100" height="8" />
      <rect class="f-ink" width={Math.min(1, share ?? 0) * 100} height="8" />
    </svg>
  );
}

function Loops({ list, range }: { list: StatementList; range: RangeChoice }): JSX.Element {
  const statement = (loop: LoopRow): StatementRow | undefined => list.statements.find((row) => row.summary === loop.summary);
  return (
    <TablePanel
      id="loops"
      title={TO.loops}
      aside={TO.loopsNote}
      empty={null}
      data={() => ({
        name: 'statements-in-a-loop',
        columns: ['method', 'route', 'summary', 'count', 'requests', 'queries_per_request', 'trace_id'],
        rows: list.loops.map((loop) => [loop.method, loop.route, loop.summary, loop.count, loop.requests, loop.queries_per_request, loop.trace_id]),
      })}
      columns={[{ name: T.route }, { name: T.statement }, { name: T.requests, isNumber: true, isWide: true }, { name: TO.calls, isNumber: true, isWide: true }, { name: TO.trace, isWide: true }]}
    >
      {list.loops.map((loop) => {
        const row = statement(loop);
        return (
          <tr key={loop.route} tabIndex={-1} data-row={`loop ${loop.route}`}>
            <th scope="row" class="clip">
              {loop.method === null ? (
                loop.route
              ) : (
                <a href={routeAddress({ route: loop.route, method: loop.method }, range)}>
                  <span class="meth">{loop.method}</span> {loop.route}
                </a>
              )}
            </th>
            <td class="clip">{row !== undefined ? <a href={statementAddress(row, range)}>{row.summary}</a> : (loop.summary ?? <span class="mute">{TO.loopUnknown}</span>)}</td>
            <td class="num w">{TO.loopOf(loop.count, loop.requests)}</td>
            <td class="num w">{maybe(loop.queries_per_request, (value) => TO.perRequest(short(value)))}</td>
            <td class="w">{loop.trace_id !== null && <a href={traceAddress(loop.trace_id, range)}>{TO.sampleTrace}</a>}</td>
          </tr>
        );
      })}
    </TablePanel>
  );
}

function poolState({ used, max, waiting }: PoolRow): 'exhausted' | null {
  return used !== null && max !== null && used >= max && (waiting ?? 0) > 0 ? 'exhausted' : null;
}

function Pools({ of }: { of: PoolList }): JSX.Element {
  const number = (value: number | null): string => maybe(value, short);
  return (
    <>
      <TablePanel
        id="pools"
        title={TO.pools}
        empty={of.pools.length === 0 ? TO.noPools : null}
        data={() => ({
          name: 'pools',
          columns: ['pool', 'used', 'idle', 'max', 'most_used', 'waiting', 'most_waiting', 'acquired', 'wait_p50_seconds', 'wait_p95_seconds', 'timeouts'],
          rows: of.pools.map((pool) => [pool.name, pool.used, pool.idle, pool.max, pool.most_used, pool.waiting, pool.most_waiting, pool.acquired, pool.wait_p50, pool.wait_p95, pool.timeouts]),
        })}
        columns={[
          { name: TO.pool },
          { name: TO.used, isNumber: true },
          { name: TO.mostUsed, isNumber: true, isWide: true },
          { name: TO.waiting, isNumber: true },
          { name: TO.waitP95, isNumber: true },
          { name: TO.acquired, isNumber: true, isWide: true },
          { name: TO.timeouts, isNumber: true, isWide: true },
        ]}
      >
        {of.pools.map((pool) => (
          <tr key={pool.name} tabIndex={-1} data-row={`pool ${pool.name}`}>
            <th scope="row">
              {pool.is_other ? TO.otherPools : pool.name}
              {poolState(pool) !== null && (
                <span class="tag s-warn">
                  <Glyph name="warning" tone="warn" />
                  {TO.exhausted}
                </span>
              )}
            </th>
            <td class="num">{pool.max === null ? number(pool.used) : TO.usedOf(number(pool.used), number(pool.max))}</td>
            <td class="num w">{number(pool.most_used)}</td>
            <td class="num">{number(pool.waiting)}</td>
            <td class="num">{maybe(pool.wait_p95, duration)}</td>
            <td class="num w">{maybe(pool.acquired, count)}</td>
            <td class="num w">{maybe(pool.timeouts, count)}</td>
          </tr>
        ))}
      </TablePanel>
      {of.pools.slice(0, 4).map((pool, i) => (
        <div key={pool.name} class="cols even">
          <div class="c6">
            <PlotPanel
              id={`pool-use-${i}`}
              title={TO.poolUse(pool.name)}
              {...(pool.max === null ? {} : { aside: TO.poolUseNote(short(pool.max)) })}
              start={of.start}
              stepMs={of.step_ms}
              markers={of.markers}
              form={short}
              empty={T.noValue}
              lines={[
                { name: TO.inUse, tone: 'l-p95', values: pool.used_curve },
                { name: TO.waiting, tone: 'l-p50', values: pool.waiting_curve },
              ]}
            />
          </div>
          <div class="c6">
            <PlotPanel
              id={`pool-wait-${i}`}
              title={TO.poolWait(pool.name)}
              start={of.start}
              stepMs={of.step_ms}
              markers={of.markers}
              form={(value) => joined(duration(value))}
              empty={TO.noWait}
              lines={[{ name: 'p95', tone: 'l-p95', values: pool.wait_p95_curve }]}
            />
          </div>
        </div>
      ))}
    </>
  );
}
