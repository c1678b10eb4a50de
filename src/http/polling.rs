use super::track::Track;
use crate::model::Outcome;

/// While it lives, the request is the current one of its thread. Dropped by an unwinding panic, it ends
/// the request as panicked; the panic goes on unchanged.
#[derive(Debug)]
pub(super) struct Polling<'a> {
    track: &'a mut Option<Track>,
    left: bool,
}

impl<'a> Polling<'a> {
    #[inline]
    pub(super) fn enter(track: &'a mut Option<Track>) -> Self {
        if let Some(active) = track.as_mut().and_then(Track::active) {
            active.enter();
        }
        Self { track, left: false }
    }

    /// The code that was polled has returned.
    #[inline]
    pub(super) fn leave(mut self) {
        self.left = true;
        if let Some(active) = self.track.as_mut().and_then(Track::active) {
            active.leave();
        }
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        if let Some(mut track) = self.track.take() {
            if let Some(active) = track.active() {
                active.leave();
            }
            track.finish(Outcome::Panicked);
        }
    }
}
