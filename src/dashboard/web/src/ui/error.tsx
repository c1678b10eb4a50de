/** One group of errors: its events over time, its stack, what happened before, its samples, and what was decided. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import type { Marker } from '../contract';
import type { Alert } from '../contract-alerts';
import type { ErrorGroup, ErrorPage, NameCounts } from '../contract-errors';
import { clock as clockStore, page, shown } from '../controller';
import { errorOf, errorPath, errorsAddress, typeName } from '../error-places';
import { clockOrDay, count, maybe, percent, short, shortId } from '../format';
import { logsOfError } from '../log-places';
import { alertsAddress, overviewAddress, traceAddress } from '../place';
import { objectData } from '../panel-data';
import type { RangeChoice } from '../range';
import { setParameter } from '../sorting';
import { useStore } from '../store';
import { T } from '../strings';
import { A, ruleTitle } from '../strings-alerts';
import { E, exactTime, stateText } from '../strings-errors';
import { L } from '../strings-logs';
import { AlertGlyph, fires } from './alert-panel';
import { changes } from './alert-actions';
import { ShareBar } from './database';
import { GroupActions, GroupForm, MergeButton, groupForm } from './error-actions';
import { Causes, Crumbs, Facts, Mark, RouteOf, Stack, StateTag, useErrorsTick } from './error-parts';
import { StorageNote, rangeWords } from './errors';
import { Frame, Row } from './panels';
import { PlotPanel } from './plot';
import { useRead } from './read';
import { TablePanel } from './table';
import { Pairs } from './trace-signals';

export function ErrorView(): JSX.Element {
  const state = useStore(page);
  const now = useStore(clockStore);
  const changed = useStore(changes);
  const { tick, waited } = useErrorsTick();
  const { range, held } = state;
  const [asked, setAsked] = useState(() => errorOf(new URLSearchParams(location.search)));
  const isAsked = !('id' in asked) || asked.id !== '';
  const path = errorPath(asked, range);
  const { document: of, failure } = useRead(path, range.kind === 'relative', held !== null || !isAsked, waited(() => read<ErrorPage>(path)), changed + tick);
  // While another range is read, the page stays.
  const [before, setBefore] = useState<ErrorPage | null>(null);
  useEffect(() => {
    if (of === null) return;
    setBefore(of);
    // The address names the group, also if it was found by an event, or was merged into this one.
    if (of.group !== null && (!('id' in asked) || asked.id !== of.group.id)) {
      setParameter('event', null);
      setParameter('id', of.group.id);
      // An event can leave the memory; its group stays.
      setAsked({ id: of.group.id });
    }
  }, [of]);
  const known = of ?? before;
  const group = known?.group ?? null;
  const name = group === null ? E.error : nameOf(group);
  useEffect(() => { document.title = [name, T.product].join(' · '); }, [name]);
  if (known === null || group === null) return <Missing isRead={known !== null} failure={isAsked ? failure : E.noId} range={range} />;
  const sections = shown(state);
  const markers = sections?.markers ?? [];
  return (
    <>
      <div class="head between">
        <div>
          <p class="small crumb">
            <a href={errorsAddress(range)}>{E.errors}</a> <span class="mute mono wrap">/ {group.id}</span>
          </p>
          <h1 class="verdict">
            <Mark group={group} />
            <b>{name}.</b> {group.type === '' ? '' : group.message}
          </h1>
          <p class="sub">
            <StateTag group={group} running={known.release} now={now} />
            <span class="wrap">{group.culprit ?? group.location}</span>
            {failure !== null && <span>{failure}</span>}
            <StorageNote storage={known.storage} />
            {known.is_cut && <span>{E.cut}</span>}
            <a href={path} target="_blank" rel="noreferrer">
              {T.asJson}
            </a>
          </p>
        </div>
        <div class="btns">
          {group.trace_id !== null && (
            <>
              <a class="btn" href={traceAddress(group.trace_id, range)}>
                {E.latestTrace}
              </a>
              <a class="btn" href={`${traceAddress(group.trace_id, range)}#lines`}>
                {E.itsLines}
              </a>
            </>
          )}
          <a class="btn" href={logsOfError(group, range)}>
            {L.ofType}
          </a>
          <MergeButton group={group} />
          <GroupActions group={group} />
        </div>
      </div>
      <GroupFormPanel group={group} running={known.release} />
      <Figures group={group} now={now} range={range} />
      <PlotPanel
        id="events"
        title={E.curve}
        aside={E.curveNote(known.step_ms < 3_600_000 ? E.minute : E.hour)}
        start={known.start}
        stepMs={known.step_ms}
        markers={markers}
        isStacked
        form={short}
        empty={E.noEvents}
        lines={[{ name: E.events, tone: 'a-events', values: group.curve }]}
      />
      <div class="cols">
        <div class="c7 stack">
          <Frame id="stack" title={E.stack} empty={null}>
            <div class="body stack">
              <Causes sample={group.sample} />
              <div>
                <Stack sample={group.sample} />
              </div>
            </div>
          </Frame>
          <Frame id="breadcrumbs" title={E.breadcrumbs} empty={null}>
            <div class="body">
              <Crumbs crumbs={group.sample?.breadcrumbs ?? []} />
            </div>
          </Frame>
          <Samples group={group} range={range} now={now} />
        </div>
        <div class="c5 stack">
          <About group={group} markers={markers} now={now} />
          <History group={group} now={now} />
          <Alerts alerts={sections?.alerts.alerts ?? []} group={group} range={range} now={now} />
          <Names id="routes" title={E.routes} column={E.route} of={group.routes} all={group.count} empty={E.noEvents} name={(name) => <RouteOf group={group} route={name} />} />
          <Names id="releases" title={E.releases} column={E.release} of={group.in_releases} all={group.count} empty={E.noReleases} name={(name) => <a href={errorsAddress(range, { state: 'all', release: name })}>{name}</a>} />
          <Names id="environments" title={E.environments} column={E.environment} of={group.environments} all={group.count} empty={E.noEnvironments} name={(name) => name} />
        </div>
      </div>
    </>
  );
}

function nameOf({ type, message }: ErrorGroup): string {
  return typeName(type) === '' ? message : typeName(type);
}

/** While the document is read, and when there is no such group. */
function Missing({ isRead, failure, range }: { isRead: boolean; failure: string | null; range: RangeChoice }): JSX.Element {
  return (
    <>
      <div>
        <p class="small crumb">
          <a href={errorsAddress(range)}>{E.errors}</a>
        </p>
        <h1 class="verdict">
          <b>{isRead ? E.notFoundHead : `${E.error}.`}</b> {isRead ? E.notFound : (failure ?? T.loadingNote)}
        </h1>
      </div>
      {(isRead || failure !== null) && (
        <p class="btns">
          <a class="btn" href={errorsAddress(range, { state: 'all' })}>
            {E.backToInbox}
          </a>
          <a class="btn" href={overviewAddress(range)}>
            {T.overview}
          </a>
        </p>
      )}
    </>
  );
}

