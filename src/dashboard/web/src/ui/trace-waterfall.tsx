/** The spans of a trace as bars on one line of time, with their log lines as dots. */

import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Trace, TraceLine, TracePage, TraceSpan } from '../contract-traces';
import { duration, maybe } from '../format';
import { workAddress } from '../operation-places';
import { traceAddress } from '../place';
import type { RangeChoice } from '../range';
import { TT } from '../strings-traces';
import { axisOf, closedAtFirst, ownTime, placeOn, rowsOf, type Row } from '../trace-model';
import { Glyph } from './glyph';
import { LineList, Pairs, offset } from './trace-signals';

/** So many rows are drawn at first, and further ones when somebody asks for them. */
const ROWS = 200;
/** So many bars of a folded group are drawn. */
const BARS = 60;
/** So many dots of a row are drawn. */
const DOTS = 40;

interface WaterfallProps {
  of: TracePage;
  trace: Trace;
  range: RangeChoice;
  chosen: string | null;
  choose: (span: string | null) => void;
}

export const rowId = (span: string): string => `span-${span}`;

export function scrollToSpan(span: string): void {
  document.getElementById(rowId(span))?.scrollIntoView({ block: 'nearest' });
}

const time = (us: number): string => maybe(us / 1e6, duration);

export function Waterfall({ of, trace, range, chosen, choose }: WaterfallProps): JSX.Element {
  const [closed, setClosed] = useState<ReadonlySet<string>>(() => closedAtFirst(trace));
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [most, setMost] = useState(ROWS);
  // A span that is chosen is shown, whatever is folded.
  useEffect(() => {
    if (chosen === null) return;
    const at = trace.spans.findIndex((span) => span.id === chosen);
    if (at < 0) return;
    setClosed((before) => new Set([...before].filter((id) => !isAbove(trace.spans, id, at))));
    const group = rowsOf(trace.spans, new Set(), new Set()).find((row) => row.kind === 'group' && row.spans.some((span) => span.id === chosen));
    if (group !== undefined) setOpened((before) => new Set([...before, group.key]));
  }, [chosen, trace]);
  const rows = useMemo(() => rowsOf(trace.spans, closed, opened), [trace, closed, opened]);
  const chosenAt = chosen === null ? -1 : rows.findIndex((row) => row.key === chosen);
  const limit = Math.max(most, chosenAt + 1);
  // Its row may be drawn later than it is chosen, once what it is folded into has opened.
  const isDrawn = chosenAt >= 0;
  useEffect(() => {
    if (chosen !== null && isDrawn) scrollToSpan(chosen);
  }, [chosen, isDrawn]);
  const lines = useMemo(() => bySpan(of.logs), [of.logs]);
  const ticks = axisOf(trace.duration_us);
  const total = trace.duration_us;
  return (
    <section class="panel" id="waterfall" aria-labelledby="waterfall-title">
      <header>
        <h2 id="waterfall-title">{TT.whereTime}</h2>
        <p>
          {TT.spans(trace.span_count)}
          {trace.span_count > trace.spans.length && `, ${TT.spansShown(trace.spans.length)}`}
        </p>
      </header>
      <div class="body">
        <Legend />
      </div>
      <div class="wf">
        <div class="ax" aria-hidden="true">
          <span class="small mute">{TT.span}</span>
          <svg class="axs">
            <text class="axis" x="0" y="19">
              0
            </text>
            {ticks.map((at) => (
              <text key={at} class="axis" x={`${placeOn(at, total)}%`} y="19" text-anchor="middle">
                {time(at)}
              </text>
            ))}
          </svg>
          <span class="small mute num">{TT.tookHere}</span>
        </div>
        <ul>
          {rows.slice(0, limit).map((row) => (
            <RowItem
              key={row.key}
              row={row}
              total={total}
              ticks={ticks}
              lines={lines}
              range={range}
              isChosen={row.key === chosen}
              choose={choose}
              toggle={() => {
                if (row.kind === 'group') setOpened(toggled(opened, row.key));
                else setClosed(toggled(closed, row.span.id));
              }}
            >
              {row.kind === 'span' && row.key === chosen && <Details span={row.span} lines={lines.get(row.span.id) ?? []} range={range} />}
            </RowItem>
          ))}
        </ul>
      </div>
      {rows.length > limit && (
        <p class="body more">
          <button type="button" onClick={() => { setMost(limit + ROWS); }}>
            {TT.moreRows(Math.min(ROWS, rows.length - limit))}
          </button>
        </p>
      )}
    </section>
  );
}

