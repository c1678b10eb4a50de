/** One route: its figures beside those before, its curves, and everything else that is known of it. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, routePath } from '../api';
import { ANSWERS, type RouteFigures, type RoutePage } from '../contract-routes';
import { clock as clockStore, page } from '../controller';
import { count, duration, joined, maybe, percent, rate, span } from '../format';
import { logsOfRoute } from '../log-places';
import { callsAddress, statementAddress } from '../operation-places';
import { routeOf, routesAddress, tracesAddress } from '../place';
import { objectData, traceData } from '../panel-data';
import { rangeQuery } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { L } from '../strings-logs';
import { TO } from '../strings-operations';
import { ServiceState } from './calls';
import { Stats, p95Sentence, percentileLines, type FigureOf } from './figures';
import { HeatPanel } from './heat';
import { ErrorItem, Frame, LogItem, TraceItem } from './panels';
import { PlotPanel } from './plot';
import { loadingText, useRead } from './read';
import { TablePanel } from './table';

export function RouteView(): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clockStore);
  const [name] = useState(() => routeOf(new URLSearchParams(location.search)));
  const key = `${name.method} ${name.route} ${rangeQuery(range)}`;
  const { document: of, failure } = useRead(key, range.kind === 'relative', held !== null, () => api.route(name, range));
  useEffect(() => { document.title = [`${name.method} ${name.route}`, T.product].join(' · '); }, [name]);
  const why = failure ?? of?.failed ?? null;
  return (
    <>
      <div>
        <p class="small crumb">
          <a href={routesAddress(range)}>{T.routes}</a>
        </p>
        <h1 class="verdict">
          <b>
            {name.method} {name.route}
          </b>{' '}
          {of === null ? (why ?? loadingText(range)) : of.figures.count === 0 ? T.noRequestsInRange : p95Sentence(of.figures, of.before)}
        </h1>
        <p class="sub">
          {of !== null && why !== null && <span>{why}</span>}
          <a href={tracesAddress(range, { route: name.route })}>{T.tracesPage}</a>
          <a href={logsOfRoute(name.route, null, range)}>{L.logs}</a>
          <a href={routePath(name, range)} target="_blank" rel="noreferrer">
            {T.asJson}
          </a>
        </p>
      </div>
      {of !== null && <Content of={of} now={now} />}
    </>
  );
}

const FIGURES: FigureOf<RouteFigures>[] = [
  { title: T.requests, form: (it) => maybe(it.rate, rate) },
  { title: T.errors, form: (it) => maybe(it.error_rate, percent) },
  { title: 'p50', form: (it) => maybe(it.p50, duration) },
  { title: 'p95', form: (it) => maybe(it.p95, duration) },
  { title: 'p99', form: (it) => maybe(it.p99, duration) },
  { title: '4xx', form: (it) => maybe(it.client_errors, percent) },
  { title: T.cancelledTitle, form: (it) => maybe(it.cancelled, percent) },
];

function Content({ of, now }: { of: RoutePage; now: number }): JSX.Element {
  const common = { start: of.start, stepMs: of.step_ms, markers: of.markers };
  return (
    <>
      <Stats list={FIGURES} figures={of.figures} before={of.before} last={[T.shareOfTime, maybe(of.time_share, percent), T.requestsIn(count(of.figures.count))]} />
      <HeatPanel route={of.route} map={of.heat} markers={of.markers} p50={{ start: of.start, stepMs: of.step_ms, values: of.p50 }} p95={{ start: of.start, stepMs: of.step_ms, values: of.p95 }} />
      <div class="cols even">
        <div class="c6">
          <PlotPanel
            id="percentiles"
            title={T.percentiles}
            {...common}
            form={(value) => joined(duration(value))}
            lines={percentileLines(of)}
          />
        </div>
        <div class="c6">
          <PlotPanel
            id="answers"
            title={T.answers}
            aside={T.answersNote}
            isStacked
            {...common}
            form={(value) => joined(rate(value))}
            lines={ANSWERS.map((name) => ({ name: T.answerNames[name], tone: `a-${name}`, values: of.answers[name] }))}
          />
        </div>
      </div>
      <div class="cols even">
        <div class="c6">
          <Queries of={of} />
        </div>
        <div class="c6">
          <OutgoingCalls of={of} />
        </div>
        <div class="c6">
          <Frame id="traces" title={T.slowestTraces} empty={of.traces.length === 0 ? T.noTraces : null} data={() => traceData(`traces-of-${of.route}`, of.traces)}>
            <ul class="rows two">
              {of.traces.map((trace) => (
                <TraceItem key={trace.trace_id} trace={trace} now={now} />
              ))}
            </ul>
          </Frame>
        </div>
        <div class="c6 stack">
          <Deploy of={of} />
          <Statuses of={of} />
        </div>
        <div class="c6">
          <Frame id="errors" title={T.itsErrors} empty={of.errors.length === 0 ? T.noErrors : null} data={() => objectData(`errors-of-${of.route}`, ['id', 'type', 'message', 'location', 'count', 'first_at', 'last_at', 'trace_id'], of.errors)}>
            <ul class="rows two">
              {of.errors.map((error) => (
                <ErrorItem key={error.id} error={error} now={now} />
              ))}
            </ul>
          </Frame>
        </div>
        <div class="c6">
          <Frame id="logs" title={T.logs} empty={of.logs.length === 0 ? T.noLogs : null} data={() => objectData(`logs-of-${of.route}`, ['at', 'level', 'target', 'message', 'trace_id'], of.logs)}>
            <ul class="rows two">
              {of.logs.map((log, i) => (
                <LogItem key={`${log.at} ${i}`} log={log} now={now} />
              ))}
            </ul>
          </Frame>
        </div>
      </div>
    </>
  );
}

function Queries({ of }: { of: RoutePage }): JSX.Element {
  const { range } = useStore(page);
  return (
    <TablePanel
      id="queries"
      title={T.itsQueries}
      aside={T.sinceStart}
      empty={of.queries.length === 0 ? T.noQueries : null}
      data={() => ({ name: `queries-of-${of.route}`, columns: ['system', 'namespace', 'summary', 'text', 'calls', 'all_calls', 'errors', 'p95_seconds'], rows: of.queries.map((it) => [it.system, it.namespace, it.summary, it.text, it.calls, it.all_calls, it.errors, it.p95]) })}
      columns={[{ name: T.statement }, { name: T.calls, isNumber: true }, { name: 'p95', isNumber: true }, { name: T.errors, isNumber: true }]}
    >
      {of.queries.map((query) => (
        <tr key={`${query.system} ${query.namespace} ${query.text}`} tabIndex={-1} data-row={query.summary}>
          <th scope="row" class="clip" title={query.text}>
            <a href={statementAddress(query, range)}>{query.summary}</a>
          </th>
          <td class="num">{count(query.calls)}</td>
          <td class="num">{maybe(query.p95, duration)}</td>
          <td class="num">{count(query.errors)}</td>
        </tr>
      ))}
    </TablePanel>
  );
}

function OutgoingCalls({ of }: { of: RoutePage }): JSX.Element {
  const { range } = useStore(page);
  return (
    <TablePanel
      id="calls"
      title={TO.itsCalls}
      aside={TO.itsCallsNote}
      empty={of.calls.length === 0 ? TO.noItsCalls : null}
      data={() => ({ name: `calls-of-${of.route}`, columns: ['service', 'state', 'calls', 'all_calls', 'p95_seconds', 'error_rate'], rows: of.calls.map((it) => [it.service, it.state, it.calls, it.all_calls, it.p95, it.error_rate]) })}
      columns={[{ name: TO.service }, { name: T.calls, isNumber: true }, { name: 'p95', isNumber: true }, { name: T.errors, isNumber: true }]}
    >
      {of.calls.map((call) => (
        <tr key={call.service} tabIndex={-1} data-row={`call ${call.service}`}>
          <th scope="row" class="clip">
            <a href={callsAddress(range)}>{call.service}</a> <ServiceState state={call.state} />
          </th>
          <td class="num">{count(call.calls)}</td>
          <td class="num">{maybe(call.p95, duration)}</td>
          <td class="num">{maybe(call.error_rate, percent)}</td>
        </tr>
      ))}
    </TablePanel>
  );
}

function Deploy({ of }: { of: RoutePage }): JSX.Element {
  const { deploy } = of;
  const title = deploy === null || deploy.text === '' ? T.beforeAfter : T.beforeAfterOf(deploy.text);
  const rows = deploy === null ? [] : FIGURES.map(({ title: figure, form }) => [figure, form(deploy.before), form(deploy.after)] as const);
  return (
    <TablePanel
      id="deploy"
      title={title}
      {...(deploy === null ? {} : { aside: T.equalWindows(span(deploy.length_ms / 1000)) })}
      empty={deploy === null ? T.noDeploy : null}
      data={() => ({ name: `deploy-${of.route}`, columns: ['figure', 'before', 'after'], rows: rows.map((row) => [...row]) })}
      columns={[{ name: TO.figure }, { name: T.before, isNumber: true }, { name: T.afterColumn, isNumber: true }]}
    >
      {rows.map(([figure, before, after]) => (
        <tr key={figure}>
          <th scope="row">{figure}</th>
          <td class="num">{before}</td>
          <td class="num">{after}</td>
        </tr>
      ))}
    </TablePanel>
  );
}

function Statuses({ of }: { of: RoutePage }): JSX.Element {
  const { range } = useStore(page);
  return (
    <TablePanel
      id="statuses"
      title={T.statuses}
      empty={of.statuses.length === 0 ? T.noRequestsInRange : null}
      data={() => ({ name: `statuses-${of.route}`, columns: ['status', 'outcome', 'count'], rows: of.statuses.map((it) => [it.status, it.outcome, it.count]) })}
      columns={[{ name: T.status }, { name: T.outcome }, { name: T.requests, isNumber: true }]}
    >
      {of.statuses.map(({ status, outcome, count: times }) => (
        <tr key={status + outcome} tabIndex={-1} data-row={`status ${status} ${outcome}`}>
          <th scope="row">{status === '' ? T.noStatus : <a href={tracesAddress(range, { route: of.route, status })}>{status}</a>}</th>
          <td>{outcome}</td>
          <td class="num">{count(times)}</td>
        </tr>
      ))}
    </TablePanel>
  );
}
