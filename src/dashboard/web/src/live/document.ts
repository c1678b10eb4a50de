/** The document that the live messages build. */

import type { Message, Sections } from '../contract';

export interface LiveDocument {
  epoch: string;
  seq: number;
  /** The server's time of the last change. */
  at: number;
  sections: Sections;
}

/** What a message did to the document. */
export type Applied =
  | { kind: 'replaced'; document: LiveDocument; restarted: boolean }
  | { kind: 'changed'; document: LiveDocument }
  /** Nothing is new. */
  | { kind: 'kept' }
  /** The server left deltas out; a new document follows. */
  | { kind: 'gap'; missed: number }
  /** The message does not follow the document: it has to be read anew. */
  | { kind: 'out_of_step' }
  | { kind: 'bye'; reason: string };

export function apply(document: LiveDocument | null, message: Message): Applied {
  switch (message.type) {
    case 'hello': {
      const { epoch, seq, at, sections } = message;
      const restarted = document !== null && document.epoch !== epoch;
      return { kind: 'replaced', document: { epoch, seq, at, sections }, restarted };
    }
    case 'delta': {
      if (document === null) return { kind: 'out_of_step' };
      // A delta that is known already can arrive twice when the transport changes.
      if (message.seq <= document.seq) return { kind: 'kept' };
      // A merged delta may begin earlier than the document: its sections are whole, so they fit.
      if (message.from > document.seq) return { kind: 'out_of_step' };
      const sections = { ...document.sections, ...message.sections };
      return { kind: 'changed', document: { ...document, seq: message.seq, at: message.at, sections } };
    }
    case 'heartbeat':
      return document !== null && message.seq === document.seq ? { kind: 'kept' } : { kind: 'out_of_step' };
    case 'gap':
      return { kind: 'gap', missed: message.missed };
    case 'bye':
      return { kind: 'bye', reason: message.reason };
  }
}

/** Reads a message. Returns null for anything that is none, and for types that this page does not know. */
export function readMessage(text: string): Message | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return null;
  const known: unknown[] = ['hello', 'delta', 'heartbeat', 'gap', 'bye'];
  return known.includes(value.type) ? (value as Message) : null;
}

/** How many captured errors `now` has more than `then`. */
export function errorsSince(then: Sections, now: Sections): number {
  const before = new Map(then.errors.map((group) => [group.id, group.count]));
  return now.errors.reduce((sum, group) => sum + Math.max(0, group.count - (before.get(group.id) ?? 0)), 0);
}
