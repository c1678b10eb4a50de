//! The list of files as it is stored: a line with its ID and what comes next, then a line for each file.

use super::file_id::FileId;
use super::segment::{LogSegment, SegmentPlace};

const MAGIC: &str = "watchpost-log-files-1";

/// What is stored about the files of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentManifest {
    pub(super) list: u64,
    /// The number of the next file, and of its first line.
    pub(super) next_segment: u64,
    pub(super) next_line: u64,
    pub(super) segments: Vec<LogSegment>,
}

impl SegmentManifest {
    /// Adds a file as the last one.
    pub(super) fn add(&mut self, segment: LogSegment) {
        self.next_segment = segment.number + 1;
        self.next_line = segment.end_line();
        self.segments.push(segment);
    }

    pub(super) fn to_text(&self) -> String {
        let Self {
            list,
            next_segment,
            next_line,
            segments,
        } = self;
        let mut text = format!("{MAGIC} {list:016x} {next_segment} {next_line}\n");
        for it in segments {
            let place = match it.place {
                SegmentPlace::Current => "current",
                SegmentPlace::Closed => "closed",
                SegmentPlace::Compressed => "compressed",
                SegmentPlace::Moved => "moved",
            };
            text += &format!(
                "{} {} {} {} {} {} {} {} {place}\n",
                it.number,
                it.first_line,
                it.lines,
                it.bytes,
                it.day,
                it.id.device,
                it.id.number,
                it.disk_bytes
            );
        }
        text
    }

    /// `None` if the text is not complete: the file is replaced as a whole, so a part of it is not ours.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let head: Vec<_> = lines.next()?.split(' ').collect();
        let [MAGIC, list, next_segment, next_line] = head[..] else {
            return None;
        };
        Some(Self {
            list: u64::from_str_radix(list, 16).ok()?,
            next_segment: next_segment.parse().ok()?,
            next_line: next_line.parse().ok()?,
            segments: lines.map(segment).collect::<Option<_>>()?,
        })
    }
}

fn segment(line: &str) -> Option<LogSegment> {
    let (numbers, place) = line.rsplit_once(' ')?;
    let numbers = numbers.split(' ').map(str::parse);
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    let [
        number,
        first_line,
        lines,
        bytes,
        day,
        device,
        file,
        disk_bytes,
    ] = numbers[..]
    else {
        return None;
    };
    Some(LogSegment {
        number,
        first_line,
        lines,
        bytes,
        day,
        id: FileId {
            device,
            number: file,
        },
        place: match place {
            "current" => SegmentPlace::Current,
            "closed" => SegmentPlace::Closed,
            "compressed" => SegmentPlace::Compressed,
            "moved" => SegmentPlace::Moved,
            _ => return None,
        },
        disk_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_survives_its_text_and_a_part_of_it_is_refused() {
        let places = [
            SegmentPlace::Moved,
            SegmentPlace::Compressed,
            SegmentPlace::Closed,
            SegmentPlace::Current,
        ];
        let segments = places
            .into_iter()
            .zip(3..)
            .map(|(place, number)| LogSegment {
                number,
                first_line: 10 * number,
                lines: 10,
                bytes: 500,
                day: 20_787,
                id: FileId {
                    device: 66,
                    number: u64::MAX,
                },
                place,
                disk_bytes: 77,
            });
        let manifest = SegmentManifest {
            list: 0xabc,
            next_segment: 7,
            next_line: 70,
            segments: segments.collect(),
        };
        let text = manifest.to_text();
        assert_eq!(SegmentManifest::from_text(&text), Some(manifest));
        let lines = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines: Vec<_> = lines.collect();
        for cut in (0..text.len()).filter(|at| !lines.contains(at)) {
            assert_eq!(SegmentManifest::from_text(&text[..cut]), None, "{cut}");
        }
    }
}
