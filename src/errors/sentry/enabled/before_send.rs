use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::errors::event::ErrorEvent;
use crate::errors::sentry::BeforeSend;
use crate::model::{Notices, Reason, caught};

/// Panics after which the hook is not called any more.
const MAX_PANICS: u32 = 10;

/// What the host wants to see of each event before it is sent. An event at which it panics is not sent: what
/// it was to take out would be in it.
pub(super) struct BeforeSendHook {
    call: BeforeSend,
    panics: AtomicU32,
    notices: Arc<Notices>,
}

impl BeforeSendHook {
    pub(super) fn new(call: BeforeSend, notices: &Arc<Notices>) -> Self {
        Self {
            call,
            panics: AtomicU32::new(0),
            notices: Arc::clone(notices),
        }
    }

    /// Shows an event; why it is not to be sent, if it is not.
    pub(super) fn show(&self, event: &mut ErrorEvent) -> Result<(), Reason> {
        if self.panics.load(Relaxed) >= MAX_PANICS {
            return Err(Reason::Panic);
        }
        match caught(|| (self.call)(event)) {
            Some(true) => Ok(()),
            Some(false) => Err(Reason::BeforeSend),
            None => {
                let panics = self.panics.fetch_add(1, Relaxed) + 1;
                self.notices.say("the hook given to `.before_send(..)` panicked: the event is not sent and counted as dropped; mend the hook");
                if panics == MAX_PANICS {
                    self.notices.say("the hook given to `.before_send(..)` panicked 10 times and is not called any more: no event is sent");
                }
                Err(Reason::Panic)
            }
        }
    }
}

impl Drop for BeforeSendHook {
    fn drop(&mut self) {
        // What the closure holds is the host's: its drop may panic.
        let call = std::mem::replace(&mut self.call, Box::new(|_| true));
        caught(|| drop(call));
    }
}
