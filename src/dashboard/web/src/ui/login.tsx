import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { logIn, page } from '../controller';
import { useStore } from '../store';
import { T } from '../strings';
import { Glyph } from './glyph';

/** The form for the token. It is sent as JSON, so the form itself goes nowhere. */
export function Login(): JSX.Element {
  const { loginFailure } = useStore(page);
  const [isSending, setSending] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const token = input.current?.value.trim() ?? '';
    if (token === '' || isSending) return;
    setSending(true);
    await logIn(token);
    setSending(false);
    input.current?.select();
  };
  return (
    <main class="login" id="main">
      <form class="panel" onSubmit={(event) => void submit(event)}>
        <header>
          <p class="brand">
            <Glyph name="mark" />
            {T.product}
          </p>
        </header>
        <div class="body stack">
          <h1>{T.loginTitle}</h1>
          <p class="mute">{T.loginText}</p>
          <label for="token">{T.token}</label>
          <input
            ref={input}
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            spellcheck={false}
            autofocus
            required
            aria-describedby="login-failure"
            aria-invalid={loginFailure !== null}
          />
          <p id="login-failure" role="alert" class="s-crit">
            {loginFailure !== null && (
              <>
                <Glyph name="critical" /> {loginFailure}
              </>
            )}
          </p>
          <p class="btns">
            <button class="primary" type="submit" aria-disabled={isSending}>
              {T.loginButton}
            </button>
          </p>
        </div>
      </form>
    </main>
  );
}

/** Before the first response, and while there is none. */
export function Starting({ unreachable }: { unreachable: boolean }): JSX.Element {
  return (
    <main class="login" id="main">
      <p role="status" class="mute">
        {unreachable ? T.loadFailed : T.connecting}
      </p>
    </main>
  );
}
