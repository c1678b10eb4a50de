//! The files of the markers: one file of records, to which new ones are appended. A start, a failure and too many records
//! begin a new file with all markers. Files before it are removed once it is synced.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Mutex;

use super::marker::{Marker, MarkerKind};
use super::marker_list::{EarlierMarkers, MAX_MARKERS, MarkerList};
use crate::files::{Files, header, put, records};
use crate::model::lock;

/// The start of the name of each file, with the version of the format. The rest is the file's number.
const PREFIX: &str = "v1-";
/// The maximum number of files that are read. There are two after a crash at a bad moment.
const MAX_FILES: usize = 8;

/// The files of the markers.
pub(super) struct MarkerFiles {
    files: Box<dyn Files>,
    is_loaded: bool,
    /// The number of records of the current file. `None` if a new file has to be begun.
    records: Option<usize>,
    /// The number of the next file.
    next: u64,
    /// The files that the next file replaces: the current one, and those of earlier processes.
    old: Vec<String>,
}

impl MarkerFiles {
    pub(super) fn new(files: impl Files + 'static) -> Self {
        Self {
            files: Box::new(files),
            is_loaded: false,
            records: None,
            next: 0,
            old: Vec::new(),
        }
    }

    /// Stores the markers that are not stored yet. The first call adds those of earlier processes to the list.
    ///
    /// # Errors
    ///
    /// Returns an error if the files cannot be read or written. The next call tries again, and loses nothing.
    pub(super) fn save(&mut self, list: &Mutex<MarkerList>) -> io::Result<()> {
        if !self.is_loaded {
            let earlier = self.load()?;
            lock(list).put_before(earlier);
            self.is_loaded = true;
        }
        let is_new = self.records.is_none_or(|records| records > MAX_MARKERS);
        // Only copied under the lock, so that nobody waits for the disk.
        let (first, markers) = lock(list).to_store(is_new);
        if markers.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        if is_new {
            bytes.extend_from_slice(&header(first));
        }
        for (number, marker) in (first..).zip(&markers) {
            put(&mut bytes, number, &marker.encode());
        }
        // Until this succeeds, the end of the file is not known.
        let before = self.records.take();
        if is_new {
            self.begin(&bytes)?;
        } else {
            self.files.append(&bytes)?;
            self.files.sync()?;
        }
        let before = if is_new { 0 } else { before.unwrap_or(0) };
        self.records = Some(before + markers.len());
        lock(list).set_stored(first.saturating_add(markers.len() as u64));
        Ok(())
    }

    /// Writes a new file, and removes those that it replaces.
    fn begin(&mut self, bytes: &[u8]) -> io::Result<()> {
        let name = format!("{PREFIX}{:020}", self.next);
        self.files.create(&name)?;
        let written = self.files.append(bytes).and_then(|()| self.files.sync());
        if let Err(error) = written {
            // The next attempt begins a file of the same name.
            drop(self.files.remove(&name));
            return Err(error);
        }
        self.next = self.next.saturating_add(1);
        let files = &mut self.files;
        // What cannot be removed now is tried again with the next file.
        self.old.retain(|old| match files.remove(old) {
            Err(error) => error.kind() != ErrorKind::NotFound,
            Ok(()) => false,
        });
        self.old.push(name);
        Ok(())
    }

    fn load(&mut self) -> io::Result<EarlierMarkers> {
        let found = self.files.list()?.into_iter();
        let number = |name: &str| name.strip_prefix(PREFIX)?.parse::<u64>().ok();
        let mut found: Vec<_> = found
            .filter_map(|(name, _)| Some((number(&name)?, name)))
            .collect();
        found.sort();
        let mut all = BTreeMap::new();
        let (mut start, mut shutdown) = (None, None);
        for (_, name) in found.iter().rev().take(MAX_FILES) {
            let bytes = match self.files.read(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            for (number, body) in records(&bytes).into_iter().flatten() {
                let Some(marker) = Marker::decode(body) else {
                    continue;
                };
                let last = Some((number, marker.clone()));
                match marker.kind {
                    MarkerKind::Start => start = newer(start, last),
                    MarkerKind::Shutdown => shutdown = newer(shutdown, last),
                    MarkerKind::Mark => {}
                }
                all.insert(number, marker);
                if all.len() > MAX_MARKERS {
                    all.pop_first();
                }
            }
        }
        self.next = found.last().map_or(0, |(last, _)| last.saturating_add(1));
        self.old = found.into_iter().map(|(_, name)| name).collect();
        let of = |last: &Option<(u64, Marker)>| last.as_ref().map(|(number, _)| *number);
        Ok(EarlierMarkers {
            next: all
                .last_key_value()
                .map_or(0, |(last, _)| last.saturating_add(1)),
            markers: all.into_values().collect(),
            is_running: start.is_some() && of(&start) > of(&shutdown),
            start: start.map(|(_, marker)| marker),
        })
    }
}

/// The marker with the higher number.
fn newer(a: Option<(u64, Marker)>, b: Option<(u64, Marker)>) -> Option<(u64, Marker)> {
    let number = |it: &Option<(u64, Marker)>| it.as_ref().map(|(number, _)| *number);
    if number(&a) > number(&b) { a } else { b }
}

impl fmt::Debug for MarkerFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("MarkerFiles");
        debug
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}