function isAbove(spans: TraceSpan[], id: string, at: number): boolean {
  const above = spans.findIndex((span) => span.id === id);
  const span = spans[above];
  return span !== undefined && above < at && at <= above + span.below;
}

function toggled(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const changed = new Set(set);
  if (!changed.delete(key)) changed.add(key);
  return changed;
}

function bySpan(lines: TraceLine[]): Map<string, TraceLine[]> {
  const found = new Map<string, TraceLine[]>();
  for (const line of lines) {
    if (line.span_id === null) continue;
    const of = found.get(line.span_id);
    if (of === undefined) found.set(line.span_id, [line]);
    else of.push(line);
  }
  return found;
}

function Legend(): JSX.Element {
  const signs: { name: keyof typeof TT.legend; kind?: string; sign: JSX.Element }[] = [
    { name: 'on', kind: 'k-database', sign: <rect class="on" width="20" height="10" /> },
    { name: 'off', kind: 'k-database', sign: <rect class="off" width="20" height="10" /> },
    { name: 'tick', sign: <rect class="f-text" x="9" width="2" height="10" /> },
    { name: 'line', sign: <circle class="f-crit" cx="10" cy="5" r="3" /> },
  ];
  return (
    <ul class="legend">
      {signs.map(({ name, kind, sign }) => (
        <li key={name} class={kind}>
          <svg aria-hidden="true">{sign}</svg>
          {TT.legend[name]}
        </li>
      ))}
    </ul>
  );
}

interface RowProps {
  row: Row;
  total: number;
  ticks: number[];
  lines: Map<string, TraceLine[]>;
  range: RangeChoice;
  isChosen: boolean;
  choose: (span: string | null) => void;
  toggle: () => void;
  children: JSX.Element | false;
}

function RowItem({ row, total, ticks, lines, range, isChosen, choose, toggle, children }: RowProps): JSX.Element | null {
  const spans = row.kind === 'group' ? row.spans : [row.span];
  const [first] = spans;
  if (first === undefined) return null;
  const isGroup = row.kind === 'group';
  const hasParts = isGroup || first.below > 0;
  const start = Math.min(...spans.map((span) => span.start_us));
  const end = Math.max(...spans.map((span) => span.end_us));
  const took = isGroup ? (row.isSerial ? spans.reduce((sum, span) => sum + span.end_us - span.start_us, 0) : end - start) : end - start;
  const note = isGroup
    ? row.isSerial
      ? TT.serial(spans.length)
      : TT.parallel(spans.length)
    : [!row.isOpen && first.below > 0 ? TT.hidden(first.below) : '', first.is_orphan ? TT.orphan : '', first.work === 'task' ? TT.background : ''].filter(Boolean).join(', ');
  const open = (event: MouseEvent): void => {
    event.preventDefault();
    if (isGroup) toggle();
    else choose(isChosen ? null : first.id);
  };
  const own = spans.reduce((sum, span) => sum + ownTime(span), 0);
  return (
    <li class={`k-${first.work}${isChosen ? ' sel' : ''}`} id={isGroup ? row.key : rowId(first.id)} tabIndex={-1} data-row={`${first.label} ${first.title} ${row.key}`}>
      <div class="r">
        <span class={`nm dep-${Math.min(9, first.depth)}`}>
          {hasParts && (
            <button class="fold" type="button" aria-expanded={row.isOpen} aria-label={row.isOpen ? TT.close(first.title) : TT.open(first.title)} onClick={toggle}>
              {row.isOpen ? '−' : '+'}
            </button>
          )}
          <Work span={first} range={range} />
          <a class="tn" href={`#${rowId(first.id)}`} title={first.title} aria-current={isChosen ? 'true' : undefined} onClick={open}>
            {first.title}
          </a>{' '}
          {note !== '' && <span class="mute">{note}</span>}
        </span>
        <svg class="bars" aria-hidden="true" onClick={open}>
          {ticks.map((at) => (
            <line key={at} class="grid-line" x1={`${placeOn(at, total)}%`} x2={`${placeOn(at, total)}%`} y2="28" />
          ))}
          {spans.slice(0, BARS).map((span) => (
            <Bar key={span.id} span={span} total={total} />
          ))}
          {!isGroup && first.typical !== null && first.typical.end_us <= total * 1.001 && <rect class="f-text" x={`${placeOn(first.typical.end_us, total)}%`} y="6" width="1.5" height="16" />}
          {spans
            .flatMap((span) => lines.get(span.id) ?? [])
            .slice(0, DOTS)
            .map((line, i) => (
              <circle key={i} class={line.level === 'error' ? 'f-crit' : line.level === 'warn' ? 'f-warn' : 'f-ink'} cx={`${placeOn(line.at_us, total)}%`} cy="24.5" r="2.5" />
            ))}
        </svg>
        <span class="num">
          {first.failed && <Glyph name="critical" tone="crit" label={TT.failedLabel} />} {time(took)}
          <span class="vh">
            {', '}
            {offset(start)}, {own === 0 ? TT.notOnPath : TT.onPath(time(own))}
          </span>
        </span>
      </div>
      {children}
    </li>
  );
}

