import { describe, expect, it } from 'vitest';
import type { Delta, Hello } from '../contract';
import { apply, errorsSince, readMessage, type LiveDocument } from '../live/document';
import { NOW, sections } from './sections';

const hello = (seq: number, epoch = 'e1'): Hello => ({ type: 'hello', epoch, seq, at: NOW, heartbeat_ms: 5000, sections: sections() });
const delta = (from: number, seq: number, change: Delta['sections'] = {}): Delta => ({ type: 'delta', from, seq, at: NOW + seq, sections: change });

function at(seq: number): LiveDocument {
  const applied = apply(null, hello(seq));
  if (applied.kind !== 'replaced') throw new Error(applied.kind);
  return applied.document;
}

describe('messages', () => {
  it('replace sections as a whole and leave the others', () => {
    const running = { count: 3, requests: [] };
    const applied = apply(at(7), delta(7, 8, { running }));
    expect(applied.kind).toBe('changed');
    if (applied.kind !== 'changed') return;
    expect(applied.document.sections.running).toBe(running);
    expect(applied.document.sections.cards).toEqual(sections().cards);
    expect([applied.document.seq, applied.document.at]).toEqual([8, NOW + 8]);
  });

  it('that are known already change nothing', () => {
    expect(apply(at(7), delta(6, 7)).kind).toBe('kept');
    expect(apply(at(7), delta(3, 5)).kind).toBe('kept');
  });

  it('merged from an earlier state fit, and those after a missing one do not', () => {
    expect(apply(at(7), delta(5, 9)).kind).toBe('changed');
    expect(apply(at(7), delta(8, 9)).kind).toBe('out_of_step');
    expect(apply(null, delta(1, 2)).kind).toBe('out_of_step');
  });

  it('tell a restart from a new snapshot', () => {
    expect(apply(at(7), hello(20))).toMatchObject({ kind: 'replaced', restarted: false });
    expect(apply(at(7), hello(1, 'e2'))).toMatchObject({ kind: 'replaced', restarted: true });
    expect(apply(null, hello(1))).toMatchObject({ kind: 'replaced', restarted: false });
  });

  it('without news show whether something was missed', () => {
    expect(apply(at(7), { type: 'heartbeat', seq: 7, at: NOW }).kind).toBe('kept');
    expect(apply(at(7), { type: 'heartbeat', seq: 8, at: NOW }).kind).toBe('out_of_step');
    expect(apply(at(7), { type: 'gap', missed: 12, at: NOW })).toEqual({ kind: 'gap', missed: 12 });
  });

  it('that are no messages are none', () => {
    for (const text of ['', '{', 'null', '3', '[]', '{}', '{"type":"other"}']) expect(readMessage(text)).toBeNull();
    expect(readMessage('{"type":"bye","reason":"shutdown"}')).toEqual({ type: 'bye', reason: 'shutdown' });
  });
});

it('counts the errors since, also of groups that are new or gone', () => {
  const group = (id: string, count: number) => ({ id, type: '', message: '', location: '', route: '', count, first_at: 0, last_at: 0, trace_id: null, mark: null });
  const before = sections({ errors: [group('1', 10), group('2', 5)] });
  const after = sections({ errors: [group('3', 2), group('1', 14)] });
  expect(errorsSince(before, after)).toBe(6);
});
