/**
 * The connection to the server: a WebSocket while that works, else polling.
 *
 * It knows nothing of the page. It passes messages on in order, and reports its state.
 */

import type { Message, Poll } from '../contract';
import { backoff } from './backoff';
import { readMessage } from './document';

export type ConnectionStatus =
  /** No message yet. */
  | 'connecting'
  | 'live'
  /** WebSocket does not work here; the server is asked. */
  | 'polling'
  /** Waits until `retryAt`. */
  | 'reconnecting'
  /** The session has ended: nothing is tried again. */
  | 'ended';

export interface ConnectionState {
  status: ConnectionStatus;
  /** When the next attempt is made, while reconnecting. */
  retryAt: number | null;
  /** When the last message arrived, on the clock of this machine. */
  heardAt: number | null;
}

/** The part of a `WebSocket` that is used. */
export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  close(): void;
}

export interface Position {
  epoch: string;
  seq: number;
}

export interface ConnectionOptions {
  open(): Socket;
  /** Asks for what came after a position. Rejects if the server does not answer; `ended` if access is gone. */
  poll(after: Position | null): Promise<Poll | 'ended'>;
  now(): number;
  setTimer(run: () => void, ms: number): () => void;
  random(): number;
  /** Where the document stands. */
  position(): Position | null;
  /** Returns whether the message fitted; otherwise the document is read anew. */
  onMessage(message: Message): boolean;
  onState(state: ConnectionState): void;
}

/** Attempts that fail before any message, after which polling begins. */
const FAILED_ATTEMPTS = 2;
const POLL_EVERY = 1_000;
const SOCKET_AGAIN = 60_000;
/** Without a message for this long, a connection counts as dead. Three times the server's heartbeat. */
const SILENCE = 15_000;
/** An attempt that takes longer than this has failed. */
const OPEN_WITHIN = 10_000;
const SESSION_ENDED = 1008;

export class Connection {
  #state: ConnectionState = { status: 'connecting', retryAt: null, heardAt: null };
  #socket: Socket | null = null;
  #failures = 0;
  /** Sockets that failed in a row while the server answered polls: something between blocks them. */
  #blocked = 0;
  #cancelTimer: () => void = () => undefined;
  #socketDue = 0;
  #stopped = false;
  /** Numbers the attempts, so that the end of an earlier one changes nothing. */
  #attempt = 0;
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  start(): void {
    this.#openSocket();
  }

  /** Ends it for good. */
  stop(): void {
    this.#stopped = true;
    this.#leave();
  }

  /** Tries at once, because the page came into view or the network came back. Does nothing while messages arrive. */
  hurry(): void {
    if (!this.#stopped && this.#state.status === 'reconnecting') this.#openSocket();
  }

  #set(change: Partial<ConnectionState>): void {
    this.#state = { ...this.#state, ...change };
    this.#options.onState(this.#state);
  }

  #timer(run: () => void, ms: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.setTimer(run, ms);
  }

  /** Forgets the socket and the timer of the current attempt. */
  #leave(): void {
    this.#attempt += 1;
    this.#cancelTimer();
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }

  #openSocket(): void {
    this.#leave();
    if (this.#stopped) return;
    if (this.#state.status !== 'connecting' && this.#state.status !== 'polling') {
      this.#set({ status: 'connecting', retryAt: null });
    }
    let heard = false;
    let socket: Socket;
    try {
      socket = this.#options.open();
    } catch {
      this.#failed(false);
      return;
    }
    this.#socket = socket;
    socket.onmessage = (event) => {
      heard = true;
      this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (event.code === SESSION_ENDED) this.#end();
      else this.#failed(heard);
    };
    this.#timer(() => { this.#failed(false); }, OPEN_WITHIN);
  }

  #receive(data: unknown): void {
    const message = typeof data === 'string' ? readMessage(data) : null;
    this.#failures = 0;
    this.#blocked = 0;
    this.#set({ status: 'live', retryAt: null, heardAt: this.#options.now() });
    this.#timer(() => { this.#failed(true); }, SILENCE);
    if (message === null) return;
    if (message.type === 'bye') {
      if (message.reason === 'session_ended') this.#end();
      // The host judges a new request for the same page.
      else if (message.reason === 'renew') this.#openSocket();
      return;
    }
    if (!this.#options.onMessage(message)) {
      // A new connection begins with the whole document.
      this.#openSocket();
    }
  }

  #end(): void {
    this.stop();
    this.#set({ status: 'ended', retryAt: null });
  }

  /** An attempt or a connection ended. `worked` tells whether it ever brought a message. */
  #failed(worked: boolean): void {
    this.#leave();
    if (this.#stopped) return;
    this.#failures += 1;
    if (!worked && this.#failures >= FAILED_ATTEMPTS) {
      if (this.#state.status === 'polling') this.#blocked += 1;
      // The first poll that succeeds may only mean that the server is back, so a socket is tried soon after it.
      this.#socketDue = this.#options.now() + (this.#blocked > 0 ? SOCKET_AGAIN : POLL_EVERY);
      void this.#poll();
      return;
    }
    this.#wait();
  }

  #wait(): void {
    const ms = backoff(this.#failures, this.#options.random());
    this.#set({ status: 'reconnecting', retryAt: this.#options.now() + ms });
    this.#timer(() => { this.#openSocket(); }, ms);
  }

  async #poll(): Promise<void> {
    const attempt = this.#attempt;
    const options = this.#options;
    let answer: Poll | 'ended';
    try {
      answer = await options.poll(options.position());
    } catch {
      if (attempt === this.#attempt) {
        // The socket before it has counted already.
        this.#blocked = 0;
        this.#wait();
      }
      return;
    }
    if (attempt !== this.#attempt || this.#stopped) return;
    if (answer === 'ended') {
      this.#end();
      return;
    }
    this.#set({ status: 'polling', retryAt: null, heardAt: options.now() });
    const fits = answer.messages.every((message) => message.type === 'bye' || options.onMessage(message));
    if (!fits) {
      const whole = await options.poll(null).catch(() => null);
      if (attempt !== this.#attempt) return;
      if (whole !== null && whole !== 'ended') whole.messages.forEach((message) => { options.onMessage(message); });
    }
    if (options.now() >= this.#socketDue) {
      this.#failures = FAILED_ATTEMPTS - 1;
      this.#timer(() => { this.#openSocket(); }, 0);
    } else {
      this.#timer(() => void this.#poll(), POLL_EVERY);
    }
  }
}
