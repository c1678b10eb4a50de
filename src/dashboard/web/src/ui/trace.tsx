/** One trace: where its time went, its log lines and errors, and a typical one beside it. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import type { Trace, TracePage, Typical } from '../contract-traces';
import { clock as clockStore, page, spoken } from '../controller';
import { clockOrDay, clockSeconds, duration, maybe, percent } from '../format';
import { logsOfTrace } from '../log-places';
import { overviewAddress, routeAddress, traceAddress, tracesAddress } from '../place';
import type { RangeChoice } from '../range';
import { parameter, setParameter } from '../sorting';
import { useStore } from '../store';
import { T } from '../strings';
import { L } from '../strings-logs';
import { KEPT_WORDS, TT } from '../strings-traces';
import { mostOf } from '../trace-model';
import { tracePath } from '../trace-filter';
import { Glyph } from './glyph';
import { Frame } from './panels';
import { useRead } from './read';
import { ErrorList, LineList, Pairs } from './trace-signals';
import { Waterfall, rowId, scrollToSpan } from './trace-waterfall';

export function TraceView(): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clockStore);
  const [asked] = useState(() => parameter('id') ?? '');
  const [chosen, setChosen] = useState(() => parameter('span'));
  // The span whose attributes did not fit into the document.
  const [wanted, setWanted] = useState<string | null>(chosen);
  const path = tracePath(asked, wanted);
  // A trace that is complete does not change.
  const [isOver, setIsOver] = useState(asked === '');
  const { document: of, failure } = useRead(path, !isOver, held !== null || asked === '', () => read<TracePage>(path));
  const [before, setBefore] = useState<TracePage | null>(null);
  useEffect(() => {
    if (of === null) return;
    setBefore(of);
    setIsOver(of.trace?.has_root === true);
    // The address holds the whole ID.
    if (of.trace_id === null || of.trace_id === asked) return;
    setParameter('id', of.trace_id);
  }, [of]);
  // While another reading brings the attributes of one span, the page stays.
  const shown = of ?? before;
  const id = shown?.trace_id ?? asked;
  useEffect(() => { document.title = [`${TT.trace} ${id}`, T.product].join(' · '); }, [id]);
  const choose = (span: string | null): void => {
    setChosen(span);
    // The waterfall scrolls to another one by itself.
    if (span !== null && span === chosen) scrollToSpan(span);
    setParameter('span', span);
    const found = shown?.trace?.spans.find((one) => one.id === span);
    if (found?.details === null) setWanted(found.id);
  };
  return (
    <>
      <div class="head between">
        <div>
          <p class="small crumb">
            <a href={tracesAddress(range)}>{TT.traces}</a> <span class="mute mono wrap">/ {id}</span>
          </p>
          <Head of={shown} failure={asked === '' ? TT.noId : failure} range={range} now={now} choose={choose} />
        </div>
        {shown !== null && <Buttons of={shown} range={range} />}
      </div>
      {shown !== null && shown.trace === null && <NotFound of={shown} range={range} now={now} />}
      {shown !== null && <Content of={shown} range={range} now={now} chosen={chosen} choose={choose} />}
    </>
  );
}

function Head({ of, failure, range, now, choose }: { of: TracePage | null; failure: string | null; range: RangeChoice; now: number; choose: (span: string) => void }): JSX.Element {
  const trace = of?.trace ?? null;
  if (of === null || trace === null) {
    const running = of?.running_for ?? null;
    return (
      <h1 class="verdict">
        <b>{of === null ? '' : running === null ? TT.notFoundHead : TT.runningHead(running)}</b> {failure ?? (of === null ? T.loadingNote : (of.failed ?? (running === null ? TT.notFound : '')))}
      </h1>
    );
  }
  const took = maybe(trace.took, duration);
  const first = trace.took === null ? (of.running_for === null ? TT.unfinishedHead : TT.runningHead(of.running_for)) : trace.failed ? TT.failedAfter(took) : TT.tookHead(took);
  return (
    <>
      <h1 class="verdict">
        {trace.failed && <Glyph name="critical" tone="crit" label={TT.failedLabel} />}
        <b>{first}</b> <Most trace={trace} choose={choose} /> {trace.typical !== null && TT.typicalHere(maybe(trace.typical.took, duration))}
      </h1>
      <p class="sub">
        {trace.method === null ? (
          <span>{trace.route}</span>
        ) : (
          <a href={routeAddress({ method: trace.method, route: trace.route }, range)}>
            <span class="meth">{trace.method}</span> {trace.route}
          </a>
        )}
        {trace.status !== null && <span>{trace.status}</span>}
        {trace.outcome !== null && <span>{trace.outcome}</span>}
        <time dateTime={new Date(trace.start).toISOString()}>{now - trace.start > 20 * 3_600_000 ? clockOrDay(trace.start, now) : clockSeconds(trace.start)}</time>
        {trace.user !== null && <span>user {trace.user}</span>}
        <span>{T.kept(KEPT_WORDS[trace.kept] ?? trace.kept)}</span>
        {of.errors[0]?.causes[0] !== undefined ? <a href="#errors">{of.errors[0].causes[0].type}</a> : trace.error_type !== null && trace.error_type !== trace.status?.toString() && <span>{trace.error_type}</span>}
        {failure !== null && <span>{failure}</span>}
        {!trace.has_root && <span>{TT.unfinished}</span>}
        {trace.lost_spans > 0 && <span>{TT.lost(trace.lost_spans)}</span>}
      </p>
    </>
  );
}

/** "87 % of it was SELECT content_versions, which ended with ..." */
function Most({ trace, choose }: { trace: Trace; choose: (span: string) => void }): JSX.Element | null {
  const most = mostOf(trace);
  if (most === null || most.share < 0.005) return null;
  const { span } = most;
  const share = maybe(most.share, percent);
  if (span.depth === 0) return <>{TT.ownCode(share)}</>;
  const message = span.failed ? (span.details?.status_message ?? '') : '';
  return (
    <>
      {TT.mostOfIt(share)}
      <a href={`#${rowId(span.id)}`} onClick={(event) => { event.preventDefault(); choose(span.id); }}>
        {span.title}
      </a>
      {message === '' ? '.' : `${TT.ending(message.length > 120 ? message.slice(0, 120) + '…' : message)}.`}
    </>
  );
}

