//! One connection: HTTP/1, with a time for everything that a client may draw out. The one place that
//! names hyper.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::page::{PageBody, Pages, not_found};
use super::{Stop, told};

/// From a head's first byte to its last; also from the connection's beginning to its first head's end.
const HEAD: Duration = Duration::from_secs(5);
/// Without a byte taken by the client while it is answered.
const STALL: Duration = Duration::from_secs(30);
/// Between two requests. Longer than the usual interval of a scrape.
const IDLE: Duration = Duration::from_secs(75);
/// The largest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// What a connection is doing, since when. Shared by its socket, its service and its watch, which all run
/// in one task.
#[derive(Clone)]
struct Doing(Arc<Mutex<(Stage, Instant)>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A head is awaited to its end.
    Head,
    /// An answer is made or sent; since the last byte of it that was taken.
    Answer,
    /// Nothing is under way.
    Idle,
}

impl Doing {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((Stage::Head, Instant::now()))))
    }

    fn is(&self, stage: Stage) {
        *self.lock() = (stage, Instant::now());
    }

    fn goes_from(&self, from: Stage, to: Stage) {
        let mut now = self.lock();
        if now.0 == from {
            *now = (to, Instant::now());
        }
    }

    fn deadline(&self) -> Instant {
        let (stage, since) = *self.lock();
        since
            + match stage {
                Stage::Head => HEAD,
                Stage::Answer => STALL,
                Stage::Idle => IDLE,
            }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Stage, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a connection to its end: the client's, its time's or the server's.
pub(super) async fn serve(stream: TcpStream, pages: Pages, mut stop: Stop) {
    let doing = Doing::new();
    let socket = TokioIo::new(Socket {
        stream,
        doing: doing.clone(),
    });
    let service = service_fn(|request: Request<Incoming>| {
        doing.is(Stage::Answer);
        let (answering, answer) = (doing.clone(), answer(&pages, request));
        async move {
            Ok::<_, Infallible>(answer.await.map(|body| Answering {
                body,
                doing: answering,
            }))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            // The watch below tells a slow head from a pause between two requests.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD)
            .serve_connection(socket, service)
    );
    let (mut watch, mut stopped) = (pin!(sleep_until(doing.deadline())), pin!(told(&mut stop)));
    let mut stopping = false;
    poll_fn(|context| {
        if !stopping && stopped.as_mut().poll(context).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let deadline = doing.deadline();
        if watch.deadline() != deadline {
            watch.as_mut().reset(deadline);
        }
        watch.as_mut().poll(context)
    })
    .await;
}

/// The body of the request is dropped unread.
fn answer(
    pages: &Pages,
    request: Request<Incoming>,
) -> impl Future<Output = Response<PageBody>> + use<> {
    let path = request.uri().path();
    let page = pages.iter().find(|(at, _)| *at == path);
    let answer = page.map(|(_, page)| page(request.map(drop)));
    async move {
        match answer {
            Some(answer) => answer.await,
            None => not_found(),
        }
    }
}

/// The socket, which tells when bytes move.
struct Socket {
    stream: TcpStream,
    doing: Doing,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.doing.goes_from(Stage::Idle, Stage::Head);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Socket {
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.doing.goes_from(Stage::Answer, Stage::Answer);
        }
    }
}

/// A page's body, which tells when it is through.
struct Answering {
    body: PageBody,
    doing: Doing,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.body.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.doing.is(Stage::Idle);
    }
}
