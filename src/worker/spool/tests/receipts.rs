//! When receipts complete, which runs code of the host.

use std::io;
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use super::Memory;
use crate::clock::Clock;
use crate::model::{Diagnostics, RecordCounters};
use crate::worker::completion::{Completion, CompletionFuture};
use crate::worker::spool::writer::{OpenSpool, SpoolWriterSetup};
use crate::worker::{RecordQueue, SpoolWriter};

/// How long to wait. Only a deadlock takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

fn writer(open: Box<OpenSpool>) -> SpoolWriter {
    SpoolWriter::new(SpoolWriterSetup {
        name: "items",
        open,
        monotonic: Clock::system(),
        wall: 0,
        record_queue: Arc::new(RecordQueue::new(1 << 20, Arc::<RecordCounters>::default())),
        diagnostics: Arc::new(Diagnostics::default()),
    })
}

/// Host code that reads the state of the store as soon as it is woken.
struct Reader(SpoolWriter, OnceLock<u64>);

impl Wake for Reader {
    fn wake(self: Arc<Self>) {
        self.1.get_or_init(|| self.0.last());
    }
}

/// A receipt that wakes host code, and what that has read.
fn awaited(writer: &SpoolWriter) -> (Arc<Completion<bool>>, Arc<Reader>) {
    let receipt = Arc::<Completion<bool>>::default();
    let reader = Arc::new(Reader(writer.clone(), OnceLock::new()));
    let waker = Waker::from(Arc::clone(&reader));
    let mut future = std::pin::pin!(CompletionFuture(Arc::clone(&receipt)));
    let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll.is_pending());
    (receipt, reader)
}

#[test]
fn refused_receipts_complete_once_no_lock_is_held() {
    let (sender, done) = channel();
    // A waker that is called under the lock hangs.
    std::thread::spawn(move || {
        let memory = Memory::default();
        let writer_that_fails = writer(Box::new(|| Err(io::Error::other("the disk is gone"))));
        let (receipt, reader) = awaited(&writer_that_fails);
        let pushed = writer_that_fails.push(vec![1], Some(Arc::clone(&receipt)));
        assert_eq!(receipt.value(), None, "before the caller lets it");
        let number = pushed.number;
        drop(pushed);
        assert_eq!(receipt.value(), Some(false));
        assert_eq!(reader.1.get(), Some(&number));

        let writer = writer(Box::new(move || Ok(memory.spool(64 << 20))));
        let (oldest, reader) = awaited(&writer);
        drop(writer.push(vec![2; 1 << 20], Some(Arc::clone(&oldest))));
        for _ in 0..3 {
            drop(writer.push(vec![2; 1 << 20], None));
        }
        assert_eq!(oldest.value(), None);
        let pushed = writer.push(vec![2; 1 << 20], None);
        assert_eq!(oldest.value(), None, "before the caller lets it");
        let number = pushed.number;
        drop(pushed);
        assert_eq!(oldest.value(), Some(false));
        assert_eq!(reader.1.get(), Some(&number));
        sender.send(()).unwrap();
    });
    assert!(done.recv_timeout(PATIENCE).is_ok());
}
