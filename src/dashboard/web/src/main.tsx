import { render, type JSX } from 'preact';
import { clock, page, staleFor, start } from './controller';
import { onKey } from './keys';
import { useStore } from './store';
import { Login, Starting } from './ui/login';
import { Shell } from './ui/shell';
import './style.css';
import './trace.css';
import './operations.css';
import './errors.css';
import './logs.css';

function App(): JSX.Element {
  const { phase } = useStore(page);
  switch (phase) {
    case 'starting':
    case 'unreachable':
      return <Starting unreachable={phase === 'unreachable'} />;
    case 'login':
      return <Login />;
    case 'open':
      return <Shell />;
  }
}

/** States for tests and for style sheets of users: what the connection does, and how far the page is. */
function note(): void {
  const state = page.get();
  const { dataset } = document.body;
  dataset['connection'] = staleFor(state, clock.get()) !== null ? 'stale' : state.phase === 'open' ? state.connection.status : state.phase;
  dataset['seq'] = (state.document?.seq ?? '').toString();
  if (state.held === null) delete dataset['paused'];
  else dataset['paused'] = '';
}

const root = document.getElementById('app');
if (root !== null) {
  page.subscribe(note);
  clock.subscribe(note);
  addEventListener('keydown', onKey);
  start();
  note();
  render(<App />, root);
}
