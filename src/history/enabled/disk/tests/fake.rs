//! A directory in memory that counts its calls, fails where a test wants it, and loses what was not synced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::files::{InputFile, OutputFile, StoreFiles};

/// The names and contents of all files.
pub(super) type Contents = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone, Default)]
pub(super) struct FakeFiles(Arc<Mutex<FakeState>>);

#[derive(Debug, Default)]
pub(super) struct FakeState {
    files: BTreeMap<String, FakeFile>,
    /// The names that a power loss leaves.
    synced: BTreeMap<String, FakeFile>,
    /// The number of calls that change something.
    pub(super) changes: u64,
    /// Every change fails with this error.
    pub(super) error: Option<ErrorKind>,
    pub(super) bytes_read: u64,
    /// If it is set, what a power loss before each change may leave, and the mark at that time.
    pub(super) crashes: Option<Vec<(u64, Contents)>>,
    /// What the test wants to know of the time of a crash.
    pub(super) mark: u64,
    /// While it is locked by a test, every list of the files waits.
    pub(super) gate: Arc<Mutex<()>>,
}

/// The content of a file, and how much of it is synced.
#[derive(Debug, Clone, Default)]
struct FakeFile(Arc<Mutex<(Vec<u8>, usize)>>);

/// What happens to bytes that were written and not synced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unsynced {
    Kept,
    Lost,
    Half,
    Zeros,
}

struct FakeInput {
    state: FakeFiles,
    bytes: Vec<u8>,
}

struct FakeOutput {
    state: FakeFiles,
    name: String,
    file: FakeFile,
}

impl FakeFiles {
    pub(super) fn of(contents: Contents) -> Self {
        let files: BTreeMap<_, _> = contents
            .into_iter()
            .map(|(name, bytes)| {
                let len = bytes.len();
                (name, FakeFile(Arc::new(Mutex::new((bytes, len)))))
            })
            .collect();
        Self(Arc::new(Mutex::new(FakeState {
            synced: files.clone(),
            files,
            ..FakeState::default()
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().unwrap()
    }

    pub(super) fn contents(&self) -> Contents {
        self.after_crash(true, Unsynced::Kept)
    }

    /// What a power loss leaves. `names` tells whether unsynced changes of names are kept.
    pub(super) fn after_crash(&self, names: bool, unsynced: Unsynced) -> Contents {
        let state = self.state();
        let files = if names { &state.files } else { &state.synced };
        let content = |file: &FakeFile| {
            let (mut bytes, synced) = file.0.lock().unwrap().clone();
            match unsynced {
                Unsynced::Kept => {}
                Unsynced::Lost => bytes.truncate(synced),
                Unsynced::Half => bytes.truncate(synced + (bytes.len() - synced) / 2),
                Unsynced::Zeros => bytes[synced..].fill(0),
            }
            bytes
        };
        files
            .iter()
            .map(|(name, file)| (name.clone(), content(file)))
            .collect()
    }

    /// Remembers what a power loss at this moment may leave.
    pub(super) fn record_crashes(&self) {
        for names in [true, false] {
            for unsynced in [
                Unsynced::Kept,
                Unsynced::Lost,
                Unsynced::Half,
                Unsynced::Zeros,
            ] {
                let left = self.after_crash(names, unsynced);
                let mut state = self.state();
                let mark = state.mark;
                let crashes = state.crashes.get_or_insert_default();
                let is_new = !crashes
                    .iter()
                    .rev()
                    .take(16)
                    .any(|(of, other)| *of == mark && *other == left);
                if is_new {
                    crashes.push((mark, left));
                }
            }
        }
    }

    /// Counts a change, or fails.
    fn change(&self) -> io::Result<MutexGuard<'_, FakeState>> {
        if self.state().crashes.is_some() {
            self.record_crashes();
        }
        let mut state = self.state();
        if let Some(error) = state.error {
            return Err(error.into());
        }
        state.changes += 1;
        Ok(state)
    }
}

impl StoreFiles for FakeFiles {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let gate = Arc::clone(&self.state().gate);
        drop(gate.lock().unwrap());
        if let Some(error) = self.state().error {
            return Err(error.into());
        }
        let files = self.state().files.clone();
        Ok(files
            .into_iter()
            .map(|(name, file)| (name, file.0.lock().unwrap().0.len() as u64))
            .collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn InputFile>> {
        let file = self.state().files.get(name).cloned();
        let bytes = file.ok_or(ErrorKind::NotFound)?.0.lock().unwrap().0.clone();
        let state = self.clone();
        Ok(Box::new(FakeInput { state, bytes }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn OutputFile>> {
        let file = FakeFile::default();
        self.change()?.files.insert(name.to_owned(), file.clone());
        Ok(Box::new(FakeOutput {
            state: self.clone(),
            name: name.to_owned(),
            file,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.change()?;
        let file = state.files.remove(from).ok_or(ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.change()?.files.remove(name);
        removed.map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.change()?;
        state.synced = state.files.clone();
        Ok(())
    }
}

impl InputFile for FakeInput {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.state.state().bytes_read += len as u64;
        let start = usize::try_from(offset).unwrap();
        let bytes = self.bytes.get(start..).and_then(|rest| rest.get(..len));
        Ok(bytes.ok_or(ErrorKind::UnexpectedEof)?.to_vec())
    }
}

impl OutputFile for FakeOutput {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A process that ends in a write may have written a part of it.
        let changed = self.state.change().map(drop);
        let part = if changed.is_ok() {
            bytes
        } else {
            &bytes[..bytes.len() / 3]
        };
        self.file.0.lock().unwrap().0.extend_from_slice(part);
        changed
    }

    fn sync(&mut self) -> io::Result<()> {
        let state = self.state.change()?;
        let is_there = |file: &FakeFile| Arc::ptr_eq(&file.0, &self.file.0);
        if !state.files.get(&self.name).is_some_and(is_there) {
            return Err(ErrorKind::NotFound.into());
        }
        let mut file = self.file.0.lock().unwrap();
        file.1 = file.0.len();
        Ok(())
    }
}
