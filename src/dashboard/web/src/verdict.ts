/** The sentence at the top of the page, made of the parts that the server sends. */

import type { RouteName } from './api';
import type { Band, Card, Marker, Reason, Sections, SignalName } from './contract';
import { SIGNALS } from './contract';
import { joined, percent, rate, short, signalText } from './format';
import { CARD_TITLES, SIGNAL_NAMES, STATE_WORDS, T, capital } from './strings';
import { A, ruleTitle } from './strings-alerts';

/** A part of the sentence, which may link to its evidence. */
export interface Piece {
  text: string;
  link?: { card: SignalName } | { row: string } | { route: RouteName };
}

export interface Sentence {
  state: Sections['verdict']['state'];
  /** The first words, which are set apart. */
  head: string;
  pieces: Piece[];
}

/** A deploy or start counts as "before" something if it was at most this long before it. */
const BEFORE = 15 * 60_000;

export function sentence(sections: Sections, now: number): Sentence {
  const { state } = sections.verdict;
  if (state === 'waiting') return { state, head: T.waitingHead, pieces: [{ text: ' ' + T.waitingBody }] };
  // At most two sentences: what is wrong and how it is going, then since when or what else stands out.
  const isHealthy = state === 'healthy';
  const over = overLines(sections);
  const parts = isHealthy
    ? [figures(sections), over.length > 0 ? over : odd(sections, now)]
    : [reasons(sections), [...began(sections, now), ...where(sections)]];
  const pieces = parts.filter((part) => part.length > 0).flatMap((part) => [{ text: ' ' }, ...part, { text: '.' }]);
  return { state, head: STATE_WORDS[state] + '.', pieces: merged(pieces) };
}

/** The sentence as plain text, for titles and screen readers. */
export function asText({ head, pieces }: Sentence): string {
  return head + pieces.map((piece) => piece.text).join('');
}

/** How many alerts the first sentence tells of. */
const TOLD = 2;

function reasons(sections: Sections): Piece[] {
  const { reasons: all, reason_count } = sections.verdict;
  const count = Math.max(reason_count, all.length);
  const [first] = all;
  if (first === undefined) return [];
  if (first.kind === 'alert') {
    const told = all.filter((reason) => reason.kind === 'alert').slice(0, TOLD);
    const pieces = told.flatMap((reason, i) => [...(i === 0 ? [] : [{ text: A.and }]), ...alertPieces(reason, sections)]);
    const left = count - told.length;
    const [head, ...others] = pieces;
    const begin = head === undefined ? [] : [{ ...head, text: capitalWord(head.text) }];
    return [...begin, ...others, { text: left === 0 ? '' : '; ' + T.moreReasons(left) }];
  }
  const text = first.text.replace(/[.\s]+$/, '');
  const named = first.name === '' ? capital(text) : T.notWell(T.reasonKinds[first.kind] ?? '', first.name) + text;
  const more = count === 1 ? '' : '; ' + T.moreReasons(count - 1);
  return [{ text: first.kind === 'readiness' ? T.unready + (text === '' ? '' : ': ' + text) : named }, { text: more }];
}

/** A sentence begins with a capital, but for `p95`. */
function capitalWord(text: string): string {
  return /^p\d/.test(text) ? text : capital(text);
}

/** An alert in the figure of its card, or in its own words while the figure is back behind the limit. */
function alertPieces(reason: Reason, { cards }: Sections): Piece[] {
  const name = reason.card;
  const words: Piece[] = [{ text: reason.text === '' ? ruleTitle(reason.name) : reason.text.replace(/[.\s]+$/, ''), link: { row: 'alerts' } }];
  if (name === null) return words;
  const card: Card = cards[name];
  const line = card.lines.find((it) => it.rule === reason.name);
  if (card.value === null || line === undefined || card.value <= line.value) return [{ ...words[0], text: words[0]?.text ?? '', link: { card: name } }];
  const value = signalText(name, card.value);
  const normal = card.normal === null ? 0 : (card.normal.low + card.normal.high) / 2;
  const times: Piece = { text: normal > 0 && card.value / normal >= 1.5 ? A.timesNormal(short(card.value / normal)) : '' };
  if (name === 'error_rate') return [{ text: A.fails(value), link: { card: name } }];
  if (name === 'response_time') return [{ text: A.p95Is }, { text: value, link: { card: name } }, times];
  if (name === 'connections') {
    const max = cards.connections.max;
    return [{ text: A.connectionsOf(value, max === null ? null : signalText(name, max)), link: { card: name } }, { text: A.inUse }];
  }
  return [{ text: A.isAt[name] }, { text: value, link: { card: name } }, times];
}

