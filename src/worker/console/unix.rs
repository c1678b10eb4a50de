use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Standard output without `std`'s line buffer and its lock: a block is one `write`, and a `println!` of
/// the host never waits for ours.
///
/// It has its own file descriptor. If none can be opened, each write returns the error and tries again.
#[derive(Debug, Default)]
pub(crate) struct Console(Option<File>);

impl Console {
    pub(crate) fn stdout() -> Self {
        Self(open().ok())
    }
}

fn open() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Some(file) => file.write(bytes),
            none => none.insert(open()?).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_a_descriptor_of_its_own_and_gets_one_later_if_need_be() {
        assert!(Console::stdout().0.is_some());
        let mut late = Console::default();
        assert_eq!(late.write(b"").unwrap(), 0);
        assert!(late.0.is_some());
    }
}
