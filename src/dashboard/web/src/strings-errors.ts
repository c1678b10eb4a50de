/** The texts about the groups of errors. */

import type { GroupRow, GroupState, InboxState, Resolution } from './contract-errors';
import { clockOrDay, clockSeconds, count, plural, span, word } from './format';

const release = (name: string | null): string => (name === null || name === '' ? 'the release that runs' : name);

export const E = {
  errors: 'Errors',
  error: 'Error',
  states: {
    open: 'Open',
    new: 'New',
    spiking: 'Spiking',
    regressed: 'Regressed',
    muted: 'Muted',
    resolved: 'Resolved',
    all: 'All',
  } as Record<InboxState, string>,
  orders: { change: 'Change', last: 'Last seen', count: 'Events', users: 'Users', first: 'First seen' },
  orderNotes: {
    change: 'loudest change first',
    last: 'last seen first',
    count: 'by all events',
    users: 'by users',
    first: 'newest first',
  },
  newCount: (n: number): string => `${count(n)} new`,
  regressedCount: (n: number): string => `${count(n)} regressed`,
  stateFilter: 'State',
  newHead: (n: number): string => `${plural(n, 'new error', 'new errors')} in the last 24 hours.`,
  openHead: (n: number): string => `${plural(n, 'open error', 'open errors')}.`,
  noneHead: 'No open error.',
  noErrorHead: 'No error was captured.',
  topShare: (percent: string, range: string): string => ` is ${percent} of the errors of ${range}`,
  topUsers: (n: number): string => (n === 0 ? '.' : ` and has reached ${plural(n, 'user', 'users')}.`),
  allOf: (events: number, range: string): string => `${plural(events, 'event', 'events')} in ${range}.`,
  thisRange: 'this range',
  the: (range: string): string => `the ${range}`,
  loading: 'Reading the errors',
  memory: 'Without a data directory, a restart forgets the groups and their states.',
  reading: 'The groups of earlier runs are being read.',
  failing: 'The data directory refuses the groups: a restart forgets what changes now.',
  cut: 'Events are counted for a week: what is older is not in the curves.',
  shownOf: (shown: number, all: number): string => `The first ${count(shown)} of ${count(all)} are listed: filter to see the others.`,
  emptyState: {
    open: 'No error is open.',
    new: 'No error is new: none was first seen in the last 24 hours.',
    spiking: 'No error has a spike: many times its usual number of events.',
    regressed: 'No resolved error has occurred again.',
    muted: 'No error is muted. A mute counts the events of an error, and calls no hook with it.',
    resolved: 'No error is resolved.',
    all: 'No error was captured.',
  } as Record<InboxState, string>,
  noMatch: 'No error matches the filter.',
  clear: 'Clear the filter',
  firstUse: 'They appear here once the service captures one: result.capture()?, monitor.capture_error(&error), or a panic.',
  filter: 'Filter',
  any: 'any',
  text: 'Type, message or place',
  release: 'Release',
  kind: 'Kind',
  kinds: { error: 'error', message: 'message', panic: 'panic' },
  outside: 'outside a request',
  search: 'Search',
  sort: 'Order',
  events: 'Events',
  users: 'Users',
  last: 'Last',
  eventsIn: (n: number, range: string): string => `${plural(n, 'event', 'events')} in ${range}`,
  allEvents: (n: number): string => `${count(n)} in all`,
  ago: (seconds: number): string => `${span(seconds)} ago`,
  openPage: 'Open its page',

  // a group
  notFoundHead: 'There is no such error.',
  notFound: 'It may have been merged into another one, or replaced by a newer one: at most a thousand are kept.',
  noId: 'The address names no error.',
  backToInbox: 'All errors',
  resolvedIn: ({ in: applies, release: name }: Resolution): string => {
    if (applies === 'now') return 'resolved before';
    return applies === 'this_release' ? `resolved in ${release(name)}` : `resolved after ${release(name)}`;
  },
  newIn: (name: string): string => `New in ${name}`,
  first: 'first',
  lastRow: 'last',
  where: 'where',
  usersRow: 'users',
  groupedBy: 'grouped by',
  groupWords: {
    fingerprint: 'the fingerprint that its captures set',
    frames: 'type and own frames',
    message: 'type and message, with placeholders',
    place: 'its place, until its stack is known',
  },
  rule: (version: number): string => `, rule ${count(version)}`,
  after: (seconds: number, name: string): string => {
    const minutes = Math.round(seconds / 60);
    const time = minutes < 1 ? 'right' : `${word(minutes)} ${minutes === 1 ? 'minute' : 'minutes'}`;
    return `, ${time} after ${name === '' ? 'a start' : name}`;
  },
  perMinute: (rate: string): string => ` · ${rate} a minute`,
  capturedAt: 'captured at',
  thread: 'thread',
  tags: 'tags',
  stack: 'Stack',
  noStack: 'No stack is kept. The first events of a place have one; see errors.backtraces.',
  otherFrames: (n: number, crates: string): string => `${plural(n, 'frame', 'frames')} of ${crates}`,
  wholeStack: (n: number): string => `All ${plural(n, 'frame', 'frames')}, the innermost first`,
  causes: 'Caused by',
  breadcrumbs: 'What the request had said',
  noBreadcrumbs: 'The request had said nothing before.',
  noSample: 'No sample event is kept: those of other errors use the memory for samples.',
  curve: 'Events',
  curveNote: (step: string): string => `per ${step}`,
  minute: 'minute',
  hour: 'hour',
  noEvents: 'No event in this range.',
  routes: 'Routes',
  releases: 'Releases',
  environments: 'Environments',
  about: 'What it is',
  environment: 'Environment',
  ofEvents: 'Of its events',
  otherNames: 'others',
  noReleases: 'The service has no version.',
  noEnvironments: 'The service has no environment.',
  samples: 'Sample events',
  samplesNote: 'from its whole life, the newest first',
  time: 'Time',
  route: 'Route',
  user: 'User',
  trace: 'Trace',
  noTrace: 'none',
  history: 'State',
  noHistory: 'Its state has never changed.',
  total: 'In all',
  inRange: 'In the range',
  firstSeen: 'First seen',
  lastSeen: 'Last seen',
  now: 'Now',
  aMinute: (rate: string): string => `${rate} a minute`,
  lastFive: 'mean of five minutes',
  latestTrace: 'Latest trace',
  itsLines: 'Its log lines',
  alerts: 'Alerts',
  noAlerts: 'No alert about errors fires.',

  // what an operator does
  resolve: 'Resolve…',
  mute: 'Mute…',
  reopen: 'Reopen',
  merge: 'Merge…',
  save: { resolve: 'Resolve', mute: 'Mute', merge: 'Merge' },
  applies: 'An event that makes it a regressed one',
  resolutions: (running: string | null): [Resolution['in'], string][] => [
    ['now', 'any event from now on'],
    ['this_release', `an event of ${release(running)} or a later release`],
    ['next_release', `an event of a release after ${running === null || running === '' ? 'the one that runs' : running}`],
  ],
  until: 'Until',
  lengths: [
    [3600, '1 h from now'],
    [28_800, '8 h from now'],
    [86_400, '24 h from now'],
    [604_800, '7 d from now'],
    [2_592_000, '30 d from now'],
  ] as [number, string][],
  untilDate: 'a date',
  untilMore: 'there are more than so many events',
  date: 'Date',
  moreThan: 'More than, events',
  within: 'Within',
  periods: [
    [60, 'a minute'],
    [300, '5 min'],
    [3600, 'an hour'],
    [86_400, 'a day'],
    [604_800, 'a week'],
  ] as [number, string][],
  mergeWith: 'The error whose events join this one',
  noOthers: 'There is no other error.',
  chooseOne: 'Choose an error to merge.',
  chooseDate: 'Choose a time within the next year.',
  mergeNote: 'This one keeps its number and its state. A merge cannot be undone.',
  changedSpoken: { resolve: 'Resolved.', mute: 'Muted.', merge: 'Merged.', reopen: 'Reopened.' },
  viewerNote: 'You are a viewer: only an operator can resolve, mute, reopen or merge an error.',
} as const;

