//! The segments of a directory: which there are, and what becomes of damaged ones.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::super::steps::{Resolution, StepTime, Tick};
use super::files::StoreFiles;
use super::journal::JOURNAL;
use super::segment::{SEGMENT, Segment};
use super::segment_writer::TEMPORARY;
use crate::clock::Nanos;

/// The file with the version of the format, and the ID of the history.
const FORMAT: &str = "format";
/// The version of the format of all files.
const VERSION: u64 = 1;
/// The end of the name of a damaged file is this and a number.
pub(super) const CORRUPT: &str = ".corrupt-";
/// The maximum number of damaged segments that are kept for inspection, and of damaged journals.
const MAX_CORRUPT: usize = 4;
/// The maximum number of bytes of [`FORMAT`] that are read.
const MAX_FORMAT: u64 = 256;

/// The files of a history.
#[derive(Debug)]
pub(super) struct SegmentFolder {
    files: Arc<dyn StoreFiles>,
    /// Tells this history from another one in a directory of the same name.
    id: String,
    /// By resolution, and in the order of their steps.
    segments: Vec<Segment>,
    /// The names and lengths of the journals, in the order of their snapshots.
    journals: Vec<(String, u64)>,
    /// Files that were damaged, since the folder was opened.
    damaged: u64,
    /// Damaged files that are still there.
    kept: u64,
}

impl SegmentFolder {
    /// Lists the files, and reads the head of each segment. Removes what an earlier process left unfinished, and what larger
    /// segments contain. Creates the directory if it is missing; `new_id` is then the history's ID.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if a newer version has written the files. Nothing is changed then.
    pub(super) fn open(files: &Arc<dyn StoreFiles>, new_id: &str) -> io::Result<Self> {
        let found = files.list()?;
        let mut folder = Self {
            files: Arc::clone(files),
            id: String::new(),
            segments: Vec::new(),
            journals: Vec::new(),
            damaged: 0,
            kept: 0,
        };
        folder.id = folder.read_format(&found, new_id)?;
        for (name, bytes) in found {
            if name.contains(CORRUPT) {
                folder.kept += 1;
            } else if name.ends_with(TEMPORARY) {
                // Not there any more if it was that of `format`.
                remove_file(&**files, &name)?;
            } else if name.starts_with(JOURNAL) {
                folder.journals.push((name, bytes));
            } else if name.ends_with(SEGMENT) {
                match Segment::open(files, &name) {
                    Ok(segment) => folder.segments.push(segment),
                    Err(error) if is_damage(&error) => folder.set_aside(&name)?,
                    Err(error) => return Err(error),
                }
            }
        }
        folder.journals.sort();
        folder.sort();
        folder.remove_contained()?;
        Ok(folder)
    }

    /// Reads the version and the ID, or writes them.
    fn read_format(&mut self, found: &[(String, u64)], new_id: &str) -> io::Result<String> {
        if let Some((_, len)) = found.iter().find(|(name, _)| name == FORMAT) {
            let len = usize::try_from(MAX_FORMAT.min(*len)).map_err(io::Error::other)?;
            let text = self.files.open(FORMAT)?.read_at(0, len)?;
            let text = String::from_utf8_lossy(&text).into_owned();
            let mut lines = text.lines();
            let version = lines.next().and_then(|line| line.parse::<u64>().ok());
            match (version, lines.next()) {
                (Some(VERSION), Some(id)) if !id.is_empty() => return Ok(id.to_owned()),
                (Some(version), _) if version > VERSION => return Err(too_new(version)),
                _ => self.set_aside(FORMAT)?,
            }
        }
        let temporary = format!("{FORMAT}{TEMPORARY}");
        let mut file = self.files.create(&temporary)?;
        file.append(format!("{VERSION}\n{new_id}\n").as_bytes())?;
        file.sync()?;
        drop(file);
        self.files.rename(&temporary, FORMAT)?;
        self.files.sync_names()?;
        Ok(new_id.to_owned())
    }

    fn sort(&mut self) {
        let segments = &mut self.segments;
        segments.sort_by_key(|segment| (segment.resolution(), segment.steps().start));
    }

    /// Removes segments whose steps are all in a larger one of the same resolution.
    fn remove_contained(&mut self) -> io::Result<()> {
        let is_in = |one: &Segment, other: &Segment| {
            let (steps, of_other) = (one.steps(), other.steps());
            one.resolution() == other.resolution()
                && steps != of_other
                && steps.start >= of_other.start
                && steps.end <= of_other.end
        };
        let is_contained = |one: &&Segment| self.segments.iter().any(|other| is_in(one, other));
        let contained: Vec<_> = self.segments.iter().filter(is_contained).cloned().collect();
        for segment in contained {
            self.remove(&segment)?;
        }
        Ok(())
    }