function GroupFormPanel({ group, running }: { group: ErrorGroup; running: string | null }): JSX.Element | null {
  const open = useStore(groupForm);
  if (open?.id !== group.id) return null;
  return (
    <div class="panel">
      <GroupForm group={group} running={running} />
    </div>
  );
}

function Figures({ group, now, range }: { group: ErrorGroup; now: number; range: RangeChoice }): JSX.Element {
  const figures: [string, string, string][] = [
    [E.inRange, count(group.in_range), rangeWords(range)],
    [E.total, count(group.count), ''],
    [E.now, E.aMinute(short(group.in_five_minutes / 5)), E.lastFive],
    [E.users, count(group.users), ''],
    [E.firstSeen, exactTime(group.first_at, now), E.ago(Math.max(0, now - group.first_at) / 1000)],
    [E.lastSeen, exactTime(group.last_at, now), E.ago(Math.max(0, now - group.last_at) / 1000)],
  ];
  return (
    <dl class="stats six">
      {figures.map(([title, value, note]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{value}</dd>
          <dd class="mute small">{note}</dd>
        </div>
      ))}
    </dl>
  );
}

function About({ group, markers, now }: { group: ErrorGroup; markers: Marker[]; now: number }): JSX.Element {
  const { sample } = group;
  const pairs = [...(sample === null || sample.thread === '' ? [] : [{ key: E.thread, value: sample.thread }]), ...(sample?.tags ?? [])];
  return (
    <Frame id="about" title={E.about} empty={null}>
      <div class="body stack">
        <Facts group={group} markers={markers} now={now} />
        {pairs.length > 0 && <Pairs pairs={pairs} />}
      </div>
    </Frame>
  );
}

/** The last changes of its state, and who made them. */
function History({ group, now }: { group: ErrorGroup; now: number }): JSX.Element {
  return (
    <Frame
      id="history"
      title={E.history}
      aside={T.newestFirst}
      empty={group.changes.length === 0 ? E.noHistory : null}
      data={() => ({
        name: `states-of-${group.id}`,
        columns: ['at', 'state', 'by', 'comment'],
        rows: group.changes.map((change) => [new Date(change.at).toISOString(), change.state.name, change.by, change.comment]),
      })}
    >
      <ol class="rows ev">
        {group.changes.map((change, i) => (
          <Row key={`${change.at} ${i}`} id={`change-${change.at}`}>
            <time class="mute" dateTime={new Date(change.at).toISOString()}>
              {clockOrDay(change.at, now)}
            </time>
            <span>
              <Mark group={{ state: change.state, is_new: false, is_spiking: false }} />
            </span>
            <div class="wrap">
              <b>{stateText(change.state, change.at)}</b>
              {(change.by !== '' || change.comment !== '') && <small>{[change.by, change.comment].filter(Boolean).join(': ')}</small>}
            </div>
          </Row>
        ))}
      </ol>
    </Frame>
  );
}