/** Where it is: the route with most of the failures, or the slowest one. */
function where(sections: Sections): Piece[] {
  const { reasons: all, where: failingRoute, slow, since } = sections.verdict;
  const of = (name: SignalName): boolean => all.some((reason) => reason.kind === 'alert' && reason.card === name);
  if (!of('error_rate') && !of('response_time')) return failing(sections);
  const lead = { text: since === null ? '' : '; ' };
  if (of('error_rate') && failingRoute !== null) {
    const { method, route, share } = failingRoute;
    const name: Piece = method === null ? { text: route } : { text: `${method} ${route}`, link: { route: { method, route } } };
    const text = A.ofFailures(joined(percent(share)));
    return [lead, { text }, name];
  }
  if (of('response_time') && slow !== null) {
    const { method, route, p95 } = slow;
    return [lead, { text: A.slowestOn }, { text: `${method} ${route}`, link: { route: { method, route } } }, { text: `, p95 ${signalText('response_time', p95)}` }];
  }
  return [];
}

function figures({ cards }: Sections): Piece[] {
  const p95 = cards.response_time.value;
  const errors = cards.error_rate.value;
  const requests = cards.requests.value;
  const pieces: Piece[] = [];
  if (p95 !== null) pieces.push({ text: 'p95 ' }, { text: signalText('response_time', p95), link: { card: 'response_time' } });
  if (errors !== null) {
    if (pieces.length > 0) pieces.push({ text: ', ' });
    pieces.push({ text: T.errorsPart(joined(percent(errors))), link: { card: 'error_rate' } });
  }
  if (requests !== null) {
    if (pieces.length > 0) pieces.push({ text: ', ' });
    pieces.push({ text: T.requestsPart(rate(requests).value) });
  }
  return pieces;
}

function began({ markers, verdict }: Sections, now: number): Piece[] {
  if (verdict.since === null) return [];
  return [{ text: T.began(verdict.since, now) }, ...afterMarker(markers, verdict.since)];
}

/** How many requests fail, and where; as the rest of a sentence if one has begun. */
function failing({ cards, verdict }: Sections): Piece[] {
  const errors = cards.error_rate.value;
  if (errors === null || errors === 0) return [];
  const lead = verdict.since === null ? '' : '; ';
  const pieces: Piece[] = [{ text: lead }, { text: T.failPart(joined(percent(errors))), link: { card: 'error_rate' } }];
  const { where } = verdict;
  if (where === null) return pieces;
  const share = T.ofThemOn(joined(percent(where.share)));
  const { method, route } = where;
  if (method === null) return [...pieces, { text: share + route }];
  return [...pieces, { text: share }, { text: `${method} ${route}`, link: { route: { method, route } } }];
}

/** ", two minutes after v1.4.3": a coincidence in time, which the words do not call a cause. */
function afterMarker(markers: Marker[], at: number): Piece[] {
  const last = markers.findLast((marker) => marker.at <= at && at - marker.at <= BEFORE);
  if (last === undefined) return [];
  return [{ text: T.after((at - last.at) / 1000) }, { text: markerName(last), link: { row: 'changes' } }];
}

/** What a marker is called: its version or text, if it has one. */
export function markerName({ kind, text }: Marker): string {
  if (text !== '') return kind === 'mark' ? `“${text}”` : text;
  return kind === 'deploy' ? T.aDeploy : kind === 'mark' ? T.aMark : T.aStart;
}

/** The longest text beside a flag, in characters. */
const MAX_FLAG = 24;

/** What stands beside the flag of a marker. */
export function flagText({ text }: Marker): string {
  return text.length > MAX_FLAG ? text.slice(0, MAX_FLAG - 1) + '…' : text;
}

/** Figures beyond their lines, of cards without a rule. A rule would have made it the verdict. */
function overLines({ cards }: Sections): Piece[] {
  const pieces = SIGNALS.flatMap((name): Piece[] => {
    const { value, lines } = cards[name];
    // Past the limit of a rule, the rule decides whether that matters.
    const line = lines.findLast((it) => it.rule === null && value !== null && value > it.value);
    if (line === undefined) return [];
    return [{ text: '; ' }, { text: CARD_TITLES[name], link: { card: name } }, { text: T.over[line.state](signalText(name, line.value)) }];
  });
  return pieces.slice(1);
}

/** A level that has changed is odd although each value is within the range of single values. */
export const isWithinNormal = (value: number, { low, high }: Band): boolean => value >= low && value <= high;

function odd({ anomalies, markers }: Sections, now: number): Piece[] {
  const current = anomalies.filter((anomaly) => anomaly.to === null);
  const first = current.at(-1);
  if (first === undefined) return [];
  const lead = current.length === 1 ? T.oddOne : T.oddMany(current.length);
  const known = SIGNALS.find((name) => name === first.signal);
  const subject: Piece = known === undefined ? { text: first.signal } : { text: SIGNAL_NAMES[known], link: { card: known } };
  return [{ text: lead }, subject, { text: isWithinNormal(first.value, first.normal) ? T.unusualSince(first.from, now) : T.oddSince(first.from, now) }, ...afterMarker(markers, first.from)];
}

/** Joins neighbours without a link, and removes empty ones. */
function merged(pieces: Piece[]): Piece[] {
  const out: Piece[] = [];
  for (const piece of pieces) {
    const last = out.at(-1);
    if (piece.text === '') continue;
    if (last !== undefined && last.link === undefined && piece.link === undefined) last.text += piece.text;
    else out.push({ ...piece });
  }
  return out;
}
