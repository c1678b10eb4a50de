//! Which keys name a secret.

use super::rules::is_hosts_key;

/// Bytes of a key that are looked at together.
const MAX: usize = 128;

/// Whether what stands under this key is a secret: `password`, `X-Api-Key`, `sessionId`, `user[pin]`.
///
/// Case, `-_. []` and `camelCase` make no difference. Long names count wherever they stand in the key,
/// short ones as a word of their own. Keys that only measure or describe (`token_count`,
/// `prompt_tokens`, `session_timeout`, `cookie_name`) are no secrets.
pub(crate) fn is_sensitive_key(key: &str) -> bool {
    is_sensitive(key.as_bytes())
}

pub(super) fn is_sensitive(key: &[u8]) -> bool {
    if key.len() > MAX {
        let (head, tail) = (key.first_chunk::<MAX>(), key.last_chunk::<MAX>());
        return head.is_some_and(|key| is_sensitive(key))
            || tail.is_some_and(|key| is_sensitive(key));
    }
    let name = NormalizedKey::of(key);
    name.names_a_secret() && !name.only_describes() || is_hosts_key(&name)
}

/// A key that a host adds: it names a secret alone and as whole words of a longer key.
#[derive(Debug)]
pub(super) struct CustomKey(NormalizedKey);

impl CustomKey {
    pub(super) fn of(key: &str) -> Self {
        Self(NormalizedKey::of_short(key.as_bytes()))
    }

    pub(super) fn names(&self, name: &NormalizedKey) -> bool {
        let (own, letters) = (self.0.letters(), name.letters());
        if own == letters {
            return true;
        }
        let begins = |at: usize| at == name.len || name.starts >> at & 1 == 1;
        !own.is_empty()
            && !name.only_describes()
            && letters
                .windows(own.len())
                .enumerate()
                .any(|(at, part)| part == own && begins(at) && begins(at + own.len()))
    }
}

/// Names of parameters that carry a grant in a query or a form, and name harmless things elsewhere.
pub(super) fn is_grant(key: &[u8]) -> bool {
    let names: [&[u8]; 10] = [
        b"code",
        b"state",
        b"nonce",
        b"ticket",
        b"key",
        b"hmac",
        b"assertion",
        b"subject_token",
        b"request",
        b"wresult",
    ];
    names.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// A key in lower case, without its separators.
#[derive(Debug)]
pub(super) struct NormalizedKey {
    letters: [u8; MAX],
    len: usize,
    /// Bit n: a word begins at letter n.
    starts: u128,
}

impl NormalizedKey {
    /// Of a key that may be too long: its beginning.
    pub(super) fn of_short(key: &[u8]) -> Self {
        Self::of(key.get(..key.len().min(MAX)).unwrap_or_default())
    }

    fn of(key: &[u8]) -> Self {
        let mut name = Self {
            letters: [0; MAX],
            len: 0,
            starts: 0,
        };
        let mut before = b'_';
        for (n, &byte) in key.iter().enumerate() {
            if !byte.is_ascii_alphanumeric() && byte < 0x80 {
                before = byte;
                continue;
            }
            let next_is_small = || key.get(n + 1).is_some_and(u8::is_ascii_lowercase);
            let begins = !before.is_ascii_alphanumeric()
                || byte.is_ascii_uppercase() && (!before.is_ascii_uppercase() || next_is_small());
            if begins {
                name.starts |= 1 << name.len;
            }
            if let Some(letter) = name.letters.get_mut(name.len) {
                *letter = byte.to_ascii_lowercase();
                name.len += 1;
            }
            before = byte;
        }
        name
    }

    fn letters(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or_default()
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut starts = self.starts;
        std::iter::from_fn(move || {
            if starts == 0 {
                return None;
            }
            let start = starts.trailing_zeros() as usize;
            starts &= starts - 1;
            let end = if starts == 0 {
                self.len
            } else {
                starts.trailing_zeros() as usize
            };
            self.letters.get(start..end)
        })
    }

    fn names_a_secret(&self) -> bool {
        let letters = self.letters();
        (0..letters.len()).any(|at| letters.get(at..).is_some_and(begins_with_a_secrets_name))
            || self.words().any(is_a_secrets_word)
    }

    fn only_describes(&self) -> bool {
        let last = self.words().last().unwrap_or_default();
        is_describing(last)
            || self.words().any(|word| word == b"tokens") && self.words().any(is_a_quantity)
    }
}

/// Names that are long enough to be no part of another word.
fn begins_with_a_secrets_name(letters: &[u8]) -> bool {
    let any = |names: &[&[u8]]| names.iter().any(|name| letters.starts_with(name));
    let unless = |name: &[u8], more: &[&[u8]]| {
        letters
            .strip_prefix(name)
            .is_some_and(|rest| !more.iter().any(|more| rest.starts_with(more)))
    };
    let Some((first, second)) = letters.first().zip(letters.get(1)) else {
        return false;
    };
    // Most letters begin no name.
    let seconds: &[u8] = match first {
        b'a' => b"cpu",
        b'b' | b'd' | b'v' => b"e",
        b'c' => b"aloprsv",
        b'e' => b"n",
        b'j' => b"w",
        b'l' => b"i",
        b'm' => b"ay",
        b'o' => b"a",
        b'p' => b"ahr",
        b'r' => b"eo",
        b's' => b"aehist",
        b't' => b"fow",
        b'u' | b'x' => b"s",
        b'w' => b"r",
        _ => return false,
    };
    if !seconds.contains(second) {
        return false;
    }
    match letters.first() {
        Some(b'a') => any(&[
            b"apikey",
            b"accesskey",
            b"accountkey",
            b"appkey",
            b"authkey",
            b"authcode",
            b"authorization",
        ]),
        Some(b'b') => any(&[b"bearer"]),
        Some(b'c') => {
            any(&[
                b"credential",
                b"cookie",
                b"csrf",
                b"cardnumber",
                b"creditcard",
                b"connectionstring",
                b"connectsid",
                b"clientkey",
                b"clientassertion",
                b"codeverifier",
            ]) || letters == b"cvv"
                || letters == b"cvc"
        }
        Some(b'd') => any(&[b"devicecode", b"deploykey"]),
        Some(b'e') => any(&[b"encryptionkey"]),
        Some(b'j') => any(&[b"jwt"]),
        Some(b'l') => any(&[b"licensekey"]),
        Some(b'm') => any(&[b"mysqlpwd", b"masterkey"]),
        Some(b'o') => any(&[b"oauthverifier"]),
        Some(b'p') => any(&[
            b"password",
            b"passwd",
            b"passphrase",
            b"passcode",
            b"privatekey",
            b"phpauthpw",
        ]),
        Some(b'r') => any(&[b"recoverycode", b"relaystate", b"routingkey"]),
        Some(b's') => {
            any(&[
                b"samlart",
                b"samlrequest",
                b"samlresponse",
                b"sessid",
                b"signature",
                b"signingkey",
                b"storagekey",
                b"sharedkey",
                b"sshkey",
            ]) || unless(b"secret", &[b"ary", b"ari"])
                || unless(b"session", &[b"s"])
        }
        Some(b't') => any(&[b"tfacode", b"twofactor"]) || unless(b"token", &[b"iz", b"is"]),
        Some(b'u') => letters == b"usercode",
        Some(b'v') => any(&[b"verificationcode"]),
        Some(b'w') => any(&[b"writekey"]),
        Some(b'x') => any(&[b"xsrf"]),
        _ => false,
    }
}

/// Names that are secret only as a word of their own.
fn is_a_secrets_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"auth"
            | b"cvc"
            | b"cvv"
            | b"dsn"
            | b"iban"
            | b"mfa"
            | b"otp"
            | b"pan"
            | b"pass"
            | b"pin"
            | b"pwd"
            | b"sid"
            | b"sig"
            | b"ssn"
            | b"totp"
    )
}

