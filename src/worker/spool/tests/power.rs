//! Simulates a power loss at any call. Data that was not synced may be lost, present, torn, or present without earlier
//! data. A record for which `append` returned must be found complete.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use super::super::store::Spool;
use crate::files::Files;

type Contents = BTreeMap<String, Vec<u8>>;

/// Calls of the file system, in order.
#[derive(Debug, Clone)]
enum Op {
    Create(String),
    /// Where in the file, and what.
    Write(String, usize, Vec<u8>),
    /// The file's content is on the disk; so are the names in the directory if the flag is set.
    Sync(String, bool),
    /// A file is written, synced and renamed to that name, and the directory synced.
    Replace(String, Vec<u8>),
    Rename(String, String),
    Remove(String),
}

/// A file system that records its calls.
#[derive(Debug, Clone, Default)]
struct Model(Arc<Mutex<SpoolState>>);

#[derive(Debug, Default)]
struct SpoolState {
    begin: Contents,
    now: Contents,
    current: String,
    new: bool,
    ops: Vec<Op>,
}

/// A source of choices that repeats.
struct Choices(u64);

impl Choices {
    fn next(&mut self, of: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % of
    }
}

impl Model {
    fn of(files: Contents) -> Self {
        let state = SpoolState {
            begin: files.clone(),
            now: files,
            ..SpoolState::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().ops.len()
    }

    /// Which of the first `upto` operations the disk may have lost.
    fn unsettled(&self, upto: usize) -> Vec<usize> {
        let state = self.0.lock().unwrap();
        let ops = &state.ops[..upto];
        let settled = |at: usize| {
            ops[at + 1..].iter().any(|later| match (&ops[at], later) {
                (Op::Write(name, ..), Op::Sync(synced, _)) => name == synced,
                (Op::Create(_) | Op::Rename(..) | Op::Remove(_), Op::Sync(_, names)) => *names,
                (Op::Create(_) | Op::Rename(..) | Op::Remove(_), Op::Replace(..)) => true,
                _ => false,
            })
        };
        let open =
            |at: &usize| !matches!(ops[*at], Op::Sync(..) | Op::Replace(..)) && !settled(*at);
        (0..upto).filter(open).collect()
    }

    /// The content of the disk after the power loss. `fate` gives the result of each unsynced operation (0: lost, 1:
    /// written, 2: only the first half was written, 3: space was allocated, but no bytes were written).
    fn crash(&self, upto: usize, mut fate: impl FnMut(usize) -> u64) -> Contents {
        let unsettled = self.unsettled(upto);
        let state = self.0.lock().unwrap();
        let mut files = state.begin.clone();
        for (at, op) in state.ops[..upto].iter().enumerate() {
            let fate = if unsettled.contains(&at) { fate(at) } else { 1 };
            match op {
                _ if fate == 0 => {}
                Op::Create(name) => {
                    files.entry(name.clone()).or_default();
                }
                Op::Write(name, from, bytes) => {
                    // A file whose name is not on the disk has no data.
                    let Some(file) = files.get_mut(name) else {
                        continue;
                    };
                    let (end, kept) = match fate {
                        1 => (bytes.len(), bytes.len()),
                        2 => (bytes.len() / 2, bytes.len() / 2),
                        _ => (bytes.len(), 0),
                    };
                    if file.len() < from + end {
                        file.resize(from + end, 0);
                    }
                    file[*from..from + kept].copy_from_slice(&bytes[..kept]);
                }
                Op::Sync(..) => {}
                Op::Replace(name, bytes) => {
                    files.insert(name.clone(), bytes.clone());
                }
                Op::Rename(from, to) => {
                    if let Some(file) = files.remove(from) {
                        files.insert(to.clone(), file);
                    }
                }
                Op::Remove(name) => {
                    files.remove(name);
                }
            }
        }
        files
    }
}

impl Files for Model {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let state = self.0.lock().unwrap();
        let files = state.now.iter();
        Ok(files
            .map(|(name, it)| (name.clone(), it.len() as u64))
            .collect())
    }

    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let file = self.0.lock().unwrap().now.get(name).cloned();
        file.ok_or(ErrorKind::NotFound.into())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.now.insert(name.to_owned(), Vec::new());
        name.clone_into(&mut state.current);
        state.new = true;
        state.ops.push(Op::Create(name.to_owned()));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let name = state.current.clone();
        let file = state.now.entry(name.clone()).or_default();
        let from = file.len();
        file.extend_from_slice(bytes);
        state.ops.push(Op::Write(name, from, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let op = Op::Sync(state.current.clone(), std::mem::take(&mut state.new));
        state.ops.push(op);
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.now.insert(name.to_owned(), bytes.to_vec());
        state.ops.push(Op::Replace(name.to_owned(), bytes.to_vec()));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let file = state.now.remove(from).ok_or(ErrorKind::NotFound)?;
        state.now.insert(to.to_owned(), file);
        state.ops.push(Op::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let removed = state.now.remove(name).map(drop);
        state.ops.push(Op::Remove(name.to_owned()));
        removed.ok_or(ErrorKind::NotFound.into())
    }
}

/// A record's body, which depends on its number and on the run that wrote it.
fn body(number: u64, run: u64, len: usize) -> Vec<u8> {
    let seed = number.wrapping_mul(31).wrapping_add(run);
    (0..len)
        .map(|at| (seed as u8).wrapping_add(at as u8))
        .collect()
}

/// What one run of the process did: which records were reported as stored at which call, and which were acknowledged.
#[derive(Default)]
struct Run {
    /// The number of calls when `append` returned, and the record.
    promised: Vec<(usize, u64, Vec<u8>)>,
    written: BTreeMap<u64, Vec<u8>>,
    /// The number of calls before the acknowledgement was given, and the number acknowledged.
    acked: Vec<(usize, u64)>,
}

/// Runs a process over the files: batches of a few records, with occasional acknowledgements.
fn run(model: &Model, choices: &mut Choices, run: u64, large: bool) -> Run {
    let mut spool = Spool::open(Box::new(model.clone()), 1 << 30).unwrap();
    let mut run_log = Run::default();
    for _ in 0..=choices.next(6) {
        let batch: Vec<_> = (0..=choices.next(3))
            .map(|n| spool.next() + n)
            .map(|number| {
                let len = if large {
                    400_000
                } else {
                    choices.next(60) as usize
                };
                (number, body(number, run, len))
            })
            .collect();
        run_log.written.extend(batch.iter().cloned());
        spool.append(&batch).unwrap();
        let calls = model.len();
        let done = batch
            .iter()
            .map(|(number, body)| (calls, *number, body.clone()));
        run_log.promised.extend(done);
        if choices.next(3) == 0 {
            let upto = spool.acked() + choices.next(4);
            if upto < spool.next() {
                run_log.acked.push((model.len(), upto));
                spool.ack(upto);
                spool.save_acks().unwrap();
            }
        }
    }
    run_log
}

/// Opens the store on the files that the crash left. Every record reported as stored by then is present, and no record
/// is invented.
fn check(files: &Contents, upto: usize, run_log: &[(usize, Run)]) {
    let mut spool = Spool::open(Box::new(Model::of(files.clone())), 1 << 30).unwrap();
    let mut found = BTreeMap::new();
    let mut after = 0;
    loop {
        let some = spool.read(after, 1 << 20);
        let Some((last, _)) = some.last() else { break };
        after = *last;
        found.extend(some);
    }
    let next = spool.next();
    let acked = run_log
        .iter()
        .flat_map(|(_, run_log)| &run_log.acked)
        .filter(|(calls, _)| *calls < upto)
        .map(|(_, number)| *number);
    let acked = acked.max().unwrap_or_default();
    for (since, run_log) in run_log {
        for (calls, number, body) in &run_log.promised {
            if (*calls <= upto || *since < upto) && *number > acked {
                assert_eq!(
                    found.get(number),
                    Some(body),
                    "record {number} after call {upto}"
                );
                assert!(next > *number);
            }
        }
    }
    for (number, body) in &found {
        let written = run_log
            .iter()
            .any(|(_, run_log)| run_log.written.get(number) == Some(body));
        assert!(written, "record {number} is not as it was written");
    }
}

#[test]
fn every_set_of_lost_writes_leaves_what_was_promised() {
    for seed in 0..40 {
        let mut choices = Choices(seed);
        let model = Model::default();
        let run_log = [(usize::MAX, run(&model, &mut choices, seed, false))];
        for upto in 0..=model.len() {
            let unsettled = model.unsettled(upto);
            // Four fates each, and all of them together.
            let some: Vec<_> = unsettled.iter().rev().take(4).copied().collect();
            for fates in 0..4_u64.pow(some.len() as u32) {
                let fate = |at: usize| {
                    let place = some.iter().position(|it| *it == at);
                    place.map_or(0, |place| fates >> (2 * place) & 3)
                };
                check(&model.crash(upto, fate), upto, &run_log);
            }
        }
    }
}

#[test]
fn crash_after_crash_and_files_that_end_leave_what_was_promised() {
    for seed in 0..60 {
        let mut choices = Choices(seed ^ 0x5eed);
        let mut files = Contents::new();
        let mut past: Vec<(usize, Run)> = Vec::new();
        for process in 0..4 {
            let model = Model::of(files.clone());
            let large = seed % 6 == 0;
            let run_log = run(&model, &mut choices, seed * 10 + process, large);
            let upto = choices.next(model.len() as u64 + 1) as usize;
            files = model.crash(upto, |_| choices.next(4));
            // Nothing after the crash was reported as stored.
            let mut run_log = run_log;
            run_log.promised.retain(|(calls, ..)| *calls <= upto);
            run_log.acked.retain(|(calls, _)| *calls < upto);
            for before in &mut past {
                before.0 = 0;
            }
            past.push((usize::MAX, run_log));
            let acks = past.iter_mut().flat_map(|(_, run_log)| &mut run_log.acked);
            acks.for_each(|(calls, _)| *calls = 0);
            check(&files, upto.max(1), &past);
        }
    }
}
