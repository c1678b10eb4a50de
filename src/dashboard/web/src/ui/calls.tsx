/** Outgoing calls: services, their rate limits, and models. */

import { Fragment, type JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { read } from '../api';
import type { CallList, LimitRow, ModelRow, ServiceCalls } from '../contract-operations';
import { clock as clockStore, page } from '../controller';
import { DASH, clockOrDay, count, duration, maybe, percent, rate, short } from '../format';
import { callsPath } from '../operation-places';
import { rangeQuery } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { TO } from '../strings-operations';
import { CallerLink, Callers, callersText } from './callers';
import { ShareBar } from './database';
import { Glyph, type GlyphName } from './glyph';
import { highest, path } from './plot-model';
import { loadingText, useRead } from './read';
import { TablePanel } from './table';

export function Calls(): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clockStore);
  const { document: list, failure } = useRead(rangeQuery(range), range.kind === 'relative', held !== null, () => read<CallList>(callsPath(range)));
  useEffect(() => { document.title = [TO.callsPage, T.product].join(' · '); }, []);
  const why = failure ?? list?.failed ?? null;
  const rows = list?.services ?? [];
  const perSecond = rows.reduce((sum, row) => sum + (row.rate ?? 0), 0);
  return (
    <>
      <div>
        <h1 class="verdict">
          <b>{TO.callsPage}.</b> {list === null ? (why ?? loadingText(range)) : rows.every((row) => row.count === 0) ? TO.noCallsInRange : TO.callsSentence(list.count, rate(perSecond).value)}
        </h1>
        <p class="sub">
          {list !== null && why !== null && <span>{why}</span>}
          {list !== null && rows.length === 0 && <span>{TO.noCallsYet}</span>}
          <a href={callsPath(range)} target="_blank" rel="noreferrer">
            {T.asJson}
          </a>
        </p>
      </div>
      {list !== null && rows.length > 0 && <Services rows={rows} now={now} />}
      {list !== null && rows.length > 0 && <Limits rows={rows} />}
      {list !== null && <Models rows={list.models} />}
    </>
  );
}

const STATES: Record<string, { glyph: GlyphName; tone: string }> = {
  up: { glyph: 'ok', tone: 'ok' },
  degraded: { glyph: 'warning', tone: 'warn' },
  down: { glyph: 'critical', tone: 'crit' },
};

export function ServiceState({ state }: { state: string | null }): JSX.Element {
  const known = state === null ? undefined : STATES[state];
  return (
    <span class={`tag ${state === 'up' || known === undefined ? 'mute' : `s-${known.tone}`}`}>
      <Glyph name={known?.glyph ?? 'off'} tone={known?.tone ?? 'plain'} />
      {state === null ? TO.notCalled : (TO.stateWords[state] ?? state)}
    </span>
  );
}

