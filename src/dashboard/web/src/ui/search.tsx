/** Finds rows of the page by their text or by an ID. */

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { page, spoken } from '../controller';
import { traceAddress } from '../place';
import { T } from '../strings';
import { looksLikeId } from '../trace-filter';
import { Glyph } from './glyph';

/** Rows that contain the text, in the order of the page. */
export function matches(text: string): HTMLElement[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [];
  const rows = document.querySelectorAll<HTMLElement>('[data-row], [data-service]');
  return [...rows].filter((row) => {
    const id = row.dataset['row'] ?? row.dataset['service'] ?? '';
    return id.toLowerCase().includes(wanted) || row.textContent.toLowerCase().includes(wanted);
  });
}

export function Search(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [result, setResult] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    const asked = input.current?.value ?? '';
    const found = matches(asked);
    // What is not on this page may be a trace or a request.
    if (found.length === 0 && looksLikeId(asked)) {
      location.assign(traceAddress(asked.trim(), page.get().range));
      return;
    }
    const text = T.searchResults(found.length);
    setResult(text);
    spoken.set(text);
    found[0]?.focus();
    found[0]?.scrollIntoView({ block: 'center' });
  };
  return (
    <form class="search" role="search" onSubmit={submit}>
      <Glyph name="find" />
      <input
        ref={input}
        id="q"
        type="search"
        aria-label={T.search}
        placeholder={T.search}
        autocomplete="off"
        spellcheck={false}
        onInput={() => { setResult(''); }}
      />
      {result === '' ? <kbd aria-hidden="true">/</kbd> : <output class="small mute">{result}</output>}
    </form>
  );
}
