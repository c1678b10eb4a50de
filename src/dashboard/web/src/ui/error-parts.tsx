/** What the inbox and the page of a group share: names, marks, small curves, stack, breadcrumbs, facts. */

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Marker } from '../contract';
import type { Crumb, ErrorGroup, FullSample, GroupRow, StackFrame } from '../contract-errors';
import { page, shown } from '../controller';
import { typeName } from '../error-places';
import { count, maybe, percent, short, span } from '../format';
import { routeAddress, tracesAddress } from '../place';
import { useStore } from '../store';
import { E, exactTime, markOf, stateText } from '../strings-errors';
import { Glyph, type GlyphName } from './glyph';
import { Level, offset } from './trace-signals';

const MARKS: Record<string, GlyphName> = { new: 'new', spiking: 'rising', regressed: 'back', muted: 'off', resolved: 'done' };

/** The glyph of what stands out, or nothing. */
export function Mark({ group }: { group: Pick<GroupRow, 'state' | 'is_new' | 'is_spiking'> }): JSX.Element | null {
  const mark = markOf(group);
  const glyph = mark === null ? undefined : MARKS[mark];
  return mark === null || glyph === undefined ? null : <Glyph name={glyph} label={E.states[mark]} />;
}

/** The mark with its words. */
export function StateTag({ group, running, now }: { group: GroupRow; running: string | null; now: number }): JSX.Element | null {
  const mark = markOf(group);
  const glyph = mark === null ? undefined : MARKS[mark];
  if (mark === null || glyph === undefined) return null;
  const isOfRunning = mark === 'new' && running !== null && running !== '' && group.releases.length === 1 && group.releases[0] === running;
  return (
    <span class="tag">
      <Glyph name={glyph} />
      {isOfRunning ? E.newIn(running) : mark === 'muted' || mark === 'resolved' || mark === 'regressed' ? stateText(group.state, now) : E.states[mark]}
    </span>
  );
}

interface BarsProps {
  values: number[];
  start: number;
  stepMs: number;
  markers: Marker[];
  label: string;
}

/** A bar for each step, and a dotted line for each deploy. */
export function EventBars({ values, start, stepMs, markers, label }: BarsProps): JSX.Element {
  const most = Math.max(1, ...values);
  const width = Math.max(1, values.length);
  const deploys = markers.filter(({ kind, at }) => kind === 'deploy' && at >= start && at < start + width * stepMs);
  return (
    <svg class="strip" role="img" aria-label={label} viewBox={`0 0 ${width} 20`} preserveAspectRatio="none">
      <rect class="f-band" y="19.5" width={width} height=".5" />
      {values.map((value, i) => value > 0 && <rect key={i} class="f-ink" x={i + 0.15} width=".7" y={20 - Math.max(2, (value / most) * 20)} height={Math.max(2, (value / most) * 20)} />)}
      {deploys.map(({ at }) => (
        <path key={at} class="dep-line" d={`M${((at - start) / stepMs).toFixed(2)} 0v20`} />
      ))}
    </svg>
  );
}

/** A number that changes when a document is to be read again, and what readings run through. */
export interface ErrorsTick {
  tick: number;
  /** While one of these readings is under way, the number stays: a slow service would never be heard otherwise. */
  waited: <D>(reading: () => Promise<D>) => () => Promise<D>;
}

/** Follows the live figures of errors, at most every two seconds. */
export function useErrorsTick(): ErrorsTick {
  const sections = shown(useStore(page));
  const signature = sections === null ? '' : JSON.stringify([sections.errors.map(({ id, count: n, mark }) => [id, n, mark]), sections.groups]);
  const [tick, setTick] = useState(0);
  const last = useRef({ signature: '', at: 0, readings: 0 });
  useEffect(() => {
    const { current } = last;
    if (signature === current.signature) return undefined;
    // The first ones are those that the document has.
    if (current.signature === '') {
      Object.assign(current, { signature, at: Date.now() });
      return undefined;
    }
    const next = (): void => {
      if (current.readings > 0) {
        timer = setTimeout(next, 500);
        return;
      }
      Object.assign(current, { signature, at: Date.now() });
      setTick((n) => n + 1);
    };
    let timer = setTimeout(next, Math.max(0, current.at + 2000 - Date.now()));
    return () => { clearTimeout(timer); };
  }, [signature]);
  const waited: ErrorsTick['waited'] = (reading) => () => {
    const { current } = last;
    current.readings += 1;
    return reading().finally(() => { current.readings -= 1; });
  };
  return { tick, waited };
}

