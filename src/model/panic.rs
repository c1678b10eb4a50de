use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs foreign code; `None` if it panicked. The panic hook has run by then.
///
/// A panic may leave the state that the closure works on inconsistent: the caller must cope with that.
#[inline]
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic. If that panics too, its payload is leaked, so that nothing unwinds further.
#[cold]
fn discard(payload: Box<dyn std::any::Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        leak(second);
    }
}

#[expect(clippy::mem_forget, reason = "its drop may panic again")]
fn leak<T>(value: T) {
    std::mem::forget(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("again");
        }
    }

    #[test]
    fn a_panic_is_none_even_if_its_payload_panics_too() {
        assert_eq!(catch_panic(|| 7), Some(7));
        assert_eq!(
            catch_panic(|| std::panic::panic_any(PanicsOnDrop)).map(|()| 0),
            None
        );
    }
}
