/** The list of kept traces, with its filter, and what differs between some and all. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import type { ListedTrace, TraceList } from '../contract-traces';
import { clock as clockStore, page, setRange } from '../controller';
import { clockOrDay, clockSeconds, duration, maybe, shortId } from '../format';
import { routeAddress, traceAddress } from '../place';
import type { RangeChoice } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { KEPT_WORDS, TT } from '../strings-traces';
import { isFiltered, KEPT_REASONS, NO_FILTER, readFilter, tracesPath, writeFilter, type TraceFilter } from '../trace-filter';
import { WhatDiffers } from './differences';
import { Glyph } from './glyph';
import { failureOf, useRead } from './read';

export function Traces(): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clockStore);
  const [filter, setFilter] = useState(() => readFilter(new URLSearchParams(location.search)));
  const key = tracesPath(filter, range);
  const [more, setMore] = useState<{ key: string; traces: ListedTrace[]; next: string | null } | null>(null);
  const [moreFailure, setMoreFailure] = useState<string | null>(null);
  const later = more?.key === key ? more : null;
  // A filter that is chosen again begins with its first page.
  useEffect(() => {
    setMore(null);
    setMoreFailure(null);
  }, [key]);
  // While more pages are shown, a first page that changes would move them.
  const isHeld = held !== null || later !== null;
  const isLive = range.kind === 'relative' && filter.id === '';
  const { document: list, failure } = useRead(key, isLive, isHeld, () => read<TraceList>(key));
  useEffect(() => { document.title = [TT.traces, T.product].join(' · '); }, []);
  useEffect(() => {
    const back = (): void => { setFilter(readFilter(new URLSearchParams(location.search))); };
    addEventListener('popstate', back);
    return () => { removeEventListener('popstate', back); };
  }, []);
  const choose = (chosen: TraceFilter): void => {
    const query = new URLSearchParams(location.search);
    writeFilter(query, chosen);
    const text = query.toString();
    history.pushState(null, '', location.pathname + (text === '' ? '' : '?' + text));
    setFilter(chosen);
  };
  const rows = list === null ? [] : [...list.traces, ...(later?.traces ?? [])];
  const next = later === null ? (list?.next ?? null) : later.next;
  const why = failure ?? list?.failed ?? null;
  const readMore = async (): Promise<void> => {
    if (next === null) return;
    try {
      const page = await read<TraceList>(`${key}&cursor=${encodeURIComponent(next)}`);
      setMore({ key, traces: [...(later?.traces ?? []), ...page.traces], next: page.next });
      setMoreFailure(null);
    } catch (error) {
      setMoreFailure(failureOf(error, T.noAnswer));
    }
  };
  const shown = list === null ? (why ?? T.loadingNote) : rows.length === 0 ? empty(filter) : TT.shown(rows.length, next === null);
  return (
    <>
      <div>
        <h1 class="verdict">
          <b>{list !== null && rows.length === 0 ? TT.noneHead : `${TT.traces}.`}</b> {shown}
        </h1>
        <p class="sub">
          {list !== null && why !== null && <span>{why}</span>}
          {list !== null && (list.is_stored ? list.stored_since !== null && <span>{TT.storedSince(list.stored_since, now)}</span> : <span>{TT.memoryOnly}</span>)}
          <a href={key} target="_blank" rel="noreferrer">
            {T.asJson}
          </a>
        </p>
      </div>
      <Filters filter={filter} choose={choose} />
      {list !== null && rows.length === 0 && <Empty filter={filter} range={range} />}
      {rows.length > 0 && (
        <section class="panel" aria-labelledby="traces-title">
          <h2 id="traces-title" class="vh">
            {TT.traces}
          </h2>
          <TraceTable rows={rows} range={range} now={now} />
          {next !== null && (
            <p class="body more">
              <button type="button" onClick={() => void readMore()}>
                {TT.more}
              </button>
              {moreFailure !== null && (
                <span class="s-crit" role="alert">
                  {' '}
                  {moreFailure}
                </span>
              )}
            </p>
          )}
        </section>
      )}
      {filter.id === '' && <WhatDiffers filter={filter} range={range} isHeld={held !== null} />}
    </>
  );
}

function empty(filter: TraceFilter): string {
  if (filter.id !== '') return TT.noneOfId(filter.id);
  return isFiltered(filter) ? TT.noneMatches : TT.none;
}

/** What to do when there is nothing. */
function Empty({ filter, range }: { filter: TraceFilter; range: RangeChoice }): JSX.Element {
  const isLongest = range.kind === 'relative' && range.name === '30d';
  return (
    <>
      {filter.id !== '' && <p class="mute small">{TT.idHelp}</p>}
      <p class="btns">
        {filter.id === '' && !isLongest && (
          <button type="button" onClick={() => { setRange({ kind: 'relative', name: '30d' }); }}>
            {TT.widen}
          </button>
        )}
      </p>
    </>
  );
}

