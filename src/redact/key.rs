//! Keys that name a secret.

/// Bytes of a key that are checked together.
pub(super) const MAX_KEY: usize = 128;

/// A key that the service adds. It matches by itself, and as whole words of a longer key.
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
            && !name.is_descriptive()
            && letters
                .windows(own.len())
                .enumerate()
                .any(|(at, part)| part == own && begins(at) && begins(at + own.len()))
    }
}

/// Whether a parameter of this name carries a grant in a query or a form. In other places these names are harmless.
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
    letters: [u8; MAX_KEY],
    len: usize,
    /// Bit n: a word starts at letter n.
    starts: u128,
}

impl NormalizedKey {
    /// The first bytes of a key that may be too long.
    pub(super) fn of_short(key: &[u8]) -> Self {
        Self::of(key.get(..key.len().min(MAX_KEY)).unwrap_or_default())
    }

    #[inline]
    pub(super) fn of(key: &[u8]) -> Self {
        let mut name = Self {
            letters: [0; MAX_KEY],
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

    /// Whether the built-in rules declare this key a secret.
    #[inline]
    pub(super) fn is_built_in(&self) -> bool {
        self.names_secret() && !self.is_descriptive()
    }

    fn names_secret(&self) -> bool {
        let letters = self.letters();
        (0..letters.len()).any(|at| letters.get(at..).is_some_and(starts_with_secret_name))
            || self.words().any(is_secret_word)
    }

    fn is_descriptive(&self) -> bool {
        let last = self.words().last().unwrap_or_default();
        is_descriptive_word(last)
            || self.words().any(|word| word == b"tokens") && self.words().any(is_quantity)
    }
}

/// Whether the letters start with a name that is long enough to be no part of another word.
fn starts_with_secret_name(letters: &[u8]) -> bool {
    let any = |names: &[&[u8]]| names.iter().any(|name| letters.starts_with(name));
    let unless = |name: &[u8], more: &[&[u8]]| {
        letters
            .strip_prefix(name)
            .is_some_and(|rest| !more.iter().any(|more| rest.starts_with(more)))
    };
    let Some((first, second)) = letters.first().zip(letters.get(1)) else {
        return false;
    };
    // Most pairs of letters start no name.
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

/// Whether a word is a name that matches only as a whole word.
fn is_secret_word(word: &[u8]) -> bool {
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

/// Whether a key that ends with this word describes a secret and does not hold it.
fn is_descriptive_word(word: &[u8]) -> bool {
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
            // A source file, before its line number.
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

/// Whether this word next to `tokens` makes it a number of tokens.
fn is_quantity(word: &[u8]) -> bool {
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
    use crate::redact::is_sensitive_key;

    #[test]
    fn keys_of_secrets_match() {
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
    fn other_keys_do_not_match() {
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