/** The last start or deploy within half an hour before the first event. */
export function startBefore(at: number, markers: Marker[]): Marker | null {
  const before = markers.filter((marker) => (marker.kind === 'deploy' || marker.kind === 'start') && marker.at <= at && at - marker.at < 1_800_000);
  return before.at(-1) ?? null;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Facts({ group, markers, now }: { group: ErrorGroup; markers: Marker[]; now: number }): JSX.Element {
  const start = startBefore(group.first_at, markers);
  return (
    <dl class="kv">
      <Fact name={E.first}>
        {exactTime(group.first_at, now)}
        {start !== null && E.after((group.first_at - start.at) / 1000, start.text)}
      </Fact>
      <Fact name={E.lastRow}>
        {E.ago(Math.max(0, now - group.last_at) / 1000)}
        {group.in_five_minutes > 0 && E.perMinute(short(group.in_five_minutes / 5))}
      </Fact>
      <Fact name={E.where}>
        <Where group={group} />
      </Fact>
      <Fact name={E.usersRow}>{count(group.users)}</Fact>
      <Fact name={E.groupedBy}>
        {E.groupWords[group.grouped_by]}
        {E.rule(group.grouping_version)}
      </Fact>
      <Fact name={E.capturedAt}>{group.location}</Fact>
    </dl>
  );
}

/** Leads to the page of a route if a sample tells its method, or else to its traces. */
export function RouteOf({ group, route }: { group: ErrorGroup; route: string }): JSX.Element {
  const { range } = useStore(page);
  if (route === '') return <>{E.outside}</>;
  const method = group.samples.find((event) => event.route === route && event.method !== '')?.method;
  if (method === undefined) return <a href={tracesAddress(range, { route })}>{route}</a>;
  return (
    <a href={routeAddress({ method, route }, range)}>
      <span class="meth">{method}</span> {route}
    </a>
  );
}

/** Its routes, by their share of all events. */
function Where({ group }: { group: ErrorGroup }): JSX.Element {
  const { names } = group.routes;
  return (
    <>
      {names.slice(0, 3).map(({ name, count: n }, i) => (
        <span key={name}>
          {i > 0 && ' · '}
          <RouteOf group={group} route={name} /> {maybe(group.count === 0 ? null : n / group.count, percent)}
        </span>
      ))}
      {names.length > 3 && ` · + ${count(names.length - 3)}`}
    </>
  );
}

/** The name of the crate of a function: `<tokio::task::Foo as X>::poll` is of `tokio`. */
export function crateOf({ function: path }: StackFrame): string {
  return /^[<&\s]*(?:dyn |impl |mut )*([A-Za-z_][A-Za-z0-9_]*)/.exec(path)?.[1] ?? '';
}

/** The crates with most frames. */
export function cratesOf(frames: StackFrame[]): string {
  const counts = new Map<string, number>();
  for (const frame of frames) {
    const name = crateOf(frame);
    if (name !== '') counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const names = [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  return names.slice(0, 4).join(', ') + (names.length > 4 ? ', …' : '');
}

/** The frames of the service first, and behind them how many there are of others. */
export function Stack({ sample }: { sample: FullSample | null }): JSX.Element {
  const frames = sample?.frames ?? [];
  if (sample === null) return <p class="mute small">{E.noSample}</p>;
  if (frames.length === 0) return <p class="mute small">{E.noStack}</p>;
  const own = frames.filter((frame) => frame.in_app);
  const others = frames.filter((frame) => !frame.in_app);
  return (
    <>
      <ol class="frames">
        {own.map((frame, i) => (
          <FrameLine key={i} frame={frame} />
        ))}
        {others.length > 0 && <li>{E.otherFrames(others.length, cratesOf(others))}</li>}
      </ol>
      {others.length > 0 && (
        <details>
          <summary class="small">{E.wholeStack(sample.frame_count)}</summary>
          <ol class="frames whole" tabIndex={0} aria-label={E.wholeStack(sample.frame_count)}>
            {frames.map((frame, i) => (
              <FrameLine key={i} frame={frame} />
            ))}
          </ol>
        </details>
      )}
    </>
  );
}

function FrameLine({ frame }: { frame: StackFrame }): JSX.Element {
  return (
    <li class={frame.in_app ? 'app' : ''}>
      {frame.function} {frame.file !== '' && <span class="mute">{frame.line > 0 ? `${frame.file}:${frame.line}` : frame.file}</span>}
    </li>
  );
}

/** The other errors of the chain: the first one is the title. */
export function Causes({ sample }: { sample: FullSample | null }): JSX.Element | null {
  const causes = sample?.causes.slice(1) ?? [];
  if (causes.length === 0) return null;
  return (
    <div>
      <h3>{E.causes}</h3>
      <ol>
        {causes.map((cause, i) => (
          <li key={i} class="wrap">
            <b>{typeName(cause.type)}</b>: {cause.message}
          </li>
        ))}
      </ol>
    </div>
  );
}

/** `most` is the number of the last ones that are shown. */
export function Crumbs({ crumbs, most = 50 }: { crumbs: Crumb[]; most?: number }): JSX.Element {
  if (crumbs.length === 0) return <p class="mute small">{E.noBreadcrumbs}</p>;
  return (
    <ol class="lines crumbs">
      {crumbs.slice(-most).map((crumb, i) => (
        <li key={i} title={crumb.target}>
          <span class="mute">{offset(crumb.at_us)}</span>
          <Level name={crumb.level} />
          <span class="wrap">
            {crumb.message}
            {crumb.fields.map(({ key, value }) => (
              <span key={key} class="mute">
                {' '}
                {key}={value.length > 80 ? value.slice(0, 80) + '…' : value}
              </span>
            ))}
          </span>
        </li>
      ))}
    </ol>
  );
}

/** How long ago, for a column. */
export function ago(at: number, now: number): string {
  return span(Math.max(0, now - at) / 1000);
}
