//! Sends the states to one live client.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::clients::LivePermit;
use super::guard::{Guard, PageClient, Proof};
use super::live_state::{HEARTBEAT_MS, LiveState, bye};
use super::publisher::Dashboard;
use super::websocket::{CloseCode, Inbound, WebSocket};

/// How long a client may take to read a message.
const MAX_SEND: Duration = Duration::from_secs(10);
/// The time between two pings.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a client may be silent.
const MAX_SILENCE: Duration = Duration::from_secs(60);
/// The time between two checks of the client's access.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// How long a connection lasts whose access the host gave. The host judges the request of the next one: what it knew of
/// this one, such as a user that a layer found in a cookie, may not hold any more.
const RENEW_AFTER: Duration = Duration::from_secs(60);
/// How many frames a client may send between two pings. A client that keeps up sends one.
const MAX_FRAMES: u32 = 100;

/// A live client whose request was admitted.
pub(super) struct LiveClient {
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) guard: Arc<Guard>,
    pub(super) client: PageClient,
    /// What the client holds already.
    pub(super) held: Option<u64>,
    pub(super) permit: LivePermit,
}

/// What happens next on a connection.
enum Event {
    Inbound(Inbound),
    NewState,
    Logout,
    Timer,
}

/// What is due at a time. The end of a connection comes before all else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// The client is silent.
    Silent,
    /// The client has to connect again.
    Renew,
    Check,
    Ping,
    Heartbeat,
    Nothing,
}

/// The times of a connection.
struct Timers {
    last_sent: Instant,
    last_received: Instant,
    next_ping: Instant,
    next_check: Instant,
    /// When the client has to connect again, if it has to.
    renew_at: Option<Instant>,
    /// Frames of the client since the last ping.
    frames: u32,
}

impl Timers {
    fn new(now: Instant, proof: Proof) -> Self {
        Self {
            last_sent: now,
            last_received: now,
            next_ping: now + PING_EVERY,
            next_check: now + CHECK_EVERY,
            renew_at: (proof == Proof::Host).then(|| now + RENEW_AFTER),
            frames: 0,
        }
    }

    /// Counts a frame of the client. Returns whether there were too many.
    fn received(&mut self, now: Instant) -> bool {
        self.last_received = now;
        self.frames = self.frames.saturating_add(1);
        self.frames > MAX_FRAMES
    }

    /// What is due, one after the other. What is returned once counts as done.
    fn due(&mut self, now: Instant) -> Due {
        if self.renew_at.is_some_and(|at| now >= at) {
            return Due::Renew;
        }
        if now >= self.last_received + MAX_SILENCE {
            return Due::Silent;
        }
        if now >= self.next_check {
            self.next_check = now + CHECK_EVERY;
            return Due::Check;
        }
        if now >= self.next_ping {
            self.next_ping = now + PING_EVERY;
            self.frames = 0;
            return Due::Ping;
        }
        if now >= self.last_sent + Duration::from_millis(HEARTBEAT_MS) {
            self.last_sent = now;
            return Due::Heartbeat;
        }
        Due::Nothing
    }

    fn next(&self) -> Instant {
        let heartbeat = self.last_sent + Duration::from_millis(HEARTBEAT_MS);
        let silence = self.last_received + MAX_SILENCE;
        let next = heartbeat
            .min(silence)
            .min(self.next_ping)
            .min(self.next_check);
        self.renew_at.map_or(next, |at| next.min(at))
    }
}

/// Serves a client until it leaves, its access ends, it reads nothing, or the dashboard ends.
pub(super) async fn serve(client: LiveClient, upgraded: hyper::upgrade::Upgraded) {
    let mut socket = WebSocket::new(TokioIo::new(upgraded));
    let end = run(&client, &mut socket).await;
    if let Ok(Some((reason, code))) = end {
        let closing = async {
            socket.send_text(&bye(reason)).await?;
            socket.send_close(code).await
        };
        // The connection is dropped in any case.
        drop(timeout(MAX_SEND, closing).await);
    }
    drop(client.permit);
}