function Buttons({ of, range }: { of: TracePage; range: RangeChoice }): JSX.Element | null {
  const id = of.trace_id;
  if (id === null) return null;
  const typical = of.trace?.typical ?? null;
  const copy = (): void => {
    navigator.clipboard.writeText(id).then(() => { spoken.set(TT.copied); }, () => undefined);
  };
  return (
    <div class="btns">
      {/* Without HTTPS, there is no clipboard. */}
      {isSecureContext && (
        <button type="button" onClick={copy}>
          {TT.copyId}
        </button>
      )}
      {of.logs.length > 0 && (
        <a class="btn" href="#lines">
          {TT.linesButton(of.logs.length)}
        </a>
      )}
      {typical !== null && (
        <a class="btn" href={traceAddress(typical.trace_id, range)}>
          {TT.compareButton}
        </a>
      )}
      <a class="btn" href={tracePath(id, null)} target="_blank" rel="noreferrer">
        {T.asJson}
      </a>
    </div>
  );
}

function NotFound({ of, range, now }: { of: TracePage; range: RangeChoice; now: number }): JSX.Element | null {
  if (of.running_for !== null) return null;
  const since = of.is_stored ? (of.stored_since === null ? '' : TT.notFoundSince(of.stored_since, now)) : `${TT.memoryOnly}.`;
  return (
    <>
      <p class="mute">
        {TT.notFoundWhy} {since} {TT.idHelp}
      </p>
      <p class="btns">
        <a class="btn" href={tracesAddress(range)}>
          {TT.searchAll}
        </a>
        <a class="btn" href={overviewAddress(range)}>
          {T.overview}
        </a>
      </p>
    </>
  );
}

function Content({ of, range, now, chosen, choose }: { of: TracePage; range: RangeChoice; now: number; chosen: string | null; choose: (span: string | null) => void }): JSX.Element {
  const { trace } = of;
  const root = trace?.spans.find((span) => span.depth === 0)?.details ?? null;
  const hasSignals = of.logs.length > 0 || of.errors.length > 0;
  return (
    <>
      {trace !== null && <Waterfall of={of} trace={trace} range={range} chosen={chosen} choose={choose} />}
      {(trace !== null || hasSignals) && (
        <div class="cols even">
          {trace !== null && (
            <>
              <div class="c6">
                <Comparison trace={trace} typical={trace.typical} range={range} />
              </div>
              <div class="c6">
                <Frame id="request" title={TT.request} empty={root === null || root.attributes.length === 0 ? TT.noAttributes : null}>
                  <div class="body">{root !== null && <Pairs pairs={root.attributes} />}</div>
                </Frame>
              </div>
            </>
          )}
          <div class="c6">
            <Frame id="lines" title={TT.lines} {...(trace === null || of.trace_id === null ? {} : { more: { text: L.inLogs, href: logsOfTrace(of.trace_id, trace.start, trace.took, now) } })} {...(TT.lineStates[of.lines] === '' || of.logs.length === 0 ? {} : { aside: TT.lineStates[of.lines] })} empty={of.logs.length === 0 ? TT.lineStates[of.lines] || TT.noLines : null}>
              <LineList lines={of.logs} choose={choose} />
            </Frame>
          </div>
          <div class="c6">
            <Frame id="errors" title={TT.errors} empty={of.errors.length === 0 ? TT.noErrors : null}>
              <ErrorList errors={of.errors} />
            </Frame>
          </div>
        </div>
      )}
    </>
  );
}

function Comparison({ trace, typical, range }: { trace: Trace; typical: Typical | null; range: RangeChoice }): JSX.Element {
  const isSame = typical !== null && typical.times.length === 0 && typical.attributes.length === 0 && typical.span_count === trace.span_count;
  const rows: [string, string, string][] = [];
  if (typical !== null) {
    for (const { title, here, typical: there } of typical.times) rows.push([TT.timeOf(title), maybe(here, duration), there === null ? TT.absent : maybe(there, duration)]);
    for (const { key, here, typical: there } of typical.attributes) rows.push([key, here ?? TT.absent, there ?? TT.absent]);
    if (typical.span_count !== trace.span_count) rows.push([TT.span + 's', trace.span_count.toString(), typical.span_count.toString()]);
  }
  return (
    <Frame id="typical" title={TT.differsFrom} {...(typical === null ? {} : { aside: TT.typicalOf(typical.of, typical.is_sample) })} empty={typical === null ? TT.noTypical : isSame ? TT.same : null}>
      <div class="scroll">
        <table class="fit">
          <caption class="vh">{TT.differsFrom}</caption>
          <thead>
            <tr>
              <th scope="col">{TT.attribute}</th>
              <th scope="col" class="num">
                {TT.here}
              </th>
              <th scope="col" class="num">
                {typical === null ? TT.typical : <a href={traceAddress(typical.trace_id, range)}>{TT.typical}</a>}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, here, there]) => (
              <tr key={name}>
                <th scope="row" title={name}>
                  {name}
                </th>
                <td class="num" title={here}>
                  <b>{here}</b>
                </td>
                <td class="num" title={there}>
                  {there}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Frame>
  );
}
