import { describe, expect, it } from 'vitest';
import type { LogLine } from '../contract-logs';
import { MOST_LINES, NO_LINES, released, withLines } from '../live/tail';
import { lanesOf, levelsOf, namesOf, rowFields, sumsOf } from '../log-model';
import { LOGS, contextPath, exportPath, facetPath, histogramPath, linesPath, logsAddress, logsOfError, logsOfRoute, logsOfTrace, readView, tailPath, writeView } from '../log-places';
import { andQuery, canSelect, charAt, completions, excluded, fieldTerm, hasTerm, nameBefore, templateTerm, toggled, withoutTerm } from '../log-query';
import { placeOf } from '../place';
import { L, exactClock } from '../strings-logs';
import { MINUTE, NOW } from './sections';

const LAST = { kind: 'relative', name: '1h' } as const;

describe('the addresses of logs', () => {
  it('hold the view, and what stands for itself is left out', () => {
    const view = { ...LOGS, text: 'target:shop & "a b"', exact_level: 'warn' as const, show: 'around' as const, line: 'f.1', by: 'user.id' };
    const query = new URLSearchParams('range=6h');
    writeView(query, view);
    expect(readView(query)).toEqual(view);
    expect(query.get('range')).toBe('6h');
    writeView(query, LOGS);
    expect(query.toString()).toBe('range=6h');
    expect(readView(new URLSearchParams('level=fatal&show=x'))).toEqual(LOGS);
    expect(placeOf('/monitoring/logs')).toBe('logs');
  });

  it('name no line to show lines around without one, and one kind of level', () => {
    expect(readView(new URLSearchParams('show=around')).show).toBe('lines');
    expect(readView(new URLSearchParams('level=info&exact_level=warn'))).toMatchObject({ level: null, exact_level: 'warn' });
  });

  it('ask for what the view selects', () => {
    const view = { ...LOGS, text: 'a & b', level: 'warn' as const, cursor: 'f.2' };
    expect(linesPath(view, LAST)).toBe('data/v1/logs?range=1h&text=a+%26+b&level=warn&cursor=f.2&limit=100');
    expect(histogramPath(view, LAST)).toBe('data/v1/logs/histogram?range=1h&text=a+%26+b');
    expect(facetPath('target', LOGS, { kind: 'absolute', from: 1, to: 2 })).toBe('data/v1/logs/facets?from=1&to=2&field=target&limit=8');
    expect(contextPath('f.1')).toBe('data/v1/logs/context?cursor=f.1&before=20&after=20');
    expect(tailPath({ ...LOGS, exact_level: 'error' }, 'f.9', 500)).toBe('data/v1/logs/tail?exact_level=error&cursor=f.9&limit=500');
    expect(exportPath(view, LAST, 'f.3')).toBe('data/v1/logs/export?range=1h&text=a+%26+b&level=warn&cursor=f.3');
  });

  it('lead from a trace, a route and an error to their lines', () => {
    const of = new URLSearchParams(logsOfTrace('ab'.repeat(16), NOW - 90 * MINUTE, 2, NOW).split('?')[1]);
    expect([of.get('text'), of.get('from'), of.get('to')]).toEqual([`trace_id:=${'ab'.repeat(16)}`, `${NOW - 95 * MINUTE}`, `${NOW - 85 * MINUTE + 2000}`]);
    // A trace of now does not reach into the time to come.
    expect(logsOfTrace('ab', NOW - MINUTE, null, NOW)).toContain(`to=${NOW}`);
    expect(decodeURIComponent(logsOfRoute('/orders/{id}', 'GET', LAST))).toBe('logs?text=http.route:="/orders/{id}"+http.request.method:=GET');
    expect(decodeURIComponent(logsOfError({ type: 'sqlx::Error', location: 'src/db.rs:1:2' }, LAST))).toBe('logs?text=exception.type:="sqlx::Error"+code.file.path:="src/db.rs"');
    expect(logsOfError({ type: '', location: '' }, LAST)).toBe('logs?text=event_id%3A*');
    expect(logsAddress({ kind: 'relative', name: '7d' }, { text: 'a' })).toBe('logs?text=a&range=7d');
  });
});

