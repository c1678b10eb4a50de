use super::KeepReason;

/// The sampling decision that was made when a trace began in this process, and the caller's random flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sampling(u8);

/// The flags of `traceparent`.
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;
/// Not a flag of `traceparent`: a trusted caller made the decision.
const BY_PARENT: u8 = 4;

impl Sampling {
    /// The flags that are propagated in `traceparent`.
    pub(crate) const TRACE_FLAGS: u8 = SAMPLED | RANDOM;
    /// All bits that a value may have.
    pub(crate) const BITS: u8 = Self::TRACE_FLAGS | BY_PARENT;

    /// A decision of this process.
    #[inline]
    pub(crate) const fn own(sampled: bool) -> Self {
        Self(sampled as u8)
    }

    /// A decision of the caller.
    #[inline]
    pub(crate) const fn of_parent(sampled: bool) -> Self {
        Self(sampled as u8 | BY_PARENT)
    }

    /// The same decision with the random flag of these flags, which is propagated.
    #[inline]
    pub(crate) const fn with_flags(self, flags: u8) -> Self {
        Self(self.0 | flags & RANDOM)
    }

    /// Whether the flags of a `traceparent` have the sampled flag.
    #[inline]
    pub(crate) const fn samples(flags: u8) -> bool {
        flags & SAMPLED != 0
    }

    /// Whether the trace is sampled, as outgoing calls propagate it.
    #[inline]
    pub(crate) const fn is_sampled(self) -> bool {
        Self::samples(self.0)
    }

    /// Whether the caller decided against the trace. Spans that are kept anyway stay in this process.
    #[inline]
    pub(crate) const fn is_local(self) -> bool {
        self.0 & (BY_PARENT | SAMPLED) == BY_PARENT
    }

    /// Why a sampled trace is kept.
    pub(crate) const fn reason(self) -> Option<KeepReason> {
        match (self.is_sampled(), self.0 & BY_PARENT != 0) {
            (false, _) => None,
            (true, true) => Some(KeepReason::Parent),
            (true, false) => Some(KeepReason::Head),
        }
    }

    /// The flags of an outgoing `traceparent`.
    #[inline]
    pub(crate) const fn trace_flags(self) -> u8 {
        self.0 & Self::TRACE_FLAGS
    }

    #[inline]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_tells_who_made_it_and_what_is_sent_on() {
        for (sampling, flags, reason, local) in [
            (Sampling::own(true), 1, Some(KeepReason::Head), false),
            (Sampling::own(false), 0, None, false),
            (
                Sampling::of_parent(true),
                1,
                Some(KeepReason::Parent),
                false,
            ),
            (Sampling::of_parent(false), 0, None, true),
            (Sampling::of_parent(false).with_flags(0xff), 2, None, true),
            (
                Sampling::own(true).with_flags(2),
                3,
                Some(KeepReason::Head),
                false,
            ),
        ] {
            assert_eq!(sampling.trace_flags(), flags);
            assert_eq!((sampling.reason(), sampling.is_local()), (reason, local));
            assert_eq!(Sampling::from_bits(sampling.bits()), sampling);
        }
    }
}
