//! An HTTP/1 connection, with a time limit for each step that a client can delay. Only this file of the module uses
//! hyper.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep_until;

use super::limiter::ConnectionPermit;
use super::page::{PageTable, ServedBody, find, not_found};
use super::progress::{ConnectionProgress, ConnectionStage};
use super::shutdown::{ShutdownWatch, shutdown_requested};
use crate::http::PeerAddr;

/// The maximum size of a request head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Serves a connection until the client closes it, its time limit expires, it is evicted or the server shuts down.
pub(super) async fn serve(
    stream: TcpStream,
    pages: PageTable,
    mut stop: ShutdownWatch,
    permit: ConnectionPermit,
) {
    let progress = permit.progress.clone();
    let peer = stream
        .peer_addr()
        .ok()
        .map(|address| PeerAddr(address.ip()));
    let socket = TokioIo::new(TrackedSocket {
        stream,
        progress: progress.clone(),
    });
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        progress.set(ConnectionStage::Response);
        let (progress, response) = (progress.clone(), respond(&pages, request));
        async move { Ok::<_, Infallible>(response.await.map(|body| TrackedBody { body, progress })) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            // The timer below distinguishes a slow request head from a pause between two requests; this timeout cannot.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD)
            .serve_connection(socket, service)
            .with_upgrades()
    );
    let (mut watch, mut stopped) = (
        pin!(sleep_until(progress.deadline())),
        pin!(shutdown_requested(&mut stop)),
    );
    let mut evicted = pin!(permit.evict.notified());
    let mut stopping = false;
    // The order of the polls matters. A shutdown lets the response in progress end, so the connection is still polled
    // after it. An eviction ends the connection at once, because another client waits for its place.
    poll_fn(|context| {
        if !stopping && stopped.as_mut().poll(context).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if evicted.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // Last, because polling the connection may have moved the deadline.
        let deadline = progress.deadline();
        if watch.deadline() != deadline {
            watch.as_mut().reset(deadline);
        }
        watch.as_mut().poll(context)
    })
    .await;
}

/// The body of a request, whose errors are those of any body.
struct FailingBody(Incoming);

impl Body for FailingBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Returns the response of the page.
fn respond(
    pages: &PageTable,
    request: Request<Incoming>,
) -> impl Future<Output = Response<ServedBody>> + use<> {
    let page = find(pages, request.uri().path());
    let response = page.map(|page| page(request.map(|body| Box::pin(FailingBody(body)) as _)));
    async move {
        match response {
            Some(response) => response.await,
            None => not_found(),
        }
    }
}

/// A socket that records when bytes are read and written.
struct TrackedSocket {
    stream: TcpStream,
    progress: ConnectionProgress,
}

impl AsyncRead for TrackedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.progress.advance(
                &[ConnectionStage::Silent, ConnectionStage::Idle],
                ConnectionStage::Head,
            );
        }
        read
    }
}

impl AsyncWrite for TrackedSocket {
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

impl TrackedSocket {
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.progress
                .advance(&[ConnectionStage::Response], ConnectionStage::Response);
        }
    }
}

/// A page body that records when the response ends.
struct TrackedBody {
    body: ServedBody,
    progress: ConnectionProgress,
}

impl Body for TrackedBody {
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

impl Drop for TrackedBody {
    fn drop(&mut self) {
        self.progress.set(ConnectionStage::Idle);
    }
}