/// Returns the reason that the client is told; `None` if it has left or must not be told.
async fn run(
    client: &LiveClient,
    socket: &mut WebSocket,
) -> io::Result<Option<(&'static str, CloseCode)>> {
    let mut states = client.dashboard.look();
    let mut logouts = client.guard.logouts();
    let mut timers = Timers::new(Instant::now(), client.client.proof);
    let first = client.dashboard.wait_for_recent(&mut states).await;
    if first.has_ended {
        return Ok(Some(("shutdown", CloseCode::GoingAway)));
    }
    let mut seq = first.seq;
    // Before the first state, there is nothing to send.
    if seq > 0 {
        let greeting = match client.held.filter(|held| *held < seq) {
            Some(held) => first.changes_since(held),
            None => first.hello(),
        };
        send(socket, &greeting).await?;
    }
    drop(first);
    loop {
        let event = next_event(socket, &mut states, &mut logouts, timers.next()).await;
        let now = Instant::now();
        match event {
            Event::Inbound(Inbound::Closed) => return Ok(None),
            Event::Inbound(Inbound::Unexpected) => {
                within(socket.send_close(CloseCode::Protocol)).await?;
                return Ok(None);
            }
            Event::Inbound(Inbound::Pong | Inbound::Ping { .. }) if timers.received(now) => {
                return Ok(Some(("too_many_messages", CloseCode::Policy)));
            }
            Event::Inbound(Inbound::Pong) => {}
            Event::Inbound(Inbound::Ping { content, len }) => {
                let content = content.get(..len).unwrap_or_default();
                within(socket.send_pong(content)).await?;
            }
            Event::NewState => {
                let state = Arc::clone(&states.borrow_and_update());
                if state.has_ended {
                    return Ok(Some(("shutdown", CloseCode::GoingAway)));
                }
                if state.seq != seq {
                    send_changes(socket, &state, seq).await?;
                    seq = state.seq;
                    timers.last_sent = Instant::now();
                }
            }
            Event::Logout => {
                if !has_access(client) {
                    return Ok(Some(("session_ended", CloseCode::Policy)));
                }
            }
            Event::Timer => match timers.due(now) {
                Due::Silent => return Ok(None),
                Due::Renew => return Ok(Some(("renew", CloseCode::GoingAway))),
                Due::Check if !has_access(client) => {
                    return Ok(Some(("session_ended", CloseCode::Policy)));
                }
                Due::Check | Due::Nothing => {}
                Due::Ping => within(socket.send_ping()).await?,
                Due::Heartbeat => {
                    // While no state is computed, the client hears nothing, and so tells that its figures are old.
                    let now = client.dashboard.setup.now();
                    let state = Arc::clone(&states.borrow());
                    if state.is_current(now) {
                        send(socket, &state.heartbeat()).await?;
                    }
                }
            },
        }
    }
}

/// Sends what has changed since the client was told last. If it read too slowly, it is told that it has missed states.
async fn send_changes(socket: &mut WebSocket, state: &LiveState, seq: u64) -> io::Result<()> {
    if seq == 0 {
        return send(socket, &state.hello()).await;
    }
    let missed = state.seq.saturating_sub(seq).saturating_sub(1);
    if missed > 0 {
        send(socket, &state.gap(missed)).await?;
        return send(socket, &state.hello()).await;
    }
    send(socket, &state.changes_since(seq)).await
}

async fn send(socket: &mut WebSocket, message: &Bytes) -> io::Result<()> {
    within(socket.send_text(message)).await
}

/// A client that reads nothing loses its connection.
async fn within(sending: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(MAX_SEND, sending).await?
}

fn has_access(client: &LiveClient) -> bool {
    client.guard.still_has_access(&client.client)
}

