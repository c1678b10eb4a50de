use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::errors::event::ErrorEvent;
use crate::errors::sentry::BeforeSend;
use crate::model::{Diagnostics, DropReason, catch_panic};

/// The number of panics after which the hook is no longer called.
const MAX_PANICS: u32 = 10;

/// The host's hook, with its panics caught.
///
/// An event on which the hook panics is not sent: the hook may exist to remove something from it.
pub(super) struct BeforeSendHook {
    call: BeforeSend,
    panics: AtomicU32,
    diagnostics: Arc<Diagnostics>,
}

impl BeforeSendHook {
    pub(super) fn new(call: BeforeSend, diagnostics: &Arc<Diagnostics>) -> Self {
        Self {
            call,
            panics: AtomicU32::new(0),
            diagnostics: Arc::clone(diagnostics),
        }
    }

    /// Calls the hook.
    ///
    /// # Errors
    ///
    /// The reason to drop the event: the hook refused it or panicked.
    pub(super) fn call(&self, event: &mut ErrorEvent) -> Result<(), DropReason> {
        if self.panics.load(Relaxed) >= MAX_PANICS {
            return Err(DropReason::Panic);
        }
        match catch_panic(|| (self.call)(event)) {
            Some(true) => Ok(()),
            Some(false) => Err(DropReason::BeforeSend),
            None => {
                let panics = self.panics.fetch_add(1, Relaxed) + 1;
                self.diagnostics.report("the hook given to `.before_send(..)` panicked: the event is not sent and counts as dropped; correct the hook");
                if panics == MAX_PANICS {
                    self.diagnostics.report("the hook given to `.before_send(..)` panicked 10 times and is not called any more: no event is sent");
                }
                Err(DropReason::Panic)
            }
        }
    }
}

impl Drop for BeforeSendHook {
    fn drop(&mut self) {
        // The closure holds values of the host, whose drop may panic.
        let call = std::mem::replace(&mut self.call, Box::new(|_| true));
        catch_panic(|| drop(call));
    }
}