/** What a mute lasts until. */
function muteText(state: GroupState, now: number): string {
  const { until, events, period } = state.mute ?? {};
  if (until !== undefined) return `until ${clockOrDay(until, until > now + 20 * 3_600_000 ? until + 86_400_000 : now)}`;
  if (events === undefined || period === undefined) return '';
  return `until more than ${plural(events, 'event', 'events')} in ${span(period)}`;
}

/** A state in words, with what belongs to it: `Muted until 14:20`. */
export function stateText(state: GroupState, now: number): string {
  switch (state.name) {
    case 'open':
      return E.states.open;
    case 'muted':
      return [E.states.muted, muteText(state, now)].filter(Boolean).join(' ');
    case 'regressed':
      return state.resolved_at === undefined ? E.states.regressed : `${E.states.regressed}: resolved ${clockOrDay(state.resolved_at, now)}, and occurred again`;
    case 'resolved': {
      const { resolution } = state;
      if (resolution === undefined || resolution.in === 'now') return E.states.resolved;
      return resolution.in === 'this_release' ? `Resolved in ${release(resolution.release)}` : `Resolved in the release after ${release(resolution.release)}`;
    }
  }
}

/** The clock time with seconds, or the day. */
export function exactTime(at: number, now: number): string {
  return now - at > 20 * 3_600_000 ? clockOrDay(at, now) : clockSeconds(at);
}

/** What stands out about a group, the most telling first. */
export function markOf(group: Pick<GroupRow, 'state' | 'is_new' | 'is_spiking'>): 'regressed' | 'spiking' | 'new' | 'muted' | 'resolved' | null {
  const { name } = group.state;
  if (name === 'muted' || name === 'resolved' || name === 'regressed') return name;
  if (group.is_spiking) return 'spiking';
  return group.is_new ? 'new' : null;
}