/** The kind of work, which leads to all runs of the statement, or to the calls. */
function Work({ span, range }: { span: TraceSpan; range: RangeChoice }): JSX.Element {
  const address = workAddress(span, range);
  if (address === null) return <span class="sw">{span.label}</span>;
  const title = TT.allRuns(span.title);
  return (
    <a class="sw" href={address} title={title} aria-label={`${span.label}: ${title}`}>
      {span.label}
    </a>
  );
}

/** The whole span pale, and solid where the trace waited for it. Nothing is thinner than a pixel or so. */
function Bar({ span, total }: { span: TraceSpan; total: number }): JSX.Element {
  const width = (from: number, to: number): string => `${Math.max(0.15, placeOn(to, total) - placeOn(from, total))}%`;
  return (
    <>
      <rect class="off" x={`${placeOn(span.start_us, total)}%`} width={width(span.start_us, span.end_us)} y="9" height="10" rx="1" />
      {span.on_path.slice(0, BARS).map(([from, to]) => (
        <rect key={from} class="on" x={`${placeOn(from, total)}%`} width={width(from, to)} y="9" height="10" rx="1" />
      ))}
    </>
  );
}

function Details({ span, lines, range }: { span: TraceSpan; lines: TraceLine[]; range: RangeChoice }): JSX.Element {
  const { details, typical } = span;
  const took = span.end_us - span.start_us;
  const work = workAddress(span, range);
  const facts = [typical === null ? time(took) : TT.typicalSpan(time(took), time(typical.end_us - typical.start_us)), ownTime(span) === 0 ? TT.notOnPath : TT.onPath(time(ownTime(span)))];
  return (
    <div class="det">
      <p>
        {span.failed && details !== null && details.status_message !== '' && <b class="wrap">{details.status_message} </b>}
        {facts.join(', ')}.
      </p>
      {details === null ? (
        <p class="mute">{TT.readingSpan}</p>
      ) : (
        <>
          {details.statement !== null && <pre class="sql">{details.statement}</pre>}
          {lines.length > 0 && <LineList lines={lines} />}
          {details.attributes.length > 0 ? <Pairs pairs={details.attributes} /> : details.statement === null && <p class="mute small">{TT.noAttributes}</p>}
          {details.event_list.length > 0 && (
            <>
              <h3>{TT.events}</h3>
              <ol class="lines">
                {details.event_list.map((event, i) => (
                  <li key={i}>
                    <span class="mute">{offset(event.at_us + span.start_us)}</span>
                    <span class="mute">event</span>
                    <span class="wrap">
                      {event.name} <span class="mute">{event.attributes.map(({ key, value }) => `${key}=${value}`).join(' ')}</span>
                    </span>
                  </li>
                ))}
              </ol>
            </>
          )}
          {details.links.length > 0 && (
            <p class="small">
              {TT.links}:{' '}
              {details.links.map((link) => (
                <a key={link.trace_id + link.span_id} class="mono" href={traceAddress(link.trace_id, range)}>
                  {link.trace_id}{' '}
                </a>
              ))}
            </p>
          )}
          {details.left_out > 0 && <p class="mute small">{TT.leftOut(details.left_out)}</p>}
          {details.scope !== '' && <p class="mute small">{details.scope}</p>}
        </>
      )}
      {(work !== null || span.failed) && (
        <p class="btns">
          {work !== null && (
            <a class="btn" href={work}>
              {TT.allRuns(span.title)}
            </a>
          )}
          {span.failed && (
            <a class="btn" href="#errors">
              {TT.errors}
            </a>
          )}
        </p>
      )}
    </div>
  );
}