describe('a condition', () => {
  it('has quotes around what is no plain word, and escapes in them', () => {
    expect(fieldTerm('target', 'shop::db')).toBe('target:="shop::db"');
    expect(fieldTerm('note', 'a "b" \\ c')).toBe('note:="a \\"b\\" \\\\ c"');
    expect([fieldTerm('user.id', 'u-17'), fieldTerm('n', -5), fieldTerm('ok', true), fieldTerm('level', 'ERROR')]).toEqual(['user.id:=u-17', 'n:-5', 'ok:=true', 'level:error']);
    expect(fieldTerm('empty', '')).toBe('empty:=""');
  });

  it('is made of what a search can name', () => {
    expect(['a', '_a', '@timestamp', 'http.route', 'ä.b-c'].every((name) => canSelect(name, 'x'))).toBe(true);
    expect(['', 'a b', 'a:b', '1a', 'a"', '-a'].some((name) => canSelect(name, 'x'))).toBe(false);
    expect([canSelect('a', null), canSelect('a', 'ä'.repeat(125)), canSelect('a', 0)]).toEqual([false, false, true]);
  });

  it('joins a text, in parentheses if that has alternatives', () => {
    expect(andQuery('', 'a:=b')).toBe('a:=b');
    expect(andQuery(' timeout ', 'a:=b')).toBe('timeout a:=b');
    expect(andQuery('a OR b', 'c:=d')).toBe('(a OR b) c:=d');
    expect(andQuery('(a OR b) "x OR y"', 'c:=d')).toBe('(a OR b) "x OR y" c:=d');
  });

  it('is taken out again, and only it', () => {
    const term = fieldTerm('note', 'a (b');
    const text = andQuery('x "note:=y"', term);
    expect([hasTerm(text, term), withoutTerm(text, term)]).toEqual([true, 'x "note:=y"']);
    expect([toggled(text, term), toggled('x', 'a:=b')]).toEqual(['x "note:=y"', 'x a:=b']);
    expect([hasTerm('a:=b OR c', 'a:=b'), hasTerm('NOT a:=b', 'a:=b'), hasTerm('-a:=b', 'a:=b')]).toEqual([false, false, false]);
    expect([withoutTerm('x AND a:=b', 'a:=b'), withoutTerm('a:=b AND x', 'a:=b')]).toEqual(['x', 'x']);
  });

  it('leaves lines out instead of selecting them', () => {
    expect(excluded('x a:=b', 'a:=b')).toBe('x -a:=b');
    expect(excluded('x -a:=b', 'a:=b')).toBe('x -a:=b');
    expect(toggled('x -a:=b', 'a:=b')).toBe('x a:=b');
  });

  it('selects the lines of a template by its words', () => {
    expect(templateTerm('payment of <*> EUR refused by <*>')).toBe('message:"payment of" message:"EUR refused by"');
    expect(templateTerm('say "hi" <*>')).toBe('message:"say \\"hi\\""');
    expect(templateTerm('<*> - <*>')).toBeNull();
    expect(templateTerm('a <*> b <*> c <*> d <*> e')?.split(' ')).toHaveLength(4);
  });
});

describe('the completion of names', () => {
  const at = (text: string): string | null => nameBefore(text, text.length)?.begin ?? null;

  it('begins with a word that may become a name', () => {
    expect(['tar', 'x tar', '-tar', '(tar', 'x -http.ro'].map(at)).toEqual(['tar', 'tar', 'tar', 'tar', 'http.ro']);
    expect(['', 'x ', 'target:sh', '"a tar', '17'].map(at)).toEqual([null, null, null, null, null]);
    expect(at('"a \\" b" tar')).toBe('tar');
    expect(nameBefore('tar x', 2)).toEqual({ from: 0, begin: 'ta' });
  });

  it('offers what begins so, then what has a part that does', () => {
    expect(completions('r', ['http.route', 'rows', 'target', 'odd key', 'rows'])).toEqual(['rows', 'http.route']);
    expect(completions('x', Array.from({ length: 20 }, (_, i) => `x${i}`))).toHaveLength(8);
  });

  it('finds the character of a byte', () => {
    expect([charAt('ä b(', 5), charAt('abc', 3), charAt('😀x', 4)]).toEqual([4, 3, 2]);
  });
});

