/** What an operator does about a group of errors: resolve, mute, reopen, merge. */

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, read } from '../api';
import type { ErrorInbox, GroupRow, MuteError, Resolution } from '../contract-errors';
import { page, serverNow, spoken } from '../controller';
import { INBOX, groupTitle, inboxPath } from '../error-places';
import { count } from '../format';
import { Store, useStore } from '../store';
import { T } from '../strings';
import { A } from '../strings-alerts';
import { E } from '../strings-errors';
import { changes, storeName, storedName } from './alert-actions';
import { failureOf } from './read';

export type GroupFormKind = 'resolve' | 'mute' | 'merge';

/** The form that is open, and its group. */
export const groupForm = new Store<{ kind: GroupFormKind; id: string } | null>(null);

/** The buttons, or the reason why there are none. */
export function GroupActions({ group }: { group: GroupRow }): JSX.Element {
  const { session } = useStore(page);
  const [failure, setFailure] = useState<string | null>(null);
  if (session?.role !== 'operator') return <p class="note-line">{E.viewerNote}</p>;
  const { name } = group.state;
  const open = (kind: GroupFormKind) => (): void => { groupForm.set({ kind, id: group.id }); };
  const reopen = async (): Promise<void> => {
    try {
      await api.reopenError({ error: group.id, by: storedName() });
      spoken.set(E.changedSpoken.reopen);
      setFailure(null);
      changes.set(changes.get() + 1);
    } catch (error) {
      setFailure(failureOf(error, A.failed));
    }
  };
  return (
    <>
      <div class="btns">
        {name !== 'resolved' && (
          <button class="primary" type="button" onClick={open('resolve')}>
            {E.resolve}
          </button>
        )}
        {(name === 'open' || name === 'regressed') && (
          <button type="button" onClick={open('mute')}>
            {E.mute}
          </button>
        )}
        {(name === 'muted' || name === 'resolved') && (
          <button type="button" onClick={() => void reopen()}>
            {E.reopen}
          </button>
        )}
      </div>
      {failure !== null && (
        <p class="s-crit" role="alert">
          {failure}
        </p>
      )}
    </>
  );
}

/** The button of a merge, for an operator. */
export function MergeButton({ group }: { group: GroupRow }): JSX.Element | null {
  const { session } = useStore(page);
  if (session?.role !== 'operator') return null;
  return (
    <button type="button" onClick={() => { groupForm.set({ kind: 'merge', id: group.id }); }}>
      {E.merge}
    </button>
  );
}

/** The form of a group, if it is open. */
export function GroupForm({ group, running }: { group: GroupRow; running: string | null }): JSX.Element | null {
  const open = useStore(groupForm);
  if (open?.id !== group.id) return null;
  return <Form key={open.kind} kind={open.kind} group={group} running={running} />;
}

