//! Sends the states to one live client.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::clients::LivePermit;
use super::guard::{Guard, PageClient};
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

/// A live client whose request was admitted.
pub(super) struct LiveClient {
    pub(super) dashboard: Arc<Dashboard>,
    pub(super) guard: Arc<Guard>,
    pub(super) client: PageClient,
    /// The request, for an access that depends on it.
    pub(super) request: Option<Box<Parts>>,
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

/// The times of a connection.
struct Timers {
    last_sent: Instant,
    last_received: Instant,
    next_ping: Instant,
    next_check: Instant,
}

impl Timers {
    fn next(&self) -> Instant {
        let heartbeat = self.last_sent + Duration::from_millis(HEARTBEAT_MS);
        let silence = self.last_received + MAX_SILENCE;
        heartbeat
            .min(silence)
            .min(self.next_ping)
            .min(self.next_check)
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
    let now = Instant::now();
    let mut timers = Timers {
        last_sent: now,
        last_received: now,
        next_ping: now + PING_EVERY,
        next_check: now + CHECK_EVERY,
    };
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
            Event::Inbound(Inbound::Pong) => timers.last_received = now,
            Event::Inbound(Inbound::Ping { content, len }) => {
                timers.last_received = now;
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
            Event::Timer => {
                if now >= timers.last_received + MAX_SILENCE {
                    return Ok(None);
                }
                if now >= timers.next_check {
                    timers.next_check = now + CHECK_EVERY;
                    if !has_access(client) {
                        return Ok(Some(("session_ended", CloseCode::Policy)));
                    }
                }
                if now >= timers.next_ping {
                    timers.next_ping = now + PING_EVERY;
                    within(socket.send_ping()).await?;
                }
                if now >= timers.last_sent + Duration::from_millis(HEARTBEAT_MS) {
                    // While no state is computed, the client hears nothing, and so tells that its figures are old.
                    let now = client.dashboard.setup.now();
                    let state = Arc::clone(&states.borrow());
                    if state.is_current(now) {
                        send(socket, &state.heartbeat()).await?;
                    }
                    timers.last_sent = Instant::now();
                }
            }
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
    let request = client.request.as_deref();
    client.guard.still_has_access(&client.client, request)
}

async fn next_event(
    socket: &mut WebSocket,
    states: &mut watch::Receiver<Arc<LiveState>>,
    logouts: &mut watch::Receiver<u64>,
    deadline: Instant,
) -> Event {
    let (mut changed, mut logout) = (pin!(states.changed()), pin!(logouts.changed()));
    let mut timer = pin!(sleep_until(deadline));
    poll_fn(|context| {
        if let Poll::Ready(inbound) = socket.poll_receive(context) {
            return Poll::Ready(Event::Inbound(inbound));
        }
        if logout.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Logout);
        }
        // The dashboard outlives its clients, so the channel stays open.
        if changed.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::NewState);
        }
        timer.as_mut().poll(context).map(|()| Event::Timer)
    })
    .await
}
