/** What an operator does about alerts: acknowledge, silence, end a silence. */

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api';
import type { Alert, SilencePreview } from '../contract-alerts';
import { page, spoken } from '../controller';
import { errorsAddress, type InboxView } from '../error-places';
import { Store, useStore } from '../store';
import { T } from '../strings';
import { A } from '../strings-alerts';
import { E } from '../strings-errors';
import { failureOf } from './read';

/** The form that is open: of an alert, or of a new silence. */
export interface OpenForm {
  kind: 'acknowledge' | 'silence';
  alert: Alert | null;
}

export const form = new Store<OpenForm | null>(null);
/** Counts the changes, so that documents are read again. */
export const changes = new Store<number>(0);

const NAME_KEY = 'watchpost-name';

/** The name that was given last. Storage may be forbidden. */
export function storedName(): string {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    return '';
  }
}

export function storeName(name: string): void {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // It is asked for again.
  }
}

export function openForm(kind: OpenForm['kind'], alert: Alert | null): void {
  form.set({ kind, alert });
}

export function Actions({ alert, hasKeys = false }: { alert: Alert; hasKeys?: boolean }): JSX.Element {
  const { session } = useStore(page);
  const isOperator = session?.role === 'operator';
  const disabled = isOperator ? {} : { 'aria-disabled': 'true' as const, title: A.onlyOperator };
  const open = (kind: OpenForm['kind']) => (): void => {
    if (isOperator) openForm(kind, alert);
    else spoken.set(A.onlyOperator);
  };
  return (
    <div class="btns">
      {alert.acknowledged === null && (
        <button class="primary" type="button" {...disabled} onClick={open('acknowledge')} data-action={hasKeys ? 'a' : undefined}>
          {A.acknowledge} {hasKeys && <kbd>a</kbd>}
        </button>
      )}
      <button type="button" {...disabled} onClick={open('silence')} data-action={hasKeys ? 's' : undefined}>
        {A.silence} {hasKeys && <kbd>s</kbd>}
      </button>
      <ErrorsOfAlert alert={alert} />
      {alert.runbook !== null && /^https?:\/\//.test(alert.runbook) && (
        <a class="btn" href={alert.runbook} target="_blank" rel="noreferrer">
          {A.runbook}
        </a>
      )}
    </div>
  );
}

/** The rules about captured errors, and the inbox in which their groups are. */
const INBOXES: Record<string, Partial<InboxView>> = {
  'new-error': { state: 'new' },
  'regressed-error': { state: 'regressed' },
  'error-spike': { state: 'open', sort: 'last' },
};

/** A link to the errors that an alert is about. */
function ErrorsOfAlert({ alert }: { alert: Alert }): JSX.Element | null {
  const { range } = useStore(page);
  const inbox = INBOXES[alert.rule];
  if (inbox === undefined) return null;
  const type = alert.labels.find(({ name }) => name === 'error_type')?.value ?? null;
  // An error whose type is not known, a panic and a message have a word in the place of the type.
  const text = type === null || /^(_OTHER|panic|message)$/.test(type) ? null : type;
  return (
    <a class="btn" href={errorsAddress(range, { ...inbox, text })}>
      {E.errors}
    </a>
  );
}

/** The form of an alert, below its head, or that of a new silence if `alert` is null. */
export function ActionForm({ alert }: { alert: Alert | null }): JSX.Element | null {
  const open = useStore(form);
  if (open === null || open.alert?.id !== alert?.id) return null;
  return <Form key={open.kind} open={open} />;
}

function Form({ open: { kind, alert } }: { open: OpenForm }): JSX.Element {
  const isSilence = kind === 'silence';
  const first = useRef<HTMLTextAreaElement & HTMLInputElement>(null);
  const [matchers, setMatchers] = useState(alert === null ? '' : alert.matchers.join('\n'));
  const [comment, setComment] = useState('');
  const [by, setBy] = useState(storedName);
  const [seconds, setSeconds] = useState(isSilence ? 3600 : 0);
  const [failure, setFailure] = useState<string | null>(null);
  const [isSending, setSending] = useState(false);
  useEffect(() => { first.current?.focus(); }, []);
  const list = lines(matchers);
  const send = async (): Promise<void> => {
    setSending(true);
    try {
      if (isSilence) await api.silence({ matchers: list, seconds, by, comment });
      else if (alert !== null) await api.acknowledge({ alert: alert.id, seconds: seconds === 0 ? null : seconds, by, comment });
      storeName(by);
      spoken.set(isSilence ? A.silencedSpoken : A.acknowledgedSpoken);
      changes.set(changes.get() + 1);
      form.set(null);
    } catch (error) {
      setFailure(failureOf(error, A.failed));
      setSending(false);
    }
  };
  return (
    <form
      class="body act"
      aria-label={A.save[kind]}
      onSubmit={(event) => {
        event.preventDefault();
        if (!isSending) void send();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') form.set(null);
      }}
    >
      {isSilence && (
        <label>
          {A.matchers}
          <textarea ref={first} rows={Math.max(2, Math.min(6, list.length + 1))} spellcheck={false} value={matchers} onInput={(event) => { setMatchers(event.currentTarget.value); }} />
        </label>
      )}
      {isSilence && <Preview matchers={list} />}
      <label>
        {A.comment}
        <input ref={isSilence ? null : first} type="text" maxLength={160} value={comment} onInput={(event) => { setComment(event.currentTarget.value); }} />
      </label>
      <div class="btns">
        <label>
          {A.by}
          <input type="text" maxLength={60} autocomplete="name" value={by} onInput={(event) => { setBy(event.currentTarget.value); }} />
        </label>
        <label>
          {A.lasting}
          <select value={seconds} onChange={(event) => { setSeconds(Number(event.currentTarget.value)); }}>
            {!isSilence && <option value={0}>{A.untilItEnds}</option>}
            {A.lengths.map(([length, name]) => (
              <option key={length} value={length}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <span class="fill" />
        <button type="button" onClick={() => { form.set(null); }}>
          {A.cancel}
        </button>
        <button class="primary" type="submit">
          {A.save[kind]}
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

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** What the silence would hide now, asked for once its author stops typing. */
function Preview({ matchers }: { matchers: string[] }): JSX.Element {
  const [found, setFound] = useState<SilencePreview | string | null>(null);
  const key = matchers.join('\n');
  useEffect(() => {
    setFound(null);
    if (key === '') return undefined;
    let isOver = false;
    const timer = setTimeout(() => {
      api.previewSilence(key.split('\n')).then(
        (preview) => { if (!isOver) setFound(preview); },
        (error: unknown) => { if (!isOver) setFound(failureOf(error, T.noAnswer)); },
      );
    }, 300);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key]);
  const text = key === '' ? '' : found === null ? A.previewing : typeof found === 'string' ? found : A.preview(found.hides, found.alerts);
  return (
    <p class="mute small wrap" role="status">
      {text}
    </p>
  );
}
