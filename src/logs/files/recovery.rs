//! Finds out at a start what an earlier process, a crash and other programs have left in the directory.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use super::file_id::{FileId, id_of};
use super::manifest::SegmentManifest;
use super::moved::find_moved;
use super::names::{closed_name, closed_number, current_name, manifest_name};
use super::scan::{LineCount, count_lines};
use super::segment::{LogSegment, SegmentPlace};
use crate::files::{Disk, Files as _, list_directory};

/// The files of one name. The last one may be current.
///
/// # Errors
///
/// Returns an error if the directory cannot be made or read.
pub(super) fn recover_list(directory: &Path, stem: &str) -> io::Result<SegmentManifest> {
    let found = list_directory(directory)?;
    let mut closed = BTreeMap::new();
    for (name, bytes) in &found {
        if name.starts_with(stem) && Path::new(name).extension() == Some("new".as_ref()) {
            // A list or a compressed file that was not completed.
            let _kept = fs::remove_file(directory.join(name));
        } else if let Some((number, is_compressed)) = closed_number(stem, name) {
            let place = closed
                .entry(number)
                .or_insert((name, *bytes, is_compressed));
            if place.2 != is_compressed {
                // The process ended after it had compressed the file and before it had removed the original.
                let original = if is_compressed { place.0 } else { name };
                let _kept = fs::remove_file(directory.join(original));
                if is_compressed {
                    *place = (name, *bytes, true);
                }
            }
        }
    }
    let stored = Disk::new(directory).read(&manifest_name(stem)).ok();
    let stored = stored.and_then(|it| String::from_utf8(it).ok());
    let stored = stored.and_then(|it| SegmentManifest::from_text(&it));
    let mut list = stored.unwrap_or_else(|| SegmentManifest {
        list: new_list(),
        next_segment: 1,
        next_line: 0,
        segments: Vec::new(),
    });
    let mut known: BTreeMap<_, _> = std::mem::take(&mut list.segments)
        .into_iter()
        .map(|it| (it.number, it))
        .collect();
    let current = current_id(directory, stem);

    // 1. What another program has renamed, and what this one was about to rename.
    for segment in known.values_mut() {
        let is_current = current == Some(segment.id);
        if closed.contains_key(&segment.number) || segment.is_current() && is_current {
            continue;
        }
        if segment.place == SegmentPlace::Closed && is_current {
            finish_closing(directory, stem, segment)?;
        } else if let Some(path) = find_moved(directory, stem, (segment.id, segment.bytes))? {
            let count = count_lines(&path, false)?;
            (segment.lines, segment.bytes) = (count.lines, count.bytes);
            segment.place = SegmentPlace::Moved;
        } else {
            segment.place = SegmentPlace::Moved;
            segment.bytes = 0;
        }
    }
    // 2. The closed files, in their order. Those that the list has not are counted.
    for (number, (name, disk_bytes, is_compressed)) in closed {
        let count = known.get(&number).map(|it| LineCount {
            lines: it.lines,
            bytes: it.bytes,
        });
        let path = directory.join(name);
        let count = match count {
            Some(count) => count,
            None => count_lines(&path, is_compressed).unwrap_or_default(),
        };
        let before = known.range(..number).next_back();
        let first_line = before.map_or(0, |(_, it)| it.end_line());
        let found = fs::metadata(&path)?;
        let segment = known.entry(number).or_insert(LogSegment {
            number,
            first_line,
            lines: count.lines,
            bytes: count.bytes,
            day: day_of(name),
            id: id_of(&found),
            place: SegmentPlace::Closed,
            disk_bytes,
        });
        segment.disk_bytes = disk_bytes;
        segment.place = if is_compressed {
            SegmentPlace::Compressed
        } else {
            SegmentPlace::Closed
        };
    }
    // 3. What is gone keeps its numbers: what comes next begins after it.
    for segment in known.into_values() {
        list.next_segment = list.next_segment.max(segment.number + 1);
        list.next_line = list.next_line.max(segment.end_line());
        if segment.place != SegmentPlace::Moved || segment.bytes > 0 {
            list.segments.push(segment);
        }
    }
    recover_current(directory, stem, &mut list)?;
    Ok(list)
}

/// Counts what the current file has, and ends it after its last complete line: what follows was written in part when the
/// process ended.
fn recover_current(directory: &Path, stem: &str, list: &mut SegmentManifest) -> io::Result<()> {
    let Some(stored) = list.segments.pop_if(|it| it.is_current()) else {
        return Ok(());
    };
    let path = directory.join(current_name(stem));
    let count = count_lines(&path, false)?;
    if fs::metadata(&path)?.len() > count.bytes {
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(count.bytes)?;
    }
    let mut segment = LogSegment {
        lines: count.lines,
        bytes: count.bytes,
        disk_bytes: count.bytes,
        ..stored
    };
    if count.bytes < stored.bytes {
        // Truncated while no process wrote to it.
        segment.number = list.next_segment;
        segment.first_line = list.next_line;
    }
    list.add(segment);
    Ok(())
}

/// Renames a file as the process was about to when it ended.
fn finish_closing(directory: &Path, stem: &str, segment: &mut LogSegment) -> io::Result<()> {
    let from = directory.join(current_name(stem));
    let count = count_lines(&from, false)?;
    (segment.lines, segment.bytes) = (count.lines, count.bytes);
    segment.disk_bytes = count.bytes;
    fs::rename(
        from,
        directory.join(closed_name(stem, segment.day, segment.number)),
    )
}

fn current_id(directory: &Path, stem: &str) -> Option<FileId> {
    let found = fs::symlink_metadata(directory.join(current_name(stem))).ok()?;
    found.is_file().then(|| id_of(&found))
}

/// The day in the name of a closed file, which must be found again under the same name.
fn day_of(name: &str) -> u64 {
    let mut parts = name.split('-').skip(1).map(|it| it.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or_default();
    days_before(next(), next(), next())
}

/// The days from 1970-01-01 to a date: Howard Hinnant's `days_from_civil`, for dates that are not before it.
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 {
        year.saturating_sub(1)
    } else {
        year
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.saturating_sub(1);
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (era * 146_097 + of_era).saturating_sub(719_468)
}

/// An ID that no other list has.
fn new_list() -> u64 {
    let mut id = [0; 8];
    // Without random numbers, a list that was begun anew is not told from the one before.
    let _zero = getrandom::fill(&mut id);
    u64::from_le_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_name_gives_the_same_name() {
        for day in (0..60_000).step_by(17) {
            let name = closed_name("combined", day, 3);
            assert_eq!(day_of(&name), day, "{name}");
        }
    }
}