const RULES = ['new-error', 'regressed-error', 'error-spike', 'high-error-rate'];

/** The alerts about errors that fire: all of them, but a spike of another type. */
export function alertsAbout(alerts: Alert[], type: string): Alert[] {
  return alerts.filter((alert) => {
    const of = alert.labels.find(({ name }) => name === 'error_type')?.value;
    return RULES.includes(alert.rule) && fires(alert) && (of === undefined || of === type);
  });
}

function Alerts({ alerts, group, range, now }: { alerts: Alert[]; group: ErrorGroup; range: RangeChoice; now: number }): JSX.Element {
  const about = alertsAbout(alerts, group.type);
  return (
    <Frame id="alerts" title={E.alerts} empty={about.length === 0 ? E.noAlerts : null}>
      <ul class="rows two">
        {about.map((alert) => (
          <Row key={alert.id} id={`alert-${alert.id}`}>
            <p>
              <AlertGlyph alert={alert} /> <a href={alertsAddress(range)}>{ruleTitle(alert.rule)}</a>
            </p>
            <span class="nw mute small">{A.severities[alert.severity]}</span>
            <p class="mute small wide wrap">{[A.firesSince(alert.fired_at ?? alert.since, now), alert.summary].filter(Boolean).join(' · ')}</p>
          </Row>
        ))}
      </ul>
    </Frame>
  );
}

function Names({ id, title, column, of, all, empty, name }: { id: string; title: string; column: string; of: NameCounts; all: number; empty: string; name: (name: string) => JSX.Element | string }): JSX.Element {
  const rows = [...of.names.map((it) => ({ ...it, isOther: false })), ...(of.other > 0 ? [{ name: E.otherNames, count: of.other, isOther: true }] : [])];
  return (
    <TablePanel
      id={id}
      title={title}
      empty={rows.length === 0 ? empty : null}
      data={() => ({ name: `${id}-of-error`, columns: ['name', 'events'], rows: rows.map((row) => [row.name, row.count]) })}
      columns={[{ name: column }, { name: E.ofEvents, isNumber: true }, { name: E.events, isNumber: true }]}
    >
      {rows.map((row) => (
        <tr key={row.name + String(row.isOther)} tabIndex={-1} data-row={`${id} ${row.name}`}>
          <th scope="row" class="clip" title={row.name}>
            {row.isOther ? row.name : name(row.name)}
          </th>
          <td class="num share">
            <ShareBar share={all === 0 ? null : row.count / all} />
            <span>{maybe(all === 0 ? null : row.count / all, percent)}</span>
          </td>
          <td class="num">{count(row.count)}</td>
        </tr>
      ))}
    </TablePanel>
  );
}

function Samples({ group, range, now }: { group: ErrorGroup; range: RangeChoice; now: number }): JSX.Element {
  return (
    <TablePanel
      id="samples"
      title={E.samples}
      aside={E.samplesNote}
      empty={group.samples.length === 0 ? E.noSample : null}
      data={() => objectData(`events-of-${group.id}`, ['id', 'at', 'method', 'route', 'path', 'user', 'trace_id', 'message'], group.samples)}
      columns={[{ name: E.time }, { name: E.route }, { name: E.user, isWide: true }, { name: E.trace }]}
    >
      {group.samples.map((event) => (
        <tr key={event.id} tabIndex={-1} data-row={event.id}>
          <th scope="row" class="nw" title={`${new Date(event.at).toISOString()} ${event.message}`}>
            {exactTime(event.at, now)} <small class="mute">{E.ago(Math.max(0, now - event.at) / 1000)}</small>
          </th>
          <td class="clip" title={event.path}>
            {event.route === '' ? <span class="mute">{E.outside}</span> : <><span class="meth">{event.method}</span> {event.route}</>}
          </td>
          <td class="w clip">{event.user}</td>
          <td class="mono nw">{event.trace_id === null ? <span class="mute">{E.noTrace}</span> : <a href={traceAddress(event.trace_id, range)}>{shortId(event.trace_id)}</a>}</td>
        </tr>
      ))}
    </TablePanel>
  );
}

