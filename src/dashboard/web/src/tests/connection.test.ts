import { beforeEach, describe, expect, it } from 'vitest';
import type { Message, Poll } from '../contract';
import { backoff } from '../live/backoff';
import { Connection, type ConnectionState, type Position, type Socket } from '../live/connection';
import { NOW, sections } from './sections';

/** A server, a clock and a page, all of them driven by the test. */
class Bench {
  now = 0;
  timers: { at: number; run: () => void }[] = [];
  sockets: (Socket & { isClosed: boolean })[] = [];
  polls: (Position | null)[] = [];
  answer: () => Promise<Poll | 'ended'> = () => Promise.reject(new Error('unreachable'));
  messages: Message[] = [];
  fits = true;
  states: ConnectionState[] = [];
  position: Position | null = null;
  readonly connection = new Connection({
    open: () => {
      const socket = { onmessage: null, onclose: null, isClosed: false, close: () => { socket.isClosed = true; } } as Socket & { isClosed: boolean };
      this.sockets.push(socket);
      return socket;
    },
    poll: (after) => {
      this.polls.push(after);
      return this.answer();
    },
    now: () => this.now,
    setTimer: (run, ms) => {
      const timer = { at: this.now + ms, run };
      this.timers.push(timer);
      return () => { this.timers = this.timers.filter((other) => other !== timer); };
    },
    random: () => 1,
    position: () => this.position,
    onMessage: (message) => {
      this.messages.push(message);
      return this.fits;
    },
    onState: (state) => this.states.push(state),
  });

  get status(): string {
    return this.connection.state.status;
  }

  get socket(): Socket & { isClosed: boolean } {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error('no socket was opened');
    return last;
  }

  say(message: Message): void {
    this.socket.onmessage?.({ data: JSON.stringify(message) });
  }

  close(code: number): void {
    this.socket.onclose?.({ code });
  }

