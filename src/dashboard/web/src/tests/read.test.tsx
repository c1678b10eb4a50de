import { render, type JSX } from 'preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TraceList } from '../contract-traces';
import { page } from '../controller';
import { useRead } from '../ui/read';
import { Traces } from '../ui/traces';
import { NOW } from './sections';

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
  page.update({ phase: 'open' });
});

afterEach(() => {
  render(null, root);
  root.remove();
  page.update({ phase: 'starting' });
  vi.unstubAllGlobals();
  history.replaceState(null, '', '/');
});

const shows = (text: string): Promise<void> => vi.waitFor(() => { expect(root.textContent).toContain(text); }, 10_000);

describe('a document that is read', () => {
  function Shown({ name, isPaused, read }: { name: string; isPaused: boolean; read: (name: string) => Promise<string> }): JSX.Element {
    const { document: of } = useRead(name, true, isPaused, () => read(name));
    return <p>{of ?? 'loading'}</p>;
  }

  it('stays while paused, but another one is read', async () => {
    const read = vi.fn((name: string) => Promise.resolve(`document ${name}`));
    render(<Shown name="a" isPaused={false} read={read} />, root);
    await shows('document a');
    render(<Shown name="a" isPaused read={read} />, root);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(read).toHaveBeenCalledTimes(1);
    render(<Shown name="b" isPaused read={read} />, root);
    await shows('document b');
    expect(read).toHaveBeenCalledTimes(2);
  });
});

describe('the list of traces', () => {
  const row = (id: string): TraceList['traces'][number] => ({ trace_id: id, request_id: null, at: NOW, method: 'GET', route: `/${id}`, duration: 0.1, status: 200, failed: false, kept: 'head' });
  const list = (ids: string[], next: string | null): TraceList => ({ at: NOW, range: { from: NOW - 1000, to: NOW, live: true }, traces: ids.map(row), next, is_stored: false, stored_since: null, failed: null });

  /** The answers to addresses that contain a text, the last one that fits. */
  function serve(answers: [string, number, unknown][]): void {
    vi.stubGlobal('fetch', (path: string) => {
      const [, status, body] = answers.findLast(([part]) => path.includes(part)) ?? ['', 404, { code: 'not_found', message: 'nothing' }];
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    });
  }

  const button = (name: string): HTMLButtonElement => {
    const found = [...root.querySelectorAll('button')].find((it) => it.textContent === name);
    if (found === undefined) throw new Error(`there is no button ${name}`);
    return found;
  };

  it('is that of the filter again once the filter is cleared after "More"', async () => {
    serve([['data/v1/traces?', 200, list(['one'], 'c2')], ['cursor=c2', 200, list(['two'], null)], ['data/v1/traces?range=1h&status=5xx', 200, list(['three'], null)]]);
    render(<Traces />, root);
    await shows('/one');
    button('More').click();
    await shows('/two');
    const status = root.querySelector<HTMLInputElement>('input[name=status]');
    if (status !== null) status.value = '5xx';
    button('Search').click();
    await shows('/three');
    expect(root.textContent).not.toContain('/one');
    button('Clear the filter').click();
    await shows('/one');
    expect(root.textContent).not.toContain('/two');
    expect(button('More')).toBeDefined();
  });

  it('says beside "More" why there is no more, and closes the page once access is gone', async () => {
    const first: [string, number, unknown] = ['data/v1/traces?', 200, list(['one'], 'c2')];
    serve([first, ['cursor=c2', 503, { code: 'busy', message: 'Too many searches at once.' }]]);
    render(<Traces />, root);
    await shows('/one');
    button('More').click();
    await shows('Too many searches at once.');
    expect(root.querySelector('.more [role=alert]')?.textContent.trim()).toBe('Too many searches at once.');
    serve([first, ['cursor=c2', 200, list(['two'], 'c3')], ['cursor=c3', 401, { code: 'no_session', message: 'no' }]]);
    button('More').click();
    await shows('/two');
    expect(root.querySelector('[role=alert]')).toBeNull();
    button('More').click();
    await vi.waitFor(() => { expect(page.get().phase).toBe('login'); }, 10_000);
  });
});
