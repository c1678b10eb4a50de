/** The language of searches, as far as the page writes it. The server reads it, and says what is not valid. */

import type { FieldValue } from './contract-logs';

/** Names that a search can have in front of a colon. */
const NAME = /^[\p{L}_@][\p{L}\p{N}_.@-]*$/u;

/** Fields that most services have. The page adds those of the lines that it shows. */
export const KNOWN_FIELDS = [
  'level', 'message', 'target', 'timestamp', 'trace_id', 'span_id', 'http.route', 'http.request.method', 'http.response.status_code', 'duration_ms', 'url.path', 'user.id', 'client.address',
  'error.type', 'exception.type', 'exception.message', 'event_id', 'watchpost.outcome', 'watchpost.record', 'service.version', 'service.instance.id', 'code.file.path', 'code.line.number',
] as const;

/** A longer value may be cut. */
const LONGEST = 250;

/** Whether lines with this value can be selected. */
export function canSelect(name: string, value: FieldValue): boolean {
  return NAME.test(name) && value !== null && new TextEncoder().encode(String(value)).length < LONGEST;
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** The condition that a field has exactly this value. */
export function fieldTerm(name: string, value: string | number | boolean): string {
  if (name === 'level' && typeof value === 'string') return `${name}:${value.toLowerCase()}`;
  if (typeof value === 'number') return `${name}:${value}`;
  return `${name}:=${typeof value === 'string' && !/^[\w.-]+$/.test(value) ? quoted(value) : value}`;
}

/** The parts of a text between spaces that are in no quotes and no parentheses. */
function parts(text: string): string[] {
  const found: string[] = [];
  let [part, depth, isQuoted] = ['', 0, false];
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i);
    if (char === '\\') {
      part += char + text.charAt(i + 1);
      i += 1;
      continue;
    }
    if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted && char === '(') depth += 1;
    else if (!isQuoted && char === ')') depth -= 1;
    if (!isQuoted && depth <= 0 && /\s/.test(char)) {
      if (part !== '') found.push(part);
      part = '';
    } else {
      part += char;
    }
  }
  return part === '' ? found : [...found, part];
}

/** Both conditions. */
export function andQuery(text: string, term: string): string {
  const before = parts(text);
  if (before.length === 0) return term;
  return `${before.includes('OR') ? `(${text.trim()})` : text.trim()} ${term}`;
}

/** Whether the text demands a term beside all else that it demands. */
export function hasTerm(text: string, term: string): boolean {
  const all = parts(text);
  if (all.includes('OR')) return false;
  return all.some((part, i) => part === term && all[i - 1] !== 'NOT');
}

/** The text without a term. */
export function withoutTerm(text: string, term: string): string {
  const all = parts(text);
  const kept = all.filter((part, i) => !(part === term && all[i - 1] !== 'NOT') && !(part === 'AND' && (all[i + 1] === term || (i === 1 && all[0] === term))));
  return kept.join(' ');
}

/** Selects lines with a value, or no longer if the text did already. A text that left them out does so no more. */
export function toggled(text: string, term: string): string {
  if (hasTerm(text, term)) return withoutTerm(text, term);
  return andQuery(hasTerm(text, `-${term}`) ? withoutTerm(text, `-${term}`) : text, term);
}

/** Leaves out lines with a value, instead of selecting them. */
export function excluded(text: string, term: string): string {
  const without = hasTerm(text, term) ? withoutTerm(text, term) : text;
  return hasTerm(without, `-${term}`) ? without : andQuery(without, `-${term}`);
}

/** The phrases of a template: at most four, of at most 32 words. `null` if it has no word. */
export function templateTerm(template: string): string | null {
  const phrases = template
    .split('<*>')
    .map((part) => part.trim().split(/\s+/).slice(0, 12).join(' '))
    .filter((part) => /[\p{L}\p{N}]/u.test(part));
  if (phrases.length === 0) return null;
  return phrases.slice(0, 4).map((part) => `message:${quoted(part)}`).join(' ');
}

/** The begin of a name in front of the cursor, and where it begins. */
export function nameBefore(text: string, caret: number): { from: number; begin: string } | null {
  const before = text.slice(0, caret);
  if ((before.replace(/\\./g, '').match(/"/g)?.length ?? 0) % 2 === 1) return null;
  const found = /(?:^|[\s(]|[\s(]-|^-)([\p{L}_@][\p{L}\p{N}_.@-]*)$/u.exec(before);
  const begin = found?.[1] ?? '';
  return begin === '' ? null : { from: caret - begin.length, begin };
}

/** Names that continue a begin, those that begin so first. */
export function completions(begin: string, names: Iterable<string>): string[] {
  const wanted = begin.toLowerCase();
  const all = [...new Set(names)].filter((name) => NAME.test(name));
  const rank = (name: string): number => (name.toLowerCase().startsWith(wanted) ? 0 : name.toLowerCase().includes(`.${wanted}`) ? 1 : 2);
  return all
    .filter((name) => rank(name) < 2)
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .slice(0, 8);
}

/** The place of a byte in a text, as its UTF-8 form counts them. */
export function charAt(text: string, byte: number): number {
  return new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, byte)).length;
}
