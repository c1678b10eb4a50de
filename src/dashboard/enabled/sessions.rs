//! Sessions of browsers: a cookie that is signed with the token that it was given for.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use ring::hmac;
use tokio::sync::watch;

use crate::access::{Access, Role};
use crate::model::{hex_of_byte, lock};

/// How long a session lasts.
pub(super) const SESSION_LENGTH: Duration = Duration::from_secs(12 * 3600);
/// The maximum number of sessions that ended by a logout and would still be valid. Beyond it, the earliest are forgotten.
const MAX_ENDED: usize = 4096;
/// Separates these signatures from any other use of the token.
const PURPOSE: &[u8] = b"watchpost dashboard session 1\0";

/// A random number that no other session has.
pub(super) type SessionId = [u8; 16];

/// A session of a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoginSession {
    pub(super) role: Role,
    id: SessionId,
    /// Seconds since the Unix epoch.
    expires: u64,
}

/// The sessions that ended by a logout.
#[derive(Debug)]
pub(super) struct Sessions {
    ended: Mutex<VecDeque<SessionId>>,
    /// The number of logouts.
    logouts: watch::Sender<u64>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            ended: Mutex::default(),
            logouts: watch::Sender::new(0),
        }
    }
}

impl Sessions {
    /// Begins a session at `now`, in seconds since the Unix epoch. Returns it with the value of its cookie. `None` if the
    /// system has no random numbers, or if no token of this role is known.
    pub(super) fn begin(access: &Access, role: Role, now: u64) -> Option<(LoginSession, String)> {
        let mut id = SessionId::default();
        getrandom::fill(&mut id).ok()?;
        let session = LoginSession {
            role,
            id,
            expires: now.saturating_add(SESSION_LENGTH.as_secs()),
        };
        let mut cookie = session.content();
        let signature =
            access.with_token(role, |token| hmac::sign(&key(token), &signed(&cookie)))?;
        cookie.push('.');
        push_hex(&mut cookie, signature.as_ref());
        Some((session, cookie))
    }

    /// Returns the session of a cookie. `None` if it is not one of ours, has expired or was ended.
    pub(super) fn of_cookie(
        &self,
        access: &Access,
        cookie: &str,
        now: u64,
    ) -> Option<LoginSession> {
        let (content, signature) = cookie.rsplit_once('.')?;
        let session = LoginSession::of_content(content)?;
        let signature: [u8; 32] = bytes_of(signature)?;
        let is_valid = access.with_token(session.role, |token| {
            // In constant time.
            hmac::verify(&key(token), &signed(content), &signature)
        });
        is_valid?.ok()?;
        self.is_active(&session, now).then_some(session)
    }

    /// Whether a session has neither expired nor ended.
    pub(super) fn is_active(&self, session: &LoginSession, now: u64) -> bool {
        // One that ends later than any that begins now was made with a clock that was ahead.
        let latest = now.saturating_add(SESSION_LENGTH.as_secs());
        (now < session.expires && session.expires <= latest)
            && !lock(&self.ended).contains(&session.id)
    }

    /// Ends a session.
    pub(super) fn end(&self, session: &LoginSession) {
        let mut ended = lock(&self.ended);
        if !ended.contains(&session.id) {
            if ended.len() >= MAX_ENDED {
                ended.pop_front();
            }
            ended.push_back(session.id);
        }
        drop(ended);
        self.logouts
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes when a session ends by a logout.
    pub(super) fn logouts(&self) -> watch::Receiver<u64> {
        self.logouts.subscribe()
    }
}

impl LoginSession {
    /// The signed part of the cookie.
    fn content(&self) -> String {
        let mut content = format!("1.{}.{:x}.", self.role.as_str(), self.expires);
        push_hex(&mut content, &self.id);
        content
    }

    fn of_content(content: &str) -> Option<Self> {
        let mut parts = content.split('.');
        let (version, role, expires, id) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "1" || parts.next().is_some() {
            return None;
        }
        let mut roles = [Role::Viewer, Role::Operator].into_iter();
        Some(Self {
            role: roles.find(|known| known.as_str() == role)?,
            id: bytes_of(id)?,
            expires: u64::from_str_radix(expires, 16).ok()?,
        })
    }
}

fn key(token: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token)
}

fn signed(content: &str) -> Vec<u8> {
    [PURPOSE, content.as_bytes()].concat()
}

pub(super) fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in hex_of_byte(*byte) {
            out.push(char::from(digit));
        }
    }
}

/// The bytes of lower-case hexadecimal digits.
fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// A new ID of a process: eight random bytes as text. If the system has no random numbers, the time.
pub(super) fn random_epoch(now: u64) -> String {
    let mut bytes = now.to_be_bytes();
    // A failure leaves the time.
    let _failed = getrandom::fill(&mut bytes);
    let mut epoch = String::with_capacity(16);
    push_hex(&mut epoch, &bytes);
    epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015";
    const NOW: u64 = 1_800_000_000;

    #[test]
    fn only_an_unchanged_cookie_opens_and_for_twelve_hours() {
        let (access, sessions) = (Access::token(TOKEN), Sessions::default());
        let (session, cookie) = Sessions::begin(&access, Role::Operator, NOW).unwrap();
        let open = |cookie: &str, now| sessions.of_cookie(&access, cookie, now);
        assert_eq!(open(&cookie, NOW), Some(session));
        assert_eq!(open(&cookie, NOW + 43_199), Some(session));
        assert_eq!(open(&cookie, NOW + 43_200), None, "expired");
        assert_eq!(open(&cookie, NOW - 60), None, "from a clock that was ahead");
        for at in 0..cookie.len() {
            let mut changed = cookie.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(open(&changed, NOW), None, "{changed}");
            assert_eq!(open(&cookie[..at], NOW), None);
        }
        let forged = cookie.replace("operator", "viewer");
        assert_eq!(open(&forged, NOW), None);
        // After a restart with the same token, and with another one.
        let restarted = Sessions::default();
        assert!(
            restarted
                .of_cookie(&Access::token(TOKEN), &cookie, NOW)
                .is_some()
        );
        let other = Access::token(TOKEN.replace('9', "8"));
        assert!(restarted.of_cookie(&other, &cookie, NOW).is_none());
    }

    #[test]
    fn a_logout_ends_one_session() {
        let (access, sessions) = (Access::token(TOKEN), Sessions::default());
        let (one, cookie) = Sessions::begin(&access, Role::Operator, NOW).unwrap();
        let (_, other) = Sessions::begin(&access, Role::Operator, NOW).unwrap();
        assert_ne!(cookie, other);
        let mut logouts = sessions.logouts();
        sessions.end(&one);
        assert!(logouts.has_changed().unwrap());
        logouts.mark_unchanged();
        assert!(sessions.of_cookie(&access, &cookie, NOW).is_none());
        assert!(sessions.of_cookie(&access, &other, NOW).is_some());
        for _ in 0..2 * MAX_ENDED {
            let (session, _) = Sessions::begin(&access, Role::Operator, NOW).unwrap();
            sessions.end(&session);
        }
        assert_eq!(sessions.ended.lock().unwrap().len(), MAX_ENDED);
    }

    #[test]
    fn a_viewers_session_needs_a_viewers_token() {
        let access = Access::token(TOKEN);
        assert!(Sessions::begin(&access, Role::Viewer, NOW).is_none());
        assert!(Sessions::begin(&Access::open_to_anyone(), Role::Viewer, NOW).is_none());
    }
}