function Services({ rows, now }: { rows: ServiceCalls[]; now: number }): JSX.Element {
  return (
    <TablePanel
      id="services"
      title={TO.services}
      aside={TO.servicesNote}
      empty={null}
      data={() => ({
        name: 'services',
        columns: ['service', 'state', 'reason', 'count', 'rate_per_second', 'errors', 'error_rate', 'cancelled', 'p50_seconds', 'p95_seconds', 'p99_seconds', 'last_error', 'callers'],
        rows: rows.map((row) => [row.service, row.state, row.reason, row.count, row.rate, row.errors, row.error_rate, row.cancelled, row.p50, row.p95, row.p99, row.last_error, callersText(row.callers, row.other_callers)]),
      })}
      columns={[
        { name: TO.service },
        { name: TO.perSecond, isNumber: true, isWide: true },
        { name: TO.errors, isNumber: true },
        { name: 'p50', isNumber: true, isWide: true },
        { name: 'p95', isNumber: true },
        { name: TO.p95Curve, isNumber: true, isWide: true },
        { name: TO.calls, isNumber: true, isWide: true },
        { name: TO.callers, isWide: true },
      ]}
    >
      {rows.map((row) => (
        <tr key={row.service} tabIndex={-1} data-row={row.service}>
          <th scope="row" class="clip">
            {row.is_other ? TO.otherServices : row.service} <ServiceState state={row.state} />
            {row.reason !== '' && <small class="mute wrap">{row.reason}</small>}
            {row.last_error !== null && row.last_error_at !== null && <small class="mute wrap">{TO.lastError(row.last_error, clockOrDay(row.last_error_at, now))}</small>}
          </th>
          <td class="num w">{maybe(row.rate, (value) => rate(value).value)}</td>
          <td class="num">{row.errors === 0 ? '0' : maybe(row.error_rate, percent)}</td>
          <td class="num w">{maybe(row.p50, duration)}</td>
          <td class="num">{maybe(row.p95, duration)}</td>
          <td class="num w">
            <Curve values={row.p95_curve} />
          </td>
          <td class="num w">{count(row.count)}</td>
          <td class="w callers" title={TO.callersNote}>
            <Callers callers={row.callers} others={row.other_callers} />
          </td>
        </tr>
      ))}
    </TablePanel>
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

/** Limits with the highest use first. */
export function limitRows(services: ServiceCalls[]): (LimitRow & { service: string })[] {
  const all = services.flatMap(({ service, limits }) => limits.map((limit) => ({ ...limit, service })));
  return all.sort((a, b) => (b.used ?? -1) - (a.used ?? -1));
}

function Limits({ rows }: { rows: ServiceCalls[] }): JSX.Element {
  const limits = limitRows(rows);
  return (
    <TablePanel
      id="limits"
      title={TO.limits}
      aside={TO.limitsNote}
      empty={limits.length === 0 ? TO.noLimits : null}
      data={() => ({ name: 'rate-limits', columns: ['service', 'window', 'used', 'remaining', 'limit', 'resets_in_seconds', 'exhausted_in_seconds'], rows: limits.map((it) => [it.service, it.window, it.used, it.remaining, it.limit, it.reset_in, it.exhausted_in]) })}
      columns={[{ name: TO.window }, { name: TO.usedShare, isNumber: true }, { name: TO.remaining, isNumber: true, isWide: true }, { name: TO.resets, isNumber: true, isWide: true }, { name: TO.exhaustedIn, isNumber: true }]}
    >
      {limits.map((it) => (
        <tr key={`${it.service} ${it.window}`} tabIndex={-1} data-row={`limit ${it.service} ${it.window}`}>
          <th scope="row" class="clip">
            {it.service} <small class="mute">{it.window}</small>
          </th>
          <td class="num share">
            <ShareBar share={it.used} />
            <span>{maybe(it.used, percent)}</span>
          </td>
          <td class="num w">{it.remaining === null ? DASH : it.limit === null ? count(it.remaining) : TO.remainingOf(count(it.remaining), count(it.limit))}</td>
          <td class="num w">{maybe(it.reset_in, TO.inTime)}</td>
          <td class="num">{it.exhausted_in !== null ? TO.inTime(it.exhausted_in) : <span class="mute">{it.reset_in === null ? DASH : TO.notBefore}</span>}</td>
        </tr>
      ))}
    </TablePanel>
  );
}

const cost = (value: number): string => (value >= 100 ? count(value) : value >= 0.01 || value === 0 ? value.toFixed(2) : short(value));

function modelData(rows: ModelRow[]): (string | number | null)[][] {
  return rows.flatMap((row) => [
    [row.service, row.model, null, row.count, row.calls_with_tokens, row.errors, row.p95, row.input_tokens, row.output_tokens, row.cost],
    ...row.routes.map((of) => [row.service, row.model, of.route, null, of.calls_with_tokens, null, null, of.input_tokens, of.output_tokens, of.cost]),
  ]);
}

function Models({ rows }: { rows: ModelRow[] }): JSX.Element {
  return (
    <TablePanel
      id="models"
      title={TO.models}
      aside={TO.modelsNote}
      empty={rows.length === 0 ? TO.noModels : null}
      data={() => ({ name: 'models', columns: ['service', 'model', 'route', 'calls', 'calls_with_tokens', 'errors', 'p95_seconds', 'input_tokens', 'output_tokens', 'cost'], rows: modelData(rows) })}
      columns={[
        { name: TO.model },
        { name: TO.calls, isNumber: true, isWide: true },
        { name: TO.errors, isNumber: true, isWide: true },
        { name: 'p95', isNumber: true, isWide: true },
        { name: TO.inputTokens, isNumber: true, isWide: true },
        { name: TO.outputTokens, isNumber: true },
        { name: TO.cost, isNumber: true },
      ]}
    >
      {rows.map((row) => (
        <Fragment key={`${row.service} ${row.model}`}>
          <tr tabIndex={-1} data-row={row.model}>
            <th scope="row" class="clip">
              {row.is_other ? TO.otherModels : row.model} <small class="mute">{row.service}</small>
            </th>
            <td class="num w">{count(row.count)}</td>
            <td class="num w">{row.errors === 0 ? '0' : maybe(row.error_rate, percent)}</td>
            <td class="num w">{maybe(row.p95, duration)}</td>
            <td class="num w">{count(row.input_tokens)}</td>
            <td class="num">{count(row.output_tokens)}</td>
            <td class="num">{maybe(row.cost, cost)}</td>
          </tr>
          {row.routes.map((of) => (
            <tr key={of.route} class="sub-row" tabIndex={-1} data-row={`${row.model} ${of.route}`}>
              <th scope="row" class="clip">
                <CallerLink caller={of} />
              </th>
              <td class="num w">{TO.withTokens(of.calls_with_tokens)}</td>
              <td class="num w" />
              <td class="num w" />
              <td class="num w">{count(of.input_tokens)}</td>
              <td class="num">{count(of.output_tokens)}</td>
              <td class="num">{maybe(of.cost, cost)}</td>
            </tr>
          ))}
        </Fragment>
      ))}
    </TablePanel>
  );
}
