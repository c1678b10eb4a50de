/** What a new user does: lines that work are ticked off, so that only the missing one is left to read. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { RequestError, api } from '../api';
import type { Setup, TestSent } from '../contract';
import { page, spoken } from '../controller';
import { useStore } from '../store';
import { CODE, PART_NAMES, STEPS, T } from '../strings';
import { shortId } from '../format';
import { Glyph } from './glyph';

const PART_LOOKS = {
  on: { glyph: 'ok', tone: 'ok' },
  off: { glyph: 'off', tone: 'wait' },
  problem: { glyph: 'warning', tone: 'warn' },
} as const;

function Steps({ setup, service }: { setup: Setup; service: string }): JSX.Element {
  const done = setup.steps.filter((step) => step.done).length;
  const open = setup.steps.find((step) => !step.done);
  const code = (name: Setup['steps'][number]['name']): string =>
    name === 'install' ? CODE.install(service) : name === 'mount' ? CODE.mount(setup.mount) : CODE.layer();
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(code(open?.name ?? 'layer'));
    spoken.set(T.copied);
  };
  return (
    <section class="panel" aria-labelledby="steps-title">
      <header>
        <h2 id="steps-title">{T.threeLines}</h2>
        <p>{T.workAlready(done)}</p>
        <span class="fill" />
        <button type="button" onClick={() => void copy().catch(() => undefined)}>
          {T.copy}
        </button>
      </header>
      <ol class="steps">
        {setup.steps.map((step) => {
          const { title, done: doneText, open: openText } = STEPS[step.name];
          return (
            <li key={step.name}>
              <Glyph name={step.done ? 'ok' : 'pending'} tone={step.done ? 'ok' : 'wait'} label={step.done ? T.done : T.notSeen} />
              <p>
                {step.done ? title : <b>{title}</b>} <span class="mute">{step.done ? doneText : openText}</span>
              </p>
              <pre class="code" tabIndex={0}>
                <code>{code(step.name)}</code>
              </pre>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

export function TryIt(): JSX.Element {
  const { session } = useStore(page);
  const [result, setResult] = useState('');
  const [isSending, setSending] = useState(false);
  const send = async (name: string, request: () => Promise<TestSent>): Promise<void> => {
    if (isSending) return;
    setSending(true);
    try {
      const sent = await request();
      setResult(T.testSent(name, shortId(sent.event_id ?? sent.trace_id ?? '')));
    } catch (error) {
      setResult(error instanceof RequestError && error.message !== '' ? error.message : T.loadFailed);
    }
    setSending(false);
  };
  return (
    <section class="panel" aria-labelledby="try-title">
      <header>
        <h2 id="try-title">{T.tryIt}</h2>
      </header>
      <div class="body stack">
        <p>{T.tryText}</p>
        {session?.role === 'operator' ? (
          <p class="btns">
            <button class="primary" type="button" aria-disabled={isSending} onClick={() => void send(T.testErrorName, api.testError)}>
              {T.testError}
            </button>
            <button type="button" aria-disabled={isSending} onClick={() => void send(T.testTraceName, api.testTrace)}>
              {T.testTrace}
            </button>
          </p>
        ) : (
          <p class="mute small">{T.onlyOperator}</p>
        )}
        <p role="status" class="small">
          {result}
        </p>
      </div>
    </section>
  );
}

function Parts({ setup }: { setup: Setup }): JSX.Element {
  return (
    <section class="panel" aria-labelledby="parts-title">
      <header>
        <h2 id="parts-title">{T.whatIsSetUp}</h2>
      </header>
      <ul class="rows two">
        {setup.parts.map((part) => {
          const look = PART_LOOKS[part.state];
          return (
            <li key={part.name}>
              <p>
                <Glyph name={look.glyph} tone={look.tone} /> {PART_NAMES[part.name] ?? part.name}
              </p>
              <span class="mute">{T.partStates[part.state]}</span>
              {part.text !== '' && <p class="mute small wide wrap">{part.text}</p>}
            </li>
          );
        })}
        {setup.findings.map((finding) => (
          <li key={finding}>
            <p class="wide wrap">
              <Glyph name="warning" tone="warn" /> {finding}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function FirstRun({ setup }: { setup: Setup }): JSX.Element {
  const { session } = useStore(page);
  return (
    <div class="cols">
      <div class="c8">
        <Steps setup={setup} service={session?.service ?? ''} />
      </div>
      <div class="c4 stack">
        <TryIt />
        <Parts setup={setup} />
      </div>
    </div>
  );
}
