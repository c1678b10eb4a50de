/** The templates of messages, with their numbers. */

import type { JSX } from 'preact';
import type { LogPatterns } from '../contract-logs';
import { clock as clockStore } from '../controller';
import { count } from '../format';
import { levelOf } from '../log-model';
import { logsAddress, patternsPath, type LogView } from '../log-places';
import { andQuery, templateTerm } from '../log-query';
import type { RangeChoice } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { L, exactClock } from '../strings-logs';
import { useKept } from './log-read';
import { Level } from './trace-signals';

interface Props {
  view: LogView;
  range: RangeChoice;
  isHeld: boolean;
  asked: number;
  choose: (change: Partial<LogView>) => void;
}

export function LogPatternsView({ view, range, isHeld, asked, choose }: Props): JSX.Element {
  const now = useStore(clockStore);
  const { document: found, failure } = useKept<LogPatterns>(patternsPath(view, range), false, isHeld, asked);
  if (found === null) return <p class="body pad mute">{failure ?? T.loadingNote}</p>;
  const most = Math.max(1, ...found.patterns.map((pattern) => pattern.count));
  return (
    <>
      <p class="body pad mute small">
        {failure !== null && `${failure} `}
        {found.patterns.length === 0 ? L.noPatterns : L.patternsHead} {found.others > 0 && L.otherPatterns(found.others)} {found.end !== 'complete' && L.partly}
      </p>
      {found.patterns.length > 0 && (
        <div class="scroll">
          <table class="patterns">
            <caption class="vh">{L.shows.patterns}</caption>
            <thead>
              <tr>
                <th scope="col" class="num">
                  {L.count}
                </th>
                <th scope="col">{L.level}</th>
                <th scope="col">{L.pattern}</th>
                <th scope="col" class="w">
                  {L.first}
                </th>
                <th scope="col" class="w">
                  {L.last}
                </th>
              </tr>
            </thead>
            <tbody>
              {found.patterns.map((pattern) => {
                const term = templateTerm(pattern.template);
                const text = term === null ? null : andQuery(view.text, term);
                return (
                  <tr key={pattern.template} tabIndex={-1} data-row={pattern.template}>
                    <td class="num">
                      {count(pattern.count)}
                      <svg aria-hidden="true">
                        <rect class="f-line" width={`${(pattern.count / most) * 100}%`} height="2" />
                      </svg>
                    </td>
                    <td>
                      <Level name={levelOf(pattern.level)} />
                    </td>
                    <th scope="row" class="wrap mono" title={pattern.example}>
                      {text === null ? (
                        pattern.template
                      ) : (
                        <a
                          href={logsAddress(range, { ...view, text, show: 'lines', cursor: null })}
                          onClick={(event) => {
                            if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
                            event.preventDefault();
                            choose({ text, show: 'lines' });
                          }}
                        >
                          {pattern.template}
                        </a>
                      )}
                    </th>
                    <td class="w nw mute">{exactClock(pattern.first, now)}</td>
                    <td class="w nw mute">{exactClock(pattern.last, now)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
