/** Keys of the whole page. Keys of a chart and of the line of the day are at their elements. */

import { page, setCard, togglePause } from './controller';
import { errorsAddress } from './error-places';
import { callsAddress, databaseAddress } from './operation-places';
import { logsAddress } from './log-places';
import { alertsAddress, overviewAddress, placeOf, routesAddress, tracesAddress } from './place';
import { toggleTheme } from './theme';

/** How long `g` waits for its second key. */
const PAIR = 1_200;
/** Where `g` and a letter go: an element of the page. */
const PLACES: Record<string, string> = { o: 'main', s: 'services' };

let pairUntil = 0;

/** Moves the focus along the rows of the page. */
function step(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by));
  rows[next]?.focus();
}

function goTo(place: string): void {
  const element = document.getElementById(place);
  if (element === null) return;
  if (!element.hasAttribute('tabindex')) element.tabIndex = -1;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: 'start' });
}

/** Presses the button of the alert that the page is about. */
function act(key: string): void {
  document.querySelector<HTMLElement>(`[data-action="${key}"]`)?.click();
}

function help(): void {
  const dialog = document.getElementById('help');
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

export function onKey(event: KeyboardEvent): void {
  const target = event.target;
  const search = document.getElementById('q');
  if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) {
    if (event.key === 'Escape') target.blur();
    return;
  }
  if (page.get().phase !== 'open' || document.querySelector('dialog[open]') !== null) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key !== 'k') return;
    event.preventDefault();
    search?.focus();
    return;
  }
  if (event.altKey) return;
  if (Date.now() < pairUntil) {
    pairUntil = 0;
    const { range } = page.get();
    if (event.key === 'a') {
      event.preventDefault();
      location.assign(alertsAddress(range));
      return;
    }
    if (event.key === 'e') {
      event.preventDefault();
      location.assign(errorsAddress(range));
      return;
    }
    if (event.key === 'l') {
      event.preventDefault();
      location.assign(logsAddress(range));
      return;
    }
    if (event.key === 't') {
      event.preventDefault();
      location.assign(tracesAddress(range));
      return;
    }
    if (event.key === 'r' || (event.key === 'o' && placeOf(location.pathname) !== 'overview')) {
      event.preventDefault();
      location.assign(event.key === 'r' ? routesAddress(range) : overviewAddress(range));
      return;
    }
    const operations = event.key === 'd' ? databaseAddress(range) : event.key === 'c' ? callsAddress(range) : null;
    if (operations !== null) {
      event.preventDefault();
      location.assign(operations);
      return;
    }
    const place = PLACES[event.key];
    if (place !== undefined) {
      event.preventDefault();
      goTo(place);
    }
    return;
  }
  const actions: Record<string, () => void> = {
    '/': () => search?.focus(),
    '?': help,
    p: togglePause,
    t: toggleTheme,
    j: () => { step(1); },
    k: () => { step(-1); },
    a: () => { act('a'); },
    s: () => { act('s'); },
    g: () => { pairUntil = Date.now() + PAIR; },
  };
  const action = actions[event.key];
  if (action !== undefined) {
    event.preventDefault();
    action();
  } else if (event.key === 'Escape' && page.get().card !== null) {
    setCard(null);
  } else if (event.key === 'Enter' && target instanceof HTMLElement && target.dataset['row'] !== undefined) {
    (target.querySelector<HTMLElement>('[data-open]') ?? target.querySelector('a'))?.click();
  }
}
