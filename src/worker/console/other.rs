use std::io::{self, Write};

/// Standard output.
#[derive(Debug)]
pub(crate) struct Console(io::Stdout);

impl Console {
    pub(crate) fn stdout() -> Self {
        Self(io::stdout())
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
