use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use super::sink_status::SinkError;
use crate::model::catch_panic;

/// Ends a partially written line, so that the next line starts on its own and the part is not mistaken for a complete
/// line.
const TORN: &[u8] = b" [torn]\n";
/// The maximum number of interrupted calls in a row that are repeated without a pause.
const MAX_FAST_RETRIES: u32 = 16;

/// A sink's `Write`, with the state of the line that was written last.
pub(super) struct SinkWriter {
    out: Box<dyn Write + Send>,
    /// Whether the last line was written in part.
    torn: bool,
}

/// Why a block was not written completely.
#[derive(Debug)]
pub(super) enum WriteError {
    Io(io::Error),
    Panic,
    /// The sink has been closed meanwhile.
    Closed,
}

impl SinkWriter {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, torn: false }
    }

    /// Writes a block. It calls `accepted` with the number of bytes written so far, whenever that grows and while the
    /// receiver is not ready. `accepted` returns whether to continue.
    pub(super) fn write(
        &mut self,
        block: &[u8],
        mut accepted: impl FnMut(usize) -> bool,
    ) -> Result<(), WriteError> {
        if self.torn {
            self.put(TORN, |_| accepted(0))?;
            self.torn = false;
        }
        let mut out = 0;
        let end = self.put(block, |bytes| {
            out = bytes;
            accepted(bytes)
        });
        // A `write` that panicked may have taken some bytes or none.
        self.torn = matches!(end, Err(WriteError::Panic))
            || out
                .checked_sub(1)
                .and_then(|last| block.get(last))
                .is_some_and(|b| *b != b'\n');
        end
    }

    fn put(
        &mut self,
        bytes: &[u8],
        mut accepted: impl FnMut(usize) -> bool,
    ) -> Result<(), WriteError> {
        let (mut done, mut idle) = (0, 0);
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match catch_panic(|| self.out.write(rest)).ok_or(WriteError::Panic)? {
                // A writer that takes nothing would be called forever.
                Ok(0) => return Err(WriteError::Io(ErrorKind::WriteZero.into())),
                Ok(n) => {
                    // A faulty `Write` may claim more than it was given.
                    done += n.min(rest.len());
                    idle = 0;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted && idle < MAX_FAST_RETRIES => {
                    idle += 1;
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) =>
                {
                    idle += 1;
                    // 1 ms rising to 64 ms.
                    std::thread::sleep(Duration::from_millis(1 << (idle / 4).min(6)));
                }
                Err(error) => return Err(WriteError::Io(error)),
            }
            // Also while nothing is taken: this is the only way in which a sink that is closed ends the wait.
            if !accepted(done) {
                return Err(WriteError::Closed);
            }
        }
        Ok(())
    }

    /// Flushes the `Write`.
    pub(super) fn flush(&mut self) -> Result<(), SinkError> {
        let flushed = catch_panic(|| self.out.flush()).ok_or(SinkError::Panicked)?;
        flushed.map_err(|error| SinkError::Unflushed(error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Accepts the numbers of bytes in its script, then everything.
    struct Scripted {
        script: std::vec::IntoIter<io::Result<usize>>,
        got: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = self.script.next().unwrap_or(Ok(bytes.len()))?;
            assert_ne!(n, 999, "a planned panic");
            let n = n.min(bytes.len());
            self.got.lock().unwrap().extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn scripted(script: Vec<io::Result<usize>>) -> (SinkWriter, Arc<Mutex<Vec<u8>>>) {
        let got = Arc::default();
        let out = Scripted {
            script: script.into_iter(),
            got: Arc::clone(&got),
        };
        (SinkWriter::new(Box::new(out)), got)
    }

    fn full() -> io::Result<usize> {
        Err(ErrorKind::StorageFull.into())
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next_at_every_byte() {
        let block = b"one\ntwo\n";
        for cut in 1..=block.len() {
            let (mut writer, got) = scripted(vec![Ok(cut), full()]);
            let mut out = 0;
            let end = writer.write(block, |n| {
                out = n;
                true
            });
            assert_eq!((end.is_ok(), out), (cut == block.len(), cut));
            drop(writer.write(b"more\n", |_| true));
            let got = String::from_utf8(got.lock().unwrap().clone()).unwrap();
            let mut lines = got.lines().rev();
            let (last, before) = (lines.next(), lines.next().unwrap());
            if cut == block.len() {
                // The planned error met this write, which had written nothing.
                assert_eq!((last, before), (Some("two"), "one"));
            } else {
                assert_eq!(last, Some("more"), "{cut}: {got}");
                assert_eq!(before.ends_with("[torn]"), cut != 4, "{cut}: {got}");
            }
        }
    }

    #[test]
    fn the_end_of_a_torn_line_may_itself_be_torn() {
        let (mut writer, got) = scripted(vec![Ok(2), full(), Ok(3), full(), full()]);
        for _ in 0..3 {
            assert!(writer.write(b"abc\n", |_| true).is_err());
        }
        writer.write(b"abc\n", |_| true).unwrap();
        assert_eq!(*got.lock().unwrap(), b"ab [t [torn]\nabc\n");
    }

    #[test]
    fn interruptions_and_an_unready_receiver_are_waited_out() {
        let mut script: Vec<_> = (0..40)
            .map(|_| Err(ErrorKind::Interrupted.into()))
            .collect();
        script.extend((0..3).map(|_| Err(ErrorKind::WouldBlock.into())));
        let (mut writer, got) = scripted(script);
        writer.write(b"abc\n", |_| true).unwrap();
        assert_eq!(*got.lock().unwrap(), b"abc\n");
    }

    #[test]
    fn nothing_taken_is_an_error_and_a_panic_is_one_too() {
        let (mut writer, got) = scripted(vec![Ok(0), Ok(999), Ok(999)]);
        assert!(matches!(
            writer.write(b"a\n", |_| true),
            Err(WriteError::Io(_))
        ));
        assert!(matches!(
            writer.write(b"b\n", |_| true),
            Err(WriteError::Panic)
        ));
        assert!(matches!(
            writer.write(b"c\n", |_| true),
            Err(WriteError::Panic)
        ));
        writer.write(b"d\n", |_| true).unwrap();
        assert_eq!(*got.lock().unwrap(), b" [torn]\nd\n");
    }

    #[test]
    fn a_closed_sink_stops_the_wait_for_an_unready_receiver() {
        let script = (0..1_000_000)
            .map(|_| Err(ErrorKind::WouldBlock.into()))
            .collect();
        let (mut writer, _) = scripted(script);
        let mut asked = 0;
        let end = writer.write(b"a\n", |_| {
            asked += 1;
            asked < 3
        });
        assert!(matches!(end, Err(WriteError::Closed)));
    }
}
