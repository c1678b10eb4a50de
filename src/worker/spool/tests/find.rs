//! Finding records: by key, and from the newest back.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::queries::SpoolQuery;
use super::super::store::Spool;
use super::super::writer::{SpoolWriter, SpoolWriterSetup};
use super::Memory;
use crate::clock::Clock;
use crate::files::Files;
use crate::worker::RecordQueue;
use crate::worker::completion::Completion;
use crate::worker::deadline::Deadlines;
use crate::worker::processor::BlockingPool;

/// A record's key is at its beginning. A record with the key 0 has none.
fn key_of(body: &[u8]) -> Option<u128> {
    let key = u128::from_le_bytes(*body.first_chunk()?);
    (key > 0).then_some(key)
}

fn body(key: u128) -> Vec<u8> {
    let mut body = key.to_le_bytes().to_vec();
    body.resize(2000, 7);
    body
}

fn open(memory: &Memory) -> Spool {
    memory.spool(3 << 20).with_keys(Some(key_of))
}

/// Records in more files than are kept. Each key is that of two records.
fn filled(memory: &Memory) -> Spool {
    let mut spool = open(memory);
    for number in (0..3000).step_by(10) {
        let records: Vec<_> = (number..number + 10)
            .map(|number| (number + 1, body(u128::from(number / 2 + 1))))
            .collect();
        spool.append(&records).unwrap();
    }
    spool
}

fn numbers(records: &[(u64, Vec<u8>)]) -> Vec<u64> {
    records.iter().map(|(number, _)| *number).collect()
}

#[test]
fn records_are_found_by_their_key_and_removed_keys_are_known() {
    let memory = Memory::default();
    let mut spool = filled(&memory);
    let removed = spool.take_evicted();
    assert!(removed > 500, "{removed}");
    let check = |spool: &mut Spool, is_new: bool| {
        for number in 1..=3000 {
            let key = u128::from((number - 1) / 2 + 1);
            let found = spool.find(key);
            assert_eq!(numbers(&found).contains(&number), number > removed);
            assert!(found.iter().all(|(_, of)| *of == body(key)));
            assert_eq!(spool.has_removed(key), !is_new && number <= removed);
        }
        assert!(spool.find(5000).is_empty() && spool.find(0).is_empty());
        let oldest = spool.oldest().unwrap();
        assert_eq!(oldest, body(u128::from(removed / 2 + 1)));
    };
    check(&mut spool, false);
    // Of the files of an earlier process, the keys are read at the first search.
    let mut spool = open(&memory);
    check(&mut spool, true);
    let calls = memory.0.lock().unwrap().calls;
    assert!(spool.find(5000).is_empty());
    assert_eq!(memory.0.lock().unwrap().calls, calls, "no file is read");
}

#[test]
fn records_are_read_from_the_newest_back() {
    let memory = Memory::default();
    let mut spool = filled(&memory);
    let removed = spool.take_evicted();
    for page in [1, 7, 1000, 5000] {
        let (mut before, mut all) = (u64::MAX, Vec::new());
        loop {
            let records = spool.read_back(before, page);
            let Some((last, _)) = records.last() else {
                break;
            };
            before = *last;
            assert!(records.len() <= page);
            all.extend(numbers(&records));
            if page == 1 && all.len() == 20 {
                break;
            }
        }
        let expected = (removed + 1..=3000).rev().take(all.len());
        assert!(all.iter().copied().eq(expected));
        assert!(page == 1 || all.len() as u64 == 3000 - removed);
    }
}

#[test]
fn a_file_that_is_gone_or_damaged_costs_its_records_alone() {
    let memory = Memory::default();
    drop(filled(&memory));
    let mut spool = open(&memory);
    let names: Vec<_> = {
        let mut inner = memory.0.lock().unwrap();
        let names: Vec<_> = inner.files.keys().cloned().collect();
        inner.files.remove(&names[0]);
        inner.files.get_mut(&names[1]).unwrap()[3] ^= 1;
        names
    };
    assert!(spool.find(5000).is_empty());
    assert_eq!(spool.corrupt(), 1);
    assert!(
        memory
            .0
            .lock()
            .unwrap()
            .files
            .keys()
            .any(|it| it.contains("corrupt-1"))
    );
    let last = spool.find(1500);
    assert_eq!(numbers(&last), [2999, 3000]);
    let all = spool.read_back(u64::MAX, 5000);
    assert!(
        all.iter()
            .all(|(number, _)| format!("{number:016x}.seg") >= names[2])
    );
    // Those of an open file stay where they are: it is written on.
    let mut spool = filled(&Memory::default());
    assert_eq!(numbers(&spool.find(1500)), [2999, 3000]);
}

/// Files whose writes hang while a lock is held.
struct Hanging(Memory, Arc<Mutex<()>>);

impl Files for Hanging {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.0.list()
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.0.create(name)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _waits = self.1.lock().unwrap();
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.replace(name, bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
}

#[test]
fn a_query_has_its_deadline_while_the_disk_hangs_and_an_answer_when_it_moves() {
    let (memory, gate) = (Memory::default(), Arc::<Mutex<()>>::default());
    let of_files = Arc::clone(&gate);
    let open = move || {
        let files = Hanging(memory.clone(), Arc::clone(&of_files));
        let spool = Spool::open(Box::new(files), 1 << 20);
        spool.map(|spool| spool.with_keys(Some(key_of)))
    };
    let writer = SpoolWriter::new(SpoolWriterSetup {
        name: "records",
        open: Box::new(open),
        monotonic: Clock::system(),
        wall: 1,
        record_queue: Arc::new(RecordQueue::new(0, Arc::default())),
        diagnostics: Arc::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let pool = BlockingPool(runtime.handle());
    let query = || {
        let answer = Arc::<Completion<_>>::default();
        writer.query(SpoolQuery::Find(7), Arc::clone(&answer));
        writer.dispatch(&pool);
        answer
    };
    let held = gate.lock().unwrap();
    let number = writer.push(body(7), None);
    writer.dispatch(&pool);
    let deadlines = Deadlines::new(Clock::system());
    // More queries than may wait: those beyond the limit have no answer at once.
    let waiting: Vec<_> = (0..40).map(|_| query()).collect();
    let refused = waiting.iter().filter(|it| it.value().is_some());
    assert!(refused.count() >= 8);
    let patience = Duration::from_secs(20);
    for answer in waiting {
        deadlines.add_after(Duration::from_millis(20), Arc::clone(&answer) as _);
        assert!(answer.wait(patience).unwrap().is_none());
    }
    drop(held);
    let answer = query().wait(patience).unwrap().unwrap();
    assert_eq!(answer.records, [(number, body(7))]);
    assert!(!answer.was_removed && answer.oldest.is_none());
    assert_eq!(writer.status().unwrap().written, 1);
}
