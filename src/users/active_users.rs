/// The number of distinct users within five minutes and within a day.
///
/// Returned by [`Monitor::active_users`](crate::Monitor::active_users). A host that counts its users itself passes one
/// to [`Monitor::set_active_users`](crate::Monitor::set_active_users):
///
/// ```
/// use watchpost::ActiveUsers;
///
/// let users = ActiveUsers::default().five_minutes(120).day(4_000);
/// assert_eq!(users.day, Some(4_000));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveUsers {
    /// The users of the current minute and the five before it; `None` if no user was ever seen.
    pub five_minutes: Option<u64>,
    /// The users of the current hour and the 24 before it; `None` if no user was ever seen.
    pub day: Option<u64>,
}

impl ActiveUsers {
    /// Sets the number of users within five minutes.
    #[must_use]
    pub fn five_minutes(mut self, users: u64) -> Self {
        self.five_minutes = Some(users);
        self
    }

    /// Sets the number of users within a day.
    #[must_use]
    pub fn day(mut self, users: u64) -> Self {
        self.day = Some(users);
        self
    }
}