  /** Lets time pass, with all timers that become due, and all promises. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve));
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.now = Math.max(this.now, due.at);
      this.timers = this.timers.filter((timer) => timer !== due);
      due.run();
    }
    this.now = end;
  }
}

const hello: Message = { type: 'hello', epoch: 'e', seq: 1, at: NOW, heartbeat_ms: 5000, sections: sections() };
const beat: Message = { type: 'heartbeat', seq: 1, at: NOW };

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
  bench.connection.start();
});

describe('a connection', () => {
  it('is live with the first message and passes messages on in order', () => {
    expect(bench.status).toBe('connecting');
    bench.say(hello);
    bench.say(beat);
    expect(bench.status).toBe('live');
    expect(bench.messages.map((message) => message.type)).toEqual(['hello', 'heartbeat']);
  });

  it('comes back after an end, at once after the wait', async () => {
    bench.say(hello);
    bench.close(1001);
    expect(bench.connection.state).toMatchObject({ status: 'reconnecting', retryAt: 500 });
    await bench.pass(499);
    expect(bench.sockets).toHaveLength(1);
    await bench.pass(1);
    expect(bench.sockets).toHaveLength(2);
    bench.say(hello);
    expect(bench.status).toBe('live');
  });

  it('counts as dead after a long silence', async () => {
    bench.say(hello);
    await bench.pass(14_000);
    bench.say(beat);
    await bench.pass(14_000);
    expect(bench.status).toBe('live');
    await bench.pass(1_000);
    expect(bench.sockets[0]?.isClosed).toBe(true);
    expect(bench.status).toBe('reconnecting');
  });

  it('ignores an earlier socket', () => {
    bench.say(hello);
    const [first] = bench.sockets;
    const late = first?.onmessage;
    bench.close(1006);
    expect(first?.onmessage).toBeNull();
    expect(first?.onclose).toBeNull();
    expect(late).not.toBeNull();
    expect(bench.messages).toHaveLength(1);
  });

  it('reads everything anew when a message does not fit', () => {
    bench.say(hello);
    bench.fits = false;
    bench.say(beat);
    expect(bench.sockets).toHaveLength(2);
    expect(bench.sockets[0]?.isClosed).toBe(true);
  });

  it('ends with the session, and tries nothing more', async () => {
    bench.say(hello);
    bench.close(1008);
    expect(bench.status).toBe('ended');
    await bench.pass(120_000);
    expect(bench.sockets).toHaveLength(1);
    expect(bench.polls).toHaveLength(0);
  });

  it('ends when the server says that the session has ended', () => {
    bench.say(hello);
    bench.say({ type: 'bye', reason: 'session_ended' });
    expect(bench.status).toBe('ended');
  });

  it('connects again at once when the server asks it to', async () => {
    bench.say(hello);
    bench.say({ type: 'bye', reason: 'renew' });
    expect(bench.sockets).toHaveLength(2);
    expect(bench.sockets[0]?.isClosed).toBe(true);
    bench.say(hello);
    expect(bench.status).toBe('live');
    await bench.pass(1000);
    expect(bench.sockets).toHaveLength(2);
  });

  it('polls where WebSocket is blocked, and tries it again once a minute', async () => {
    bench.answer = () => Promise.resolve({ messages: [hello] });
    bench.close(1006);
    await bench.pass(500);
    bench.close(1006);
    await bench.pass(0);
    expect(bench.status).toBe('polling');
    expect(bench.messages).toHaveLength(1);
    bench.position = { epoch: 'e', seq: 1 };
    // The first time, the server may only have been away: a socket is tried soon.
    await bench.pass(1_000);
    expect(bench.sockets).toHaveLength(3);
    bench.close(1006);
    await bench.pass(0);
    expect(bench.status).toBe('polling');
    const polls = bench.polls.length;
    await bench.pass(58_000);
    expect(bench.sockets).toHaveLength(3);
    expect(bench.polls.length - polls).toBeGreaterThan(25);
    expect(bench.polls.at(-1)).toEqual({ epoch: 'e', seq: 1 });
    await bench.pass(4_000);
    expect(bench.sockets).toHaveLength(4);
    expect(bench.status).toBe('polling');
    bench.say(hello);
    expect(bench.status).toBe('live');
  });

  it('reads everything anew when a poll does not fit', async () => {
    bench.answer = () => Promise.resolve({ messages: [beat] });
    bench.position = { epoch: 'e', seq: 9 };
    bench.fits = false;
    bench.close(1006);
    await bench.pass(500);
    bench.close(1006);
    await bench.pass(0);
    expect(bench.polls.slice(0, 2)).toEqual([{ epoch: 'e', seq: 9 }, null]);
  });

  it('ends when a poll finds no access', async () => {
    bench.answer = () => Promise.resolve('ended');
    bench.close(1006);
    await bench.pass(500);
    bench.close(1006);
    await bench.pass(0);
    expect(bench.status).toBe('ended');
  });

  it('waits longer and longer while nothing answers, and at most 15 s', async () => {
    const waits: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      bench.close(1006);
      await bench.pass(0);
      const { retryAt } = bench.connection.state;
      if (retryAt === null) throw new Error('it does not wait');
      waits.push(retryAt - bench.now);
      await bench.pass(retryAt - bench.now);
      expect(bench.sockets).toHaveLength(i + 2);
    }
    expect(waits[0]).toBe(500);
    expect(waits.at(-1)).toBe(15_000);
    expect([...waits].sort((a, b) => a - b)).toEqual(waits);
  });

  it('tries at once when the page comes into view, unless it is live', async () => {
    bench.say(hello);
    bench.connection.hurry();
    expect(bench.sockets).toHaveLength(1);
    bench.close(1006);
    bench.connection.hurry();
    expect(bench.sockets).toHaveLength(2);
    await bench.pass(600);
    expect(bench.sockets).toHaveLength(2);
  });

  it('does nothing more once it is stopped', async () => {
    bench.connection.stop();
    expect(bench.socket.isClosed).toBe(true);
    await bench.pass(60_000);
    expect(bench.sockets).toHaveLength(1);
  });
});

it('spreads the waits over their upper half', () => {
  expect([backoff(1, 0), backoff(1, 1), backoff(3, 0), backoff(3, 1), backoff(99, 1)]).toEqual([250, 500, 1000, 2000, 15_000]);
});
