//! The spool with files in memory that a test can make fail, tear or disappear.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

mod power;
mod receipts;

use super::store::Spool;
use crate::files::Files;

/// Files in memory. What was not synced may be lost.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, Vec<u8>>,
    synced: BTreeMap<String, usize>,
    current: String,
    calls: usize,
    /// The call that fails, and whether all after it do.
    fails_at: Option<(usize, bool)>,
    kind: Option<ErrorKind>,
}

impl Memory {
    fn call(&self) -> io::Result<std::sync::MutexGuard<'_, Inner>> {
        let mut inner = self.0.lock().unwrap();
        inner.calls += 1;
        let now = inner.calls;
        let fails = inner
            .fails_at
            .is_some_and(|(at, forever)| now == at || forever && now > at);
        if fails {
            return Err(inner.kind.unwrap_or(ErrorKind::StorageFull).into());
        }
        Ok(inner)
    }

    fn spool(&self, max: u64) -> Spool {
        Spool::open(Box::new(self.clone()), max).unwrap()
    }
}

impl Files for Memory {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let inner = self.call()?;
        let files = inner.files.iter();
        Ok(files
            .map(|(name, it)| (name.clone(), it.len() as u64))
            .collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let inner = self.call()?;
        inner
            .files
            .get(name)
            .cloned()
            .ok_or(ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.call()?;
        inner.files.insert(name.to_owned(), Vec::new());
        name.clone_into(&mut inner.current);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let failed = self.call().map(drop);
        let mut inner = self.0.lock().unwrap();
        // A failed write has written half of its data.
        let part = if failed.is_ok() {
            bytes.len()
        } else {
            bytes.len() / 2
        };
        let current = inner.current.clone();
        inner
            .files
            .entry(current)
            .or_default()
            .extend_from_slice(&bytes[..part]);
        failed
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut inner = self.call()?;
        let current = inner.current.clone();
        let len = inner.files[&current].len();
        inner.synced.insert(current, len);
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.call()?;
        inner.files.insert(name.to_owned(), bytes.to_vec());
        inner.synced.insert(name.to_owned(), bytes.len());
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.call()?;
        let file = inner.files.remove(from).ok_or(ErrorKind::NotFound)?;
        inner.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut inner = self.call()?;
        inner
            .files
            .remove(name)
            .map(drop)
            .ok_or(ErrorKind::NotFound.into())
    }
}

fn records(range: std::ops::Range<u64>, len: usize) -> Vec<(u64, Vec<u8>)> {
    range.map(|n| (n, vec![n as u8; len])).collect()
}

fn numbers(spool: &mut Spool, mut after: u64) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let read = spool.read(after, 10_000);
        let Some((last, _)) = read.last() else {
            return all;
        };
        after = *last;
        for (number, body) in &read {
            assert!(body.iter().all(|byte| *byte == *number as u8));
        }
        all.extend(read.iter().map(|(number, _)| *number));
    }
}

#[test]
fn what_is_stored_is_found_again_until_it_is_acknowledged() {
    let memory = Memory::default();
    let mut spool = memory.spool(64 << 20);
    spool.append(&records(1..101, 500)).unwrap();
    spool.append(&records(101..151, 100_000)).unwrap();
    let mut again = memory.spool(64 << 20);
    assert!(again.next() > 150);
    assert_eq!(numbers(&mut again, 0), (1..151).collect::<Vec<_>>());
    assert_eq!(numbers(&mut again, 120), (121..151).collect::<Vec<_>>());
    again.ack(130);
    again.save_acks().unwrap();
    let files = memory.0.lock().unwrap().files.len();
    let mut third = memory.spool(64 << 20);
    assert_eq!(third.acked(), 130);
    assert_eq!(numbers(&mut third, 0), (131..151).collect::<Vec<_>>());
    third
        .append(&records(third.next()..third.next() + 1, 10))
        .unwrap();
    third.ack(third.next() - 1);
    third.save_acks().unwrap();
    assert!(files > 2);
    assert_eq!(
        memory.0.lock().unwrap().files.len(),
        1,
        "the cursor is left"
    );
    assert_eq!(third.bytes(), 0);
}