/** A time for an input of the type `datetime-local`. */
export function localTime(at: number): string {
  const time = new Date(at);
  return new Date(at - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function Form({ kind, group, running }: { kind: GroupFormKind; group: GroupRow; running: string | null }): JSX.Element {
  const first = useRef<HTMLSelectElement>(null);
  const [applies, setApplies] = useState<Resolution['in']>('now');
  /** Seconds from now, `date`, or `more`. */
  const [until, setUntil] = useState('86400');
  const [date, setDate] = useState(() => localTime(serverNow() + 86_400_000));
  const [events, setEvents] = useState('100');
  const [period, setPeriod] = useState(3600);
  const [other, setOther] = useState('');
  const [comment, setComment] = useState('');
  const [by, setBy] = useState(storedName);
  const [failure, setFailure] = useState<string | null>(null);
  const [isSending, setSending] = useState(false);
  useEffect(() => { first.current?.focus(); }, []);
  const post = async (): Promise<void> => {
    const common = { error: group.id, by, comment };
    if (kind === 'resolve') await api.resolveError({ ...common, in: applies });
    else if (kind === 'mute') await api.muteError(muteBody(common, until, date, Number(events), period));
    else await api.mergeErrors({ ...common, others: [other] });
  };
  const send = async (): Promise<void> => {
    if (kind === 'merge' && other === '') {
      setFailure(E.chooseOne);
      return;
    }
    if (kind === 'mute' && until === 'date' && Number.isNaN(new Date(date).getTime())) {
      setFailure(E.chooseDate);
      return;
    }
    setSending(true);
    try {
      await post();
      storeName(by);
      spoken.set(E.changedSpoken[kind]);
      changes.set(changes.get() + 1);
      groupForm.set(null);
    } catch (error) {
      setFailure(failureOf(error, A.failed));
      setSending(false);
    }
  };
  return (
    <form
      class="body act"
      aria-label={E.save[kind]}
      onSubmit={(event) => {
        event.preventDefault();
        if (!isSending) void send();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') groupForm.set(null);
      }}
    >
      {kind === 'resolve' && (
        <label>
          {E.applies}
          <select ref={first} value={applies} onChange={(event) => { setApplies(event.currentTarget.value as Resolution['in']); }}>
            {E.resolutions(running).map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        </label>
      )}
      {kind === 'mute' && (
        <div class="btns fields">
          <label>
            {E.until}
            <select ref={first} value={until} onChange={(event) => { setUntil(event.currentTarget.value); }}>
              {E.lengths.map(([seconds, text]) => (
                <option key={seconds} value={seconds}>
                  {text}
                </option>
              ))}
              <option value="date">{E.untilDate}</option>
              <option value="more">{E.untilMore}</option>
            </select>
          </label>
          {until === 'date' && (
            <label>
              {E.date}
              <input type="datetime-local" required value={date} onInput={(event) => { setDate(event.currentTarget.value); }} />
            </label>
          )}
          {until === 'more' && (
            <>
              <label>
                {E.moreThan}
                <input type="number" required min="0" step="1" max="1000000000" value={events} onInput={(event) => { setEvents(event.currentTarget.value); }} />
              </label>
              <label>
                {E.within}
                <select value={period} onChange={(event) => { setPeriod(Number(event.currentTarget.value)); }}>
                  {E.periods.map(([seconds, text]) => (
                    <option key={seconds} value={seconds}>
                      {text}
                    </option>
                  ))}
                </select>
              </label>
            </>
          )}
        </div>
      )}
      {kind === 'merge' && <Others group={group} value={other} choose={setOther} />}
      <label>
        {A.comment}
        <input type="text" maxLength={160} value={comment} onInput={(event) => { setComment(event.currentTarget.value); }} />
      </label>
      <div class="btns">
        <label>
          {A.by}
          <input type="text" maxLength={60} autocomplete="name" value={by} onInput={(event) => { setBy(event.currentTarget.value); }} />
        </label>
        <span class="fill" />
        <button type="button" onClick={() => { groupForm.set(null); }}>
          {A.cancel}
        </button>
        <button class="primary" type="submit">
          {E.save[kind]}
        </button>
      </div>
      {failure !== null && (
        <p class="s-crit" role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}

/** The body of a mute: until a time, or until there are more events. */
export function muteBody(common: { error: string; by: string; comment: string }, until: string, date: string, events: number, period: number): MuteError {
  if (until === 'more') return { ...common, events: Math.max(0, Math.round(events)), period };
  return { ...common, until: until === 'date' ? new Date(date).getTime() : serverNow() + Number(until) * 1000 };
}

/** The groups that may join this one: those of the same type first. */
function Others({ group, value, choose }: { group: GroupRow; value: string; choose: (id: string) => void }): JSX.Element {
  const [others, setOthers] = useState<GroupRow[] | string | null>(null);
  useEffect(() => {
    let isOver = false;
    const path = inboxPath({ ...INBOX, state: 'all', sort: 'last' }, { kind: 'relative', name: '1h' });
    read<ErrorInbox>(`${path}&limit=200`).then(
      ({ groups }) => { if (!isOver) setOthers(groups.filter(({ id }) => id !== group.id).sort((a, b) => Number(b.type === group.type) - Number(a.type === group.type))); },
      (error: unknown) => { if (!isOver) setOthers(failureOf(error, T.noAnswer)); },
    );
    return () => { isOver = true; };
  }, [group.id]);
  if (others === null) return <p class="mute small">{T.loadingNote}</p>;
  if (typeof others === 'string') return <p class="s-crit">{others}</p>;
  if (others.length === 0) return <p class="mute small">{E.noOthers}</p>;
  return (
    <>
      <label>
        {E.mergeWith}
        <select value={value} onChange={(event) => { choose(event.currentTarget.value); }}>
          <option value="" />
          {others.map((other) => (
            <option key={other.id} value={other.id}>
              {`${groupTitle(other).slice(0, 90)} · ${other.location} · ${count(other.count)}`}
            </option>
          ))}
        </select>
      </label>
      <p class="mute small">{E.mergeNote}</p>
    </>
  );
}