function Filters({ filter, choose }: { filter: TraceFilter; choose: (filter: TraceFilter) => void }): JSX.Element {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!(form instanceof HTMLFormElement)) return;
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === 'string') query.set(name, value);
    choose(readFilter(query));
  };
  // Another filter from the address bar fills in the fields anew.
  const isWide = matchMedia('(min-width: 641px)').matches;
  return (
    <details class="filter-box" open={isWide || isFiltered(filter)}>
      <summary>{TT.filter}</summary>
      <form class="filters" key={JSON.stringify(filter)} onSubmit={submit} aria-label={TT.filter}>
        <label class="grow">
          {TT.route}
          <input name="route" defaultValue={filter.route} autocomplete="off" spellcheck={false} />
        </label>
        <fieldset>
          <legend>{TT.took}</legend>
          <input name="min_ms" type="number" min="0" step="any" placeholder={TT.from} aria-label={TT.least} defaultValue={filter.min_ms} />
          <input name="max_ms" type="number" min="0" step="any" placeholder={TT.to} aria-label={TT.most} defaultValue={filter.max_ms} />
        </fieldset>
        <label>
          {TT.status}
          <input class="short" name="status" pattern="[1-5](xx|[0-9]{2})" placeholder={TT.statusHelp} title={TT.statusHelp} defaultValue={filter.status} autocomplete="off" />
        </label>
        <label>
          {TT.kept}
          <select name="kept" defaultValue={filter.kept}>
            <option value="" selected={filter.kept === ''}>
              {TT.any}
            </option>
            {KEPT_REASONS.map((reason) => (
              <option key={reason} value={reason} selected={filter.kept === reason}>
                {KEPT_WORDS[reason]}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          {TT.id}
          <input class="mono" name="id" maxLength={256} defaultValue={filter.id} autocomplete="off" spellcheck={false} />
        </label>
        <p class="btns">
          <button class="primary" type="submit">
            {TT.search}
          </button>
          {isFiltered(filter) && (
            <button type="button" onClick={() => { choose(NO_FILTER); }}>
              {TT.clear}
            </button>
          )}
        </p>
      </form>
    </details>
  );
}

function TraceTable({ rows, range, now }: { rows: ListedTrace[]; range: RangeChoice; now: number }): JSX.Element {
  const isToday = rows.every((row) => now - row.at < 20 * 3_600_000);
  return (
    <div class="scroll">
      <table class="traces">
        <caption class="vh">{TT.traces}</caption>
        <thead>
          <tr>
            <th scope="col">{TT.trace}</th>
            <th scope="col">{T.route}</th>
            <th scope="col">{TT.answer}</th>
            <th scope="col" class="num">
              {TT.tookColumn}
            </th>
            <th scope="col" class="w">
              {TT.keptColumn}
            </th>
            <th scope="col" class="w">
              {TT.requestId}
            </th>
            <th scope="col" class="num w">
              {TT.started}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.trace_id} ${row.at}`} tabIndex={-1} data-row={row.trace_id}>
              <th scope="row">
                <a class="mono" href={traceAddress(row.trace_id, range)} title={row.trace_id}>
                  {shortId(row.trace_id)}
                </a>
              </th>
              <td class="one" title={row.route}>
                {row.method === null ? (
                  row.route
                ) : (
                  <a class="quietly" href={routeAddress({ method: row.method, route: row.route }, range)}>
                    <span class="meth">{row.method}</span> {row.route}
                  </a>
                )}
              </td>
              <td class="nw">
                {row.failed && <Glyph name="critical" tone="crit" label={TT.failedLabel} />} {row.status}
              </td>
              <td class="num">{maybe(row.duration, duration)}</td>
              <td class="w nw">{KEPT_WORDS[row.kept] ?? row.kept}</td>
              <td class="w mono one">{row.request_id}</td>
              <td class="num w">{isToday ? clockSeconds(row.at) : clockOrDay(row.at, now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
