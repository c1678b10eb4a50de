/** One statement: its figures, curves, texts, callers and traces. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import type { OperationFigures, StatementPage } from '../contract-operations';
import { clock as clockStore, page } from '../controller';
import { count, duration, joined, maybe, percent, rate, short, span } from '../format';
import { databaseAddress, statementOf, statementPath } from '../operation-places';
import { traceAddress } from '../place';
import { objectData, traceData } from '../panel-data';
import { rangeQuery, type RangeChoice } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { TO } from '../strings-operations';
import { CallerLink } from './callers';
import { rowsPerCall, statementTitle } from './database';
import { Glyph } from './glyph';
import { Stats, p95Sentence, percentileLines, type FigureOf } from './figures';
import { Frame, TraceItem } from './panels';
import { PlotPanel } from './plot';
import { loadingText, useRead } from './read';
import { TablePanel } from './table';

export function StatementView(): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clockStore);
  const [name] = useState(() => statementOf(new URLSearchParams(location.search)));
  const key = `${JSON.stringify(name)} ${rangeQuery(range)}`;
  const { document: of, failure } = useRead(key, range.kind === 'relative', held !== null, () => read<StatementPage>(statementPath(name, range)));
  const title = statementTitle({ summary: name.summary, is_other: of?.is_other ?? false });
  useEffect(() => { document.title = [title, T.product].join(' · '); }, [title]);
  const why = failure ?? of?.failed ?? null;
  return (
    <>
      <div>
        <p class="small crumb">
          <a href={databaseAddress(range)}>{TO.database}</a>
        </p>
        <h1 class="verdict">
          <b>{title}.</b> {of === null ? (why ?? loadingText(range)) : of.figures.count === 0 ? TO.noQueriesInRange : p95Sentence(of.figures, of.before)}
        </h1>
        <p class="sub">
          <span>{[name.system, name.namespace].filter(Boolean).join(' · ')}</span>
          {of?.is_other === true && <span>{TO.otherNote}</span>}
          {of?.in_loop === true && (
            <span>
              <Glyph name="odd" tone="odd" /> {TO.inLoopLabel}
            </span>
          )}
          {of !== null && why !== null && <span>{why}</span>}
          <a href={statementPath(name, range)} target="_blank" rel="noreferrer">
            {T.asJson}
          </a>
        </p>
      </div>
      {of !== null && <Content of={of} now={now} range={range} />}
    </>
  );
}

const FIGURES: FigureOf<OperationFigures>[] = [
  { title: TO.rate, form: (it) => maybe(it.rate, rate) },
  { title: T.errors, form: (it) => maybe(it.error_rate, percent) },
  { title: TO.mean, form: (it) => maybe(it.mean, duration) },
  { title: 'p50', form: (it) => maybe(it.p50, duration) },
  { title: 'p95', form: (it) => maybe(it.p95, duration) },
  { title: 'p99', form: (it) => maybe(it.p99, duration) },
  { title: TO.total, form: (it) => maybe(it.total, (value) => (value >= 120 ? span(value) : duration(value))) },
];

function Content({ of, now, range }: { of: StatementPage; now: number; range: RangeChoice }): JSX.Element {
  const common = { start: of.start, stepMs: of.step_ms, markers: of.markers, empty: TO.noQueriesInRange };
  return (
    <>
      <Stats list={FIGURES} figures={of.figures} before={of.before} last={[TO.share, maybe(of.time_share, percent), `${TO.rows}: ${maybe(rowsPerCall(of), short)}`]} />
      <div class="cols even">
        <div class="c6">
          <PlotPanel
            id="durations"
            title={TO.durations}
            {...common}
            form={(value) => joined(duration(value))}
            lines={percentileLines(of)}
          />
        </div>
        <div class="c6">
          <PlotPanel
            id="ends"
            title={TO.rate}
            aside={TO.rateNote}
            isStacked
            {...common}
            form={(value) => joined(rate(value))}
            lines={(['errors', 'cancelled', 'others'] as const).map((name) => ({ name: TO.endNames[name], tone: `a-${name}`, values: of.ends[name] }))}
          />
        </div>
        <div class="c6 stack">
          <Frame id="texts" title={TO.texts} aside={TO.textsNote} empty={of.texts.length === 0 ? (of.is_other ? TO.otherNote : TO.noText) : null} data={() => objectData(`texts-of-${of.summary}`, ['text', 'calls', 'errors', 'rows', 'total', 'p50', 'p95', 'max', 'slowest_trace_id'], of.texts)}>
            <ul class="rows">
              {of.texts.map((text) => (
                <li key={text.text} tabIndex={-1} data-row={text.text}>
                  <pre class="sql">{text.text === '' ? of.summary : text.text}</pre>
                  <p class="mute small">
                    {[TO.since(text.calls), `p95 ${maybe(text.p95, duration)}`, `${TO.longest.toLowerCase()} ${maybe(text.max, duration)}`, text.errors === 0 ? T.noErrorsShort : `${count(text.errors)} ${T.errors.toLowerCase()}`].join(' · ')}
                    {text.slowest_trace_id !== null && (
                      <>
                        {' · '}
                        <a href={traceAddress(text.slowest_trace_id, range)}>{TO.slowestCall}</a>
                      </>
                    )}
                  </p>
                </li>
              ))}
            </ul>
          </Frame>
          <CallersPanel of={of} />
        </div>
        <div class="c6">
          <Frame id="traces" title={TO.itsTraces} empty={of.traces.length === 0 ? TO.noTraces : null} data={() => traceData(`traces-of-${of.summary}`, of.traces)}>
            <ul class="rows two">
              {of.traces.map((trace) => (
                <TraceItem key={trace.trace_id} trace={trace} now={now} />
              ))}
            </ul>
          </Frame>
        </div>
      </div>
    </>
  );
}

function CallersPanel({ of }: { of: StatementPage }): JSX.Element {
  const all = of.callers.reduce((sum, caller) => sum + caller.calls, of.other_callers);
  const share = (calls: number): string => maybe(all === 0 ? null : calls / all, percent);
  return (
    <TablePanel
      id="callers"
      title={TO.callers}
      aside={TO.callersNote}
      empty={all === 0 ? TO.noCallers : null}
      data={() => ({ name: `callers-of-${of.summary}`, columns: ['route', 'method', 'calls_since_start'], rows: [...of.callers.map((caller) => [caller.route, caller.method, caller.calls]), ...(of.other_callers > 0 ? [[TO.otherRoutes, null, of.other_callers]] : [])] })}
      columns={[{ name: T.route }, { name: TO.calls, isNumber: true }, { name: TO.ofCalls, isNumber: true }]}
    >
      {of.callers.map((caller) => (
        <tr key={caller.route} tabIndex={-1} data-row={`caller ${caller.route}`}>
          <th scope="row" class="clip">
            <CallerLink caller={caller} />
          </th>
          <td class="num">{count(caller.calls)}</td>
          <td class="num">{share(caller.calls)}</td>
        </tr>
      ))}
      {of.other_callers > 0 && (
        <tr>
          <th scope="row">
            {TO.otherRoutes}
          </th>
          <td class="num">{count(of.other_callers)}</td>
          <td class="num">{share(of.other_callers)}</td>
        </tr>
      )}
    </TablePanel>
  );
}