#[test]
fn over_the_cap_the_oldest_go_and_are_counted() {
    let memory = Memory::default();
    let mut spool = memory.spool(4 << 20);
    for n in 0..200 {
        spool.append(&records(n..n + 1, 100_000)).unwrap();
        assert!(spool.bytes() <= (4 << 20) + 100_100);
    }
    let left = numbers(&mut spool, 0);
    assert_eq!(left.len() as u64 + spool.take_evicted(), 199);
    assert_eq!(left.last(), Some(&199));
    let on_disk: usize = memory.0.lock().unwrap().files.values().map(Vec::len).sum();
    assert_eq!(on_disk as u64, spool.bytes());
}

#[test]
fn an_error_at_any_call_loses_nothing_that_is_appended_again() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for at in 1..60 {
            let memory = Memory::default();
            let mut spool = memory.spool(1 << 30);
            memory.0.lock().unwrap().fails_at = Some((at + 2, false));
            memory.0.lock().unwrap().kind = Some(kind);
            let mut next = 1;
            while next < 60 {
                let batch = records(next..next + 3, 60_000);
                if spool.append(&batch).is_ok() {
                    next += 3;
                }
            }
            memory.0.lock().unwrap().fails_at = None;
            let mut again = memory.spool(1 << 30);
            assert_eq!(numbers(&mut again, 0), (1..61).collect::<Vec<_>>(), "{at}");
            assert!(again.next() > 60);
            again.ack(60);
            again.save_acks().unwrap();
            assert!(numbers(&mut memory.spool(1 << 30), 0).is_empty());
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_nothing_else() {
    for at in 1..40 {
        let memory = Memory::default();
        memory.0.lock().unwrap().fails_at = Some((at, true));
        let Ok(mut spool) = Spool::open(Box::new(memory.clone()), 1 << 20) else {
            continue;
        };
        let stored = (0..20_u64)
            .filter(|n| spool.append(&records(n + 1..n + 2, 90_000)).is_ok())
            .count();
        spool.ack(3);
        let _acks = spool.save_acks();
        let _none = spool.read(0, 1 << 20);
        memory.0.lock().unwrap().fails_at = None;
        let found = numbers(&mut memory.spool(1 << 20), 0).len() + 3;
        assert!(found >= stored.min(3), "{at}: {found} of {stored}");
        spool.append(&records(100..101, 10)).unwrap();
    }
}

#[test]
fn damaged_files_are_set_aside_and_the_rest_is_read() {
    let memory = Memory::default();
    let mut spool = memory.spool(64 << 20);
    for n in 0..6 {
        spool
            .append(&records(1 + n * 12..13 + n * 12, 100_000))
            .unwrap();
    }
    for (at, file) in memory.0.lock().unwrap().files.values_mut().enumerate() {
        match at {
            0 => file[3] ^= 1,
            1 => file[50_000] ^= 1,
            2 => file.truncate(400_000),
            3 => file.clear(),
            _ => {}
        }
    }
    let mut again = memory.spool(64 << 20);
    let left = numbers(&mut again, 0);
    assert_eq!(again.corrupt(), 1);
    assert!(left.len() > 30 && left.is_sorted(), "{left:?}");
    let names: Vec<_> = memory.0.lock().unwrap().files.keys().cloned().collect();
    assert!(
        names.iter().any(|name| name.ends_with(".corrupt-1")),
        "{names:?}"
    );
    assert_eq!(numbers(&mut memory.spool(64 << 20), 0), left);
}

#[test]
fn any_file_in_the_directory_is_no_reason_to_stop() {
    let memory = Memory::default();
    for (name, bytes) in [
        ("cursor", vec![1, 2, 3]),
        ("zzzz.seg", vec![0; 10]),
        ("00000000000000ff.seg", vec![7; 5000]),
        ("ffffffffffffffff.seg", vec![]),
        ("notes.txt", b"mine".to_vec()),
    ] {
        memory
            .0
            .lock()
            .unwrap()
            .files
            .insert(name.to_owned(), bytes);
    }
    let mut spool = memory.spool(1 << 20);
    assert!(numbers(&mut spool, 0).is_empty());
    let next = spool.next();
    spool.append(&records(next..next + 1, 10)).unwrap();
    assert!(memory.0.lock().unwrap().files.contains_key("notes.txt"));
}
