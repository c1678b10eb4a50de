/** The small line under the value of a card. */

import type { Card, Cards, SignalName } from '../contract';
import { bytes, count, duration, joined, maybe, percent, short, signalText } from '../format';
import { MISSING, STATE_WORDS, T } from '../strings';
import { A } from '../strings-alerts';
import { isWithinNormal } from '../verdict';

/** The change against the earlier value, in words; null if there is none to compare with. */
export function changeText(name: SignalName, card: Card, now: number): string | null {
  const { before, value } = card;
  // Its line tells of waiting, which matters more.
  if (name === 'connections') return null;
  if (before === null || value === null) return null;
  // The difference of two shares is in points: 2 % more of 30 % could be read in two ways.
  if (name === 'cpu' || name === 'memory' || name === 'error_rate') {
    const points = (value - before.value) * 100;
    const size = name === 'error_rate' ? Math.round(points * 10) / 10 : Math.round(points);
    return size === 0 ? T.noChange : `${sign(size)}${T.points(short(Math.abs(size)))}`;
  }
  if (before.value === 0) return value === 0 ? T.noChange : null;
  const change = Math.round(((value - before.value) / before.value) * 100);
  return change === 0 ? T.noChange : `${sign(change)}${joined({ value: count(Math.abs(change)), unit: '%' })} ${T.compared(before.from, now)}`;
}

const sign = (value: number): string => (value < 0 ? '−' : '+');

function details(cards: Cards, name: SignalName): (string | null)[] {
  switch (name) {
    case 'requests':
      return [];
    case 'response_time':
      return [cards.response_time.p50 === null ? null : T.p50(maybe(cards.response_time.p50, duration))];
    case 'error_rate': {
      const { client_errors, cancelled } = cards.error_rate;
      return [
        client_errors === null ? null : T.clientErrors(maybe(client_errors, percent)),
        cancelled === null ? null : T.cancelled(maybe(cancelled, percent)),
      ];
    }
    case 'users':
      return [cards.users.day === null ? null : T.today((cards.users.error === null ? '' : '~ ') + count(cards.users.day))];
    case 'cpu': {
      const { cores, cores_used } = cards.cpu;
      if (cores === null) return [];
      const all = signalText('connections', cores);
      return [cores_used === null ? T.cores(all) : T.coresOf(cores_used.toFixed(1), all)];
    }
    case 'memory': {
      const { used, limit } = cards.memory;
      if (used === null) return [];
      return [limit === null ? joined(bytes(used)) : T.usedOf(maybe(used, bytes), maybe(limit, bytes))];
    }
    case 'connections': {
      const { waiting, acquire_p95 } = cards.connections;
      return [
        waiting === null ? null : waiting === 0 ? T.noWait : T.waiting(waiting),
        acquire_p95 === null ? null : T.acquire(maybe(acquire_p95, duration)),
      ];
    }
  }
}

/** "Critical in 1 min 20 s", of an alert that waits. */
function waiting({ alert }: Card, now: number): string | null {
  if (alert?.fires_at === null || alert?.fires_at === undefined || alert.severity === 'info') return null;
  return A.cardFires(STATE_WORDS[alert.severity], Math.max(0, alert.fires_at - now) / 1000);
}

/** The line under the value, its parts joined by dots. */
export function cardLine(cards: Cards, name: SignalName, now: number): string {
  const card: Card = cards[name];
  if (card.value === null) return MISSING[card.missing ?? 'no_data']?.line ?? '';
  if (name === 'requests' && card.value === 0 && card.last_at !== null) return `${T.emptyRange} ${T.lastOne(card.last_at, now)}`;
  const lead =
    card.normal !== null && card.state === 'odd' && !isWithinNormal(card.value, card.normal)
      ? T.normal(signalText(name, card.normal.low), signalText(name, card.normal.high))
      : changeText(name, card, now);
  return [waiting(card, now), lead, ...details(cards, name)].filter((part) => part !== null && part !== '').join(' · ');
}