describe('the counts of lines', () => {
  const zero = { trace: 0, debug: 0, info: 0, warn: 0, error: 0 };
  const of = { start: NOW, step_ms: MINUTE, counts: [{ ...zero, info: 9, error: 1 }, { ...zero, error: 2 }], end: 'complete' as const, reached: null };

  it('have a lane for each level that counts', () => {
    expect(sumsOf(of)).toEqual({ ...zero, info: 9, error: 3 });
    expect(lanesOf(of, LOGS)).toEqual(['error', 'warn', 'info']);
    expect(lanesOf({ ...of, counts: [{ ...zero, debug: 1 }] }, LOGS)).toEqual(['error', 'warn', 'info', 'debug']);
    expect([levelsOf({ level: 'warn', exact_level: null }), lanesOf(of, { level: null, exact_level: 'trace' })]).toEqual([['error', 'warn'], ['trace']]);
  });

  it('have words', () => {
    expect([L.histogram(60), L.histogram(1), L.histogram(3600), L.histogram(1440).replace('\u202f', ' ')]).toEqual(['Lines per minute', 'Lines per second', 'Lines per hour', 'Lines per 24 min']);
    expect(exactClock(NOW + 402, NOW)).toBe('14:32:10.402');
    expect(exactClock(NOW, NOW + 48 * 60 * MINUTE)).toBe('29 Nov 14:32:10.000');
  });
});

describe('a live tail', () => {
  const line = (n: number, level = 'INFO'): LogLine => ({ cursor: `f.${n}`, at: NOW + n, level, message: `line ${n}`, fields: { n, target: 'shop', note: null } });
  const names = (lines: LogLine[]): string[] => lines.map(({ cursor }) => cursor);

  it('has the newest line first', () => {
    const state = withLines(withLines(NO_LINES, { lines: [line(1), line(2)] }, false), { lines: [line(3)] }, false);
    expect(names(state.lines)).toEqual(['f.3', 'f.2', 'f.1']);
    expect(withLines(state, { lines: [] }, false)).toBe(state);
  });

  it('counts what waits while it is paused, and shows it afterwards', () => {
    const before = withLines(NO_LINES, { lines: [line(1)] }, false);
    const paused = withLines(before, { lines: [line(2, 'ERROR'), line(3)] }, true);
    expect([names(paused.lines), paused.waiting, paused.errors]).toEqual([['f.1'], 2, 1]);
    const after = released(paused);
    expect([names(after.lines), after.waiting, after.errors, after.skipped]).toEqual([['f.3', 'f.2', 'f.1'], 0, 0, 0]);
  });

  it('keeps a bounded number of lines, and says how many it left out', () => {
    let state = NO_LINES;
    for (let n = 0; n < 4; n += 1) state = withLines(state, { lines: Array.from({ length: 200 }, (_, i) => line(n * 200 + i)) }, true);
    expect([state.held.length, state.waiting]).toEqual([MOST_LINES, 800]);
    const after = withLines(state, { lines: [] }, false);
    expect([after.lines.length, after.skipped, after.lines[0]?.cursor]).toEqual([MOST_LINES, 300, 'f.799']);
  });

  it('shows fields that say more than the message', () => {
    expect(rowFields(line(1))).toEqual([['n', 1]]);
    // The message of a request has its status and duration.
    const request = { 'http.request.method': 'GET', 'watchpost.outcome': 'completed', 'http.response.status_code': 500, duration_ms: 9, 'user.id': 'u' };
    expect(rowFields({ ...line(1), fields: request })).toEqual([['user.id', 'u']]);
    expect([...namesOf([line(1)])]).toEqual(['n', 'target', 'note']);
  });
});
