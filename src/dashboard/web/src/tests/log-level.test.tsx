import { render } from 'preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../contract';
import type { KeptLevel } from '../contract-logs';
import { page } from '../controller';
import { LogLevelPanel } from '../ui/log-level';
import { MINUTE, NOW } from './sections';

const HOSTILE = '<img src=x onerror=alert(1)>';
const session = (role: 'viewer' | 'operator'): Session => ({ role, service: 'shop' }) as Session;

let root: HTMLElement;
let posted: unknown[];
let kept: KeptLevel;
let refusal: Response | null;

beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
  posted = [];
  kept = { at: NOW, level: 'info', until: null, lasting: 'info' };
  refusal = null;
  page.update({ phase: 'open', session: session('operator') });
  vi.stubGlobal('fetch', (path: string, init: RequestInit = {}) => {
    if (init.method !== 'POST') return Promise.resolve(new Response(JSON.stringify(kept)));
    expect(path).toBe('data/v1/log-level/set');
    posted.push(JSON.parse(init.body as string));
    return Promise.resolve(refusal ?? new Response(JSON.stringify(kept)));
  });
});

afterEach(() => {
  render(null, root);
  root.remove();
  page.update({ phase: 'starting', session: null });
  vi.unstubAllGlobals();
});

const shows = (text: string): Promise<void> => vi.waitFor(() => { expect(root.textContent).toContain(text); }, 10_000);
const submit = (): void => { root.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true, bubbles: true })); };

describe('which lines are kept', () => {
  it('says what holds, until when, and what returns then', async () => {
    kept = { at: NOW, level: `info,${HOSTILE}=debug`, until: NOW + 10 * MINUTE, lasting: 'info' };
    render(<LogLevelPanel />, root);
    await shows(`info,${HOSTILE}=debug until 14:42, then info`);
    expect(root.querySelector('img')).toBeNull();
    expect(root.textContent).toContain('End now');
  });

  it('is changed by an operator for a while, and ended at once', async () => {
    render(<LogLevelPanel />, root);
    await shows('info until it is changed');
    expect(root.textContent).not.toContain('End now');
    const input = root.querySelector<HTMLInputElement>('input.mono');
    if (input === null) throw new Error('there is no field');
    input.value = 'debug';
    input.dispatchEvent(new Event('input', { bubbles: true }));
    kept = { at: NOW, level: 'debug', until: NOW + 10 * MINUTE, lasting: 'info' };
    // The form is drawn again before it is sent.
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    submit();
    await vi.waitFor(() => { expect(posted).toEqual([{ level: 'debug', seconds: 600, by: '', comment: '' }]); });
    await shows('debug until 14:42, then info');
    kept = { at: NOW, level: 'info', until: null, lasting: 'info' };
    [...root.querySelectorAll('button')].find((button) => button.textContent === 'End now')?.click();
    await shows('info until it is changed');
    expect(posted[1]).toEqual({ by: '', comment: '' });
  });

  it('says why a change is refused', async () => {
    refusal = new Response(JSON.stringify({ code: 'bad_request', message: '`level` is wrong: directive 1 has no level.' }), { status: 400 });
    render(<LogLevelPanel />, root);
    await shows('info until it is changed');
    submit();
    await shows('`level` is wrong: directive 1 has no level.');
  });

  it('is not changed by a viewer', async () => {
    page.update({ session: session('viewer') });
    render(<LogLevelPanel />, root);
    await shows('An operator can change it for a while.');
    expect(root.querySelector('form')).toBeNull();
  });
});
