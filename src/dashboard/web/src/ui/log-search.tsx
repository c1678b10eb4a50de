/** The field for a search, with names of fields to choose from, and the place that is not valid. */

import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Failure } from '../contract';
import { LOG_LEVELS, type LogLevel } from '../contract-logs';
import { MAX_TEXT, type LogView } from '../log-places';
import { charAt, completions, nameBefore } from '../log-query';
import { L } from '../strings-logs';

interface Props {
  view: LogView;
  names: Iterable<string>;
  problem: Failure | null;
  search: (change: Partial<LogView>) => void;
}

export function LogSearch({ view, names, problem, search }: Props): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(view.text);
  const [options, setOptions] = useState<string[]>([]);
  const [active, setActive] = useState(-1);
  useLayoutEffect(() => {
    setText(view.text);
    setOptions([]);
  }, [view]);
  const close = (): void => { setOptions([]); };
  const complete = (): void => {
    const field = input.current;
    const found = field === null ? null : nameBefore(field.value, field.selectionStart ?? field.value.length);
    setActive(-1);
    setOptions(found === null ? [] : completions(found.begin, names));
  };
  const take = (name: string): void => {
    const field = input.current;
    if (field === null) return;
    const caret = field.selectionStart ?? field.value.length;
    const from = nameBefore(field.value, caret)?.from ?? caret;
    const rest = field.value.slice(caret);
    const before = `${field.value.slice(0, from)}${name}:`;
    field.value = before + (rest.startsWith(':') ? rest.slice(1) : rest);
    field.focus();
    field.setSelectionRange(before.length, before.length);
    setText(field.value);
    close();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    close();
    search({ text: text.trim() });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (options.length === 0 || event.isComposing) return;
    const chosen = options[active];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      // One place, before the first, is the field itself.
      const places = options.length + 1;
      setActive((before) => ((before + 1 + step + places) % places) - 1);
    } else if ((event.key === 'Enter' || event.key === 'Tab') && chosen !== undefined) {
      take(chosen);
    } else if (event.key === 'Escape') {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const level = view.exact_level === null ? (view.level ?? '') : `=${view.exact_level}`;
  const hasOptions = options.length > 0;
  return (
    <form class="panel qbar" role="search" aria-label={L.query} onSubmit={submit}>
      <label class="vh" for="lq">
        {L.query}
      </label>
      <span class="combo">
        <input
          ref={input}
          id="lq"
          class="mono"
          role="combobox"
          aria-autocomplete="list"
          aria-expanded={hasOptions}
          {...(hasOptions ? { 'aria-controls': 'lq-names' } : {})}
          {...(active >= 0 ? { 'aria-activedescendant': `lq-name-${active}` } : {})}
          {...(problem === null ? {} : { 'aria-invalid': true, 'aria-describedby': 'lq-problem' })}
          placeholder={L.queryHelp}
          maxLength={MAX_TEXT}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            complete();
          }}
          onKeyDown={onKeyDown}
          onBlur={close}
        />
        {hasOptions && (
          <ul id="lq-names" role="listbox" aria-label={L.names}>
            {options.map((name, i) => (
              <li
                key={name}
                id={`lq-name-${i}`}
                role="option"
                aria-selected={i === active}
                onMouseDown={(event) => {
                  // The field keeps the focus.
                  event.preventDefault();
                  take(name);
                }}
              >
                {name}
              </li>
            ))}
          </ul>
        )}
      </span>
      <select aria-label={L.level} value={level} onChange={(event) => { search({ text: text.trim(), ...levelOf(event.currentTarget.value) }); }}>
        <option value="" selected={level === ''}>
          {L.allLevels}
        </option>
        {[...LOG_LEVELS.slice(1)].reverse().map((name) => (
          <option key={name} value={name} selected={level === name}>
            {L.least(name)}
          </option>
        ))}
        {[...LOG_LEVELS.slice(0, -1)].reverse().map((name) => (
          <option key={name} value={`=${name}`} selected={level === `=${name}`}>
            {L.exact(name)}
          </option>
        ))}
      </select>
      <button type="submit" class="primary">
        {L.search}
      </button>
      {(view.text !== '' || level !== '') && (
        <button type="button" onClick={() => { search({ text: '', level: null, exact_level: null }); }}>
          {L.clear}
        </button>
      )}
      {problem !== null && <Problem text={view.text} problem={problem} />}
    </form>
  );
}

/** `=info` is exactly this level, `info` at least it. */
export function levelOf(value: string): Pick<LogView, 'level' | 'exact_level'> {
  const of = (name: string): LogLevel | null => LOG_LEVELS.find((level) => level === name) ?? null;
  return value.startsWith('=') ? { level: null, exact_level: of(value.slice(1)) } : { level: of(value), exact_level: null };
}

/** The text with a mark where the server found something else than it expected. */
export function Problem({ text, problem }: { text: string; problem: Failure }): JSX.Element {
  const { position, expected, message } = problem;
  if (position === undefined || expected === undefined) {
    return (
      <p class="problem s-crit" id="lq-problem" role="alert">
        {message}
      </p>
    );
  }
  const at = charAt(text, position);
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0x20);
  return (
    <p class="problem" id="lq-problem" role="alert">
      <code aria-hidden="true">
        {text.slice(0, at)}
        <mark>{char}</mark>
        {text.slice(at + char.length)}
      </code>{' '}
      <span class="s-crit">{L.expected(expected, at + 1)}</span>
    </p>
  );
}