/// Last words of a key that tells something about a secret, not the secret.
fn is_describing(word: &[u8]) -> bool {
    matches!(
        word,
        b"age"
            | b"bytes"
            | b"count"
            | b"counts"
            | b"dir"
            | b"duration"
            | b"enabled"
            | b"endpoint"
            | b"expired"
            | b"expires"
            | b"expiry"
            | b"file"
            | b"kind"
            | b"len"
            | b"length"
            | b"limit"
            | b"method"
            | b"ms"
            | b"name"
            | b"path"
            | b"policy"
            | b"present"
            | b"prompt"
            | b"required"
            | b"scheme"
            | b"seconds"
            | b"size"
            | b"status"
            | b"stdin"
            | b"timeout"
            | b"ttl"
            | b"type"
            | b"uri"
            | b"url"
            | b"valid"
            // A source file and its line.
            | b"go"
            | b"html"
            | b"java"
            | b"js"
            | b"json"
            | b"py"
            | b"rs"
            | b"ts"
    )
}

/// Words beside `tokens` that make it a number of them.
fn is_a_quantity(word: &[u8]) -> bool {
    matches!(
        word,
        b"budget"
            | b"cached"
            | b"completion"
            | b"input"
            | b"max"
            | b"min"
            | b"n"
            | b"num"
            | b"output"
            | b"per"
            | b"prompt"
            | b"reasoning"
            | b"remaining"
            | b"total"
            | b"usage"
            | b"used"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_key() {
        let keys = "password Password user_password passwd passphrase client_secret secretKey x-api-key \
            api.key APIKey aws_access_key private-key credentials mysql_pwd Authorization \
            proxy-authorization cookie set-cookie session_id sessionId JSESSIONID PHPSESSID token \
            access_token githubToken bearer csrf X-CSRF-Token _xsrf jwt otp otpCode two_factor cvv cvc \
            cardNumber card[number] pan iban ssn pin userPin auth x-auth http.request.header.cookie sig \
            X-Amz-Signature connect.sid db_pass dsn smtp.pwd connectionString tokens user[password]";
        for key in keys.split_whitespace() {
            assert!(is_sensitive_key(key), "{key}");
        }
        assert!(is_sensitive_key(&format!("{}password", "x".repeat(500))));
        assert!(is_sensitive_key(&format!("password{}", "x".repeat(500))));
    }

    #[test]
    fn others_are_left_alone() {
        let keys = "token_count tokens_used max_tokens promptTokens total_tokens author authority authors \
            authenticated session_count sessions keyboard key monkey pinned spin option panic expand \
            compass passenger passport tokenizer secretary token_type session_timeout cookie_name \
            password_length signal side design hotpath company japan user.id http.route duration \
            assignee basis";
        for key in keys.split_whitespace() {
            assert!(!is_sensitive_key(key), "{key}");
        }
        assert!(!is_sensitive_key(""));
        assert!(!is_sensitive_key(&"x".repeat(500)));
    }
}