    pub(super) fn files(&self) -> &Arc<dyn StoreFiles> {
        &self.files
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segments of a resolution, in the order of their steps.
    pub(super) fn of(&self, resolution: Resolution) -> &[Segment] {
        let segments = &self.segments;
        let start = segments.partition_point(|segment| segment.resolution() < resolution);
        let end = segments.partition_point(|segment| segment.resolution() <= resolution);
        segments.get(start..end).unwrap_or_default()
    }

    /// The number of the step after the last one.
    pub(super) fn end(&self, resolution: Resolution) -> Tick {
        let segments = self.of(resolution).iter();
        segments.map(|it| it.steps().end).max().unwrap_or(0)
    }

    /// The number of the next step of a resolution, whose first snapshots are at `time`. Numbers are not used again if all
    /// steps were removed: no resolution has more steps than there were snapshots.
    pub(super) fn next_step(&self, resolution: Resolution, time: Option<&StepTime>) -> Tick {
        let first = time.map_or(0, |time| time.first_snapshot);
        match self.of(resolution) {
            [] => first,
            _ => self.end(resolution),
        }
    }

    /// The last step of a resolution.
    pub(super) fn last(&self, resolution: Resolution) -> Option<&StepTime> {
        self.of(resolution).last()?.times().last()
    }

    /// The number of the snapshot after all that segments contain, and the operating time of their last one. Snapshots may
    /// be removed while coarser steps of them are kept.
    pub(super) fn next_snapshot(&self) -> (Tick, Nanos) {
        let last = self.segments.iter().filter_map(|it| it.times().last());
        last.fold((0, 0), |(next, at), time| {
            (time.end().max(next), time.at.max(at))
        })
    }

    pub(super) fn journals(&self) -> &[(String, u64)] {
        &self.journals
    }

    /// Files that were damaged, since the folder was opened.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Damaged files that are still there.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// Adds a segment that was written.
    pub(super) fn add(&mut self, segment: Segment) {
        // One that was written again after an error replaces the file.
        let name = segment.name();
        self.segments.retain(|other| other.name() != name);
        self.segments.push(segment);
        self.sort();
    }

    /// Removes a segment and its file.
    pub(super) fn remove(&mut self, segment: &Segment) -> io::Result<()> {
        remove_file(&*self.files, segment.name())?;
        let name = segment.name();
        self.segments.retain(|other| other.name() != name);
        Ok(())
    }

    /// Removes all journals that were found when the folder was opened.
    pub(super) fn remove_journals(&mut self) -> io::Result<()> {
        while let Some((name, _)) = self.journals.first() {
            remove_file(&*self.files, name)?;
            self.journals.remove(0);
        }
        Ok(())
    }

    /// Sets aside the journals with a damaged header.
    pub(super) fn set_aside_journal(&mut self, name: &str) -> io::Result<()> {
        self.journals.retain(|(other, _)| other != name);
        self.set_aside(name)
    }

    /// Sets aside the segments whose index turned out to be damaged, or that are gone. Returns whether there were any.
    pub(super) fn set_aside_unreadable(&mut self) -> io::Result<bool> {
        let unreadable = self.segments.iter().filter(|it| it.is_unreadable());
        let unreadable: Vec<_> = unreadable.cloned().collect();
        for segment in &unreadable {
            let name = segment.name();
            self.segments.retain(|other| other.name() != name);
            self.set_aside(name)?;
        }
        Ok(!unreadable.is_empty())
    }

    /// Renames a damaged file to `*.corrupt-N`. The oldest of them are removed.
    fn set_aside(&mut self, name: &str) -> io::Result<()> {
        self.damaged += 1;
        let is_journal = |name: &str| name.starts_with(JOURNAL);
        let found = self.files.list()?.into_iter().map(|(name, _)| name);
        let mut corrupt: Vec<String> = found.filter(|name| name.contains(CORRUPT)).collect();
        let number = |name: &String| {
            let (_, number) = name.rsplit_once(CORRUPT)?;
            number.parse::<u64>().ok()
        };
        let next = corrupt.iter().filter_map(number).max().unwrap_or(0) + 1;
        self.kept = corrupt.len() as u64;
        corrupt.retain(|other| is_journal(other) == is_journal(name));
        corrupt.sort_by_key(|name| number(name).unwrap_or(0));
        let surplus = (corrupt.len() + 1).saturating_sub(MAX_CORRUPT);
        for old in corrupt.iter().take(surplus) {
            remove_file(&*self.files, old)?;
            self.kept = self.kept.saturating_sub(1);
        }
        match self.files.rename(name, &format!("{name}{CORRUPT}{next}")) {
            // It is gone already.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => {
                self.kept += 1;
                done
            }
        }
    }
}

fn remove_file(files: &dyn StoreFiles, name: &str) -> io::Result<()> {
    match files.remove(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Whether a file's content is damaged, and not the disk.
pub(super) fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof
    )
}

fn too_new(version: u64) -> io::Error {
    let text = format!(
        "its files have format {version}, and this version reads format {VERSION}: run the newer version again, or move \
         the directory away"
    );
    io::Error::new(ErrorKind::Unsupported, text)
}
