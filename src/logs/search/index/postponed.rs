use std::collections::BTreeMap;

/// After its first failure, a file is left out of so many runs. Each further one doubles them.
const FIRST_PAUSE: u64 = 60;
/// The most runs that a file is left out of: ten minutes.
const LAST_PAUSE: u64 = 600;

/// The files of lines that cannot be indexed now. Each is tried again later, so that it keeps back none of the others and is
/// not read by every run.
#[derive(Debug, Default)]
pub(super) struct PostponedFiles {
    run: u64,
    files: BTreeMap<u64, PostponedFile>,
}

#[derive(Debug)]
struct PostponedFile {
    /// The run that tries it again.
    next: u64,
    pause: u64,
}

impl PostponedFiles {
    pub(super) fn begin_run(&mut self) {
        self.run += 1;
    }

    /// Whether this run leaves a file out.
    pub(super) fn has(&self, segment: u64) -> bool {
        let file = self.files.get(&segment);
        file.is_some_and(|it| it.next > self.run)
    }

    /// Notes that a file cannot be indexed. Returns whether it is the only one.
    pub(super) fn add(&mut self, segment: u64) -> bool {
        let pause = self
            .files
            .get(&segment)
            .map_or(FIRST_PAUSE, |it| (2 * it.pause).min(LAST_PAUSE));
        let next = self.run + pause;
        let is_only = self.files.is_empty();
        self.files.insert(segment, PostponedFile { next, pause });
        is_only
    }

    /// Notes that a file can be indexed.
    pub(super) fn remove(&mut self, segment: u64) {
        self.files.remove(&segment);
    }

    /// Removes files that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.files.retain(|number, _| is_there(*number));
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_tried_again_after_pauses_that_become_longer() {
        let mut postponed = PostponedFiles::default();
        let mut tried = Vec::new();
        for run in 1..=2000 {
            postponed.begin_run();
            if !postponed.has(3) {
                tried.push(run);
                assert_eq!(postponed.add(3), run == 1);
            }
        }
        assert_eq!(tried, [1, 61, 181, 421, 901, 1501]);
        assert_eq!(postponed.len(), 1);
        postponed.remove(3);
        assert!(!postponed.has(3) && postponed.len() == 0);
    }
}