/// Waits for what happens next. What the client sends comes last: however much that is, it delays nothing else.
async fn next_event<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<T>,
    states: &mut watch::Receiver<Arc<LiveState>>,
    logouts: &mut watch::Receiver<u64>,
    deadline: Instant,
) -> Event {
    let (mut changed, mut logout) = (pin!(states.changed()), pin!(logouts.changed()));
    let mut timer = pin!(sleep_until(deadline));
    poll_fn(|context| {
        if logout.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Logout);
        }
        // The timer alone may be late: the runtime looks at it only between tasks.
        if Instant::now() >= deadline || timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Timer);
        }
        // The dashboard outlives its clients, so the channel stays open.
        if changed.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::NewState);
        }
        socket.poll_receive(context).map(Event::Inbound)
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    /// A masked ping without content, as a client sends it.
    const PING: [u8; 6] = [0x89, 0x80, 1, 2, 3, 4];

    #[tokio::test]
    async fn a_flood_of_pings_delays_nothing() {
        let (mut client, server) = duplex(1 << 16);
        client.write_all(&PING.repeat(1000)).await.unwrap();
        let mut socket = WebSocket::new(server);
        let (state, mut states) = watch::channel(Arc::new(LiveState::empty(String::new())));
        let (logout, mut logouts) = watch::channel(0);
        let later = Instant::now() + Duration::from_secs(3600);
        let event = next_event(&mut socket, &mut states, &mut logouts, later).await;
        assert!(matches!(event, Event::Inbound(Inbound::Ping { .. })));
        state.send_replace(Arc::new(LiveState::empty(String::new())));
        let event = next_event(&mut socket, &mut states, &mut logouts, later).await;
        assert!(matches!(event, Event::NewState));
        let due = Instant::now();
        let event = next_event(&mut socket, &mut states, &mut logouts, due).await;
        assert!(matches!(event, Event::Timer));
        logout.send_replace(1);
        let event = next_event(&mut socket, &mut states, &mut logouts, due).await;
        assert!(matches!(event, Event::Logout));
    }

    #[test]
    fn what_is_due_is_done_once_each_and_the_end_first() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut timers = Timers::new(begin, Proof::Bearer);
        assert_eq!(timers.due(at(4)), Due::Nothing);
        assert_eq!(timers.due(at(5)), Due::Heartbeat);
        assert_eq!(timers.due(at(20)), Due::Ping);
        assert_eq!(timers.due(at(20)), Due::Heartbeat);
        assert_eq!(timers.due(at(20)), Due::Nothing);
        assert!(!timers.received(at(30)));
        assert_eq!(timers.due(at(60)), Due::Check);
        assert_eq!(timers.due(at(89)), Due::Ping);
        assert_eq!(timers.due(at(90)), Due::Silent);
    }

    #[test]
    fn access_that_the_host_gave_is_renewed_by_a_new_connection() {
        let begin = Instant::now();
        let mut timers = Timers::new(begin, Proof::Host);
        assert_eq!(timers.due(begin + Duration::from_secs(59)), Due::Ping);
        // Also a client that is not silent.
        let end = begin + RENEW_AFTER;
        timers.received(end);
        assert_eq!((timers.next() <= end, timers.due(end)), (true, Due::Renew));
        let of_session = Timers::new(begin, Proof::Bearer);
        assert_eq!(of_session.renew_at, None);
    }

    #[test]
    fn a_client_that_sends_too_much_is_known() {
        let begin = Instant::now();
        let mut timers = Timers::new(begin, Proof::Open);
        let within = (0..MAX_FRAMES).filter(|_| timers.received(begin)).count();
        assert_eq!(within, 0);
        assert!(timers.received(begin));
        // Each ping begins to count anew.
        assert_eq!(timers.due(begin + PING_EVERY), Due::Ping);
        assert!(!timers.received(begin + PING_EVERY));
    }
}
