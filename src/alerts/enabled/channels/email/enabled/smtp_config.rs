//! The mail server as one text: a URL, or JSON as Nodemailer has it. No error shows any part of it that may be a secret.

use serde_json::{Map, Value};

use super::address::is_host;
use super::server::{SmtpSecurity, SmtpServer};

/// What the text says.
#[derive(Debug)]
pub(super) struct SmtpConfig {
    pub(super) server: SmtpServer,
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    /// What has no effect, each a sentence.
    pub(super) notices: Vec<String>,
}

const HOW: &str =
    "write `smtp://user:password@host:587`, `smtps://user:password@host:465`, or JSON";
/// The port on which TLS begins with the connection.
const IMPLICIT_PORT: u16 = 465;

impl SmtpConfig {
    fn new(server: SmtpServer) -> Self {
        Self {
            server,
            from: None,
            to: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Reads the text.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('{') {
            // The error of the parser could quote the text.
            let value = serde_json::from_str(text);
            let value: Value = value.map_err(|error| {
                format!(
                    "it begins like JSON and is none (line {}, column {}); {HOW}",
                    error.line(),
                    error.column()
                )
            })?;
            return match value {
                Value::Object(fields) => of_json(&fields),
                _ => Err(format!("it is no JSON object; {HOW}")),
            };
        }
        of_url(text)
    }
}

fn of_url(text: &str) -> Result<SmtpConfig, String> {
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| format!("it is no URL; {HOW}"))?;
    let security = match &*scheme.to_ascii_lowercase() {
        "smtp" | "smtp+starttls" => SmtpSecurity::StartTls,
        "smtps" | "smtp+ssl" | "smtp+tls" => SmtpSecurity::Implicit,
        _ => return Err(format!("its scheme is neither `smtp` nor `smtps`; {HOW}")),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let encode =
        "percent-encode the special characters of the user and the password, such as `%40` for `@`";
    if !matches!(path, "" | "/") {
        return Err(format!("it has a path or a fragment: {encode}"));
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (host, port) = host_and_port(host).map_err(|what| format!("{what}: {encode}"))?;
    let mut server = SmtpServer::new(host);
    server.port = port;
    server.security = security;
    if security == SmtpSecurity::StartTls && port == Some(IMPLICIT_PORT) {
        server.security = SmtpSecurity::Implicit;
    }
    if let Some(user) = user {
        let (user, password) = user
            .split_once(':')
            .ok_or("it has a user without a password: write `user:password@`")?;
        let decode =
            |text| decoded(text).ok_or(format!("the user or the password is not valid: {encode}"));
        server = server.login(decode(user)?, decode(password)?);
    }
    let mut config = SmtpConfig::new(server);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).ok_or(format!("`{}` is not valid", shown(name)))?;
        match name {
            "from" => config.from = Some(value),
            "to" => config.to.extend(listed(&value)),
            "ca_file" => config.server = config.server.authorities(value),
            "tls" => config.server.security = security_of(&value)?,
            _ if shown(name) == name => config.notices.push(no_effect(name)),
            // A password with a `?`.
            _ => return Err(format!("the part after `?` is not valid: {encode}")),
        }
    }
    Ok(config)
}

fn of_json(fields: &Map<String, Value>) -> Result<SmtpConfig, String> {
    let host = fields.get("host").and_then(Value::as_str);
    let host = host.ok_or(r#"it has no "host", such as {"host": "smtp.example.com"}"#)?;
    let (host, port) = host_and_port(host)?;
    let mut config = SmtpConfig::new(SmtpServer::new(host));
    config.server.port = port;
    let mut login = (None, None);
    let mut security = None;
    for (name, value) in fields {
        let bad = || format!("\"{}\" has a value that it cannot have", shown(name));
        let text = || value.as_str().map(str::to_owned).ok_or_else(bad);
        let flag = || value.as_bool().ok_or_else(bad);
        match &**name {
            "port" => {
                let number = value.as_u64().and_then(|it| u16::try_from(it).ok());
                let number = number.or_else(|| value.as_str()?.parse().ok());
                config.server.port = Some(number.ok_or_else(bad)?);
            }
            "secure" if flag()? => security = Some(SmtpSecurity::Implicit),
            "ignoreTLS" if flag()? => security = Some(SmtpSecurity::PlainText),
            // What they ask for is always so.
            "host" | "secure" | "ignoreTLS" | "requireTLS" => {}
            "tls" if value.is_string() => security = Some(security_of(&text()?)?),
            "tls" if value.get("rejectUnauthorized") == Some(&Value::Bool(false)) => {
                config.notices.push(
                    "\"rejectUnauthorized\" has no effect: the certificate has to be valid, set \"ca_file\" if it is of your own authority".to_owned(),
                );
            }
            "auth" => {
                let of =
                    |names: [&str; 2]| names.iter().find_map(|name| value.get(*name)?.as_str());
                login.0 = of(["user", "username"]).map(str::to_owned);
                login.1 = of(["pass", "password"]).map(str::to_owned);
            }
            "user" | "username" => login.0 = Some(text()?),
            "pass" | "password" => login.1 = Some(text()?),
            "from" => config.from = Some(text()?),
            "to" => config.to = recipients(value).ok_or_else(bad)?,
            "ca_file" => config.server = config.server.authorities(text()?),
            _ => config.notices.push(no_effect(name)),
        }
    }
    let is_implicit = config.server.port == Some(IMPLICIT_PORT);
    let by_port = is_implicit.then_some(SmtpSecurity::Implicit);
    config.server.security = security.or(by_port).unwrap_or(SmtpSecurity::StartTls);
    match login {
        (Some(user), Some(password)) => config.server = config.server.login(user, password),
        (None, None) => {}
        _ => return Err("it has a user without a password, or the reverse: set both".to_owned()),
    }
    Ok(config)
}

fn recipients(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(listed(text)),
        Value::Array(items) => {
            let items = items.iter().map(|item| item.as_str().map(str::to_owned));
            items.collect()
        }
        _ => None,
    }
}

/// The items of a list with commas.
fn listed(text: &str) -> Vec<String> {
    let items = text.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

fn security_of(text: &str) -> Result<SmtpSecurity, String> {
    match text {
        "starttls" | "required" => Ok(SmtpSecurity::StartTls),
        "implicit" => Ok(SmtpSecurity::Implicit),
        "none" => Ok(SmtpSecurity::PlainText),
        _ => Err("`tls` is none of `starttls`, `implicit` and `none`".to_owned()),
    }
}

fn no_effect(name: &str) -> String {
    format!("`{}` has no effect", shown(name))
}

/// A name, for messages. One with other characters may be a part of a password.
fn shown(name: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    if name.len() <= 30 && name.bytes().all(is_plain) {
        name
    } else {
        ".."
    }
}

/// `host`, `host:587` or `[::1]:587`.
fn host_and_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let is_bare_v6 = text.matches(':').count() > 1 && !text.starts_with('[');
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !is_bare_v6 && !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(
            port.parse::<u16>()
                .map_err(|_| "its port is not a number from 1 to 65535")?,
        ),
    };
    if is_host(host) {
        Ok((host, port))
    } else {
        Err("it has no name of a host".to_owned())
    }
}

/// Replaces `%40` and the like. `None` if the result is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(text: &str) -> String {
        let config = SmtpConfig::parse(text).unwrap_or_else(|what| panic!("{text}: {what}"));
        let server = &config.server;
        let login = server.login.as_ref();
        let login = login.map(|(user, password)| format!("{user}/{}", password.reveal()));
        format!(
            "{} {} {:?} {} from={} to={} ca={} notices={}",
            server.host,
            server.port_or_default(),
            server.security,
            login.unwrap_or_default(),
            config.from.unwrap_or_default(),
            config.to.join("+"),
            server
                .authorities
                .as_ref()
                .map_or(String::new(), |it| it.display().to_string()),
            config.notices.len(),
        )
    }

    #[test]
    fn a_url_says_what_users_expect() {
        for (text, expected) in [
            (
                "smtp://mail.example.com",
                "mail.example.com 587 StartTls  from= to= ca= notices=0",
            ),
            (
                "smtps://u:p@mail.example.com/",
                "mail.example.com 465 Implicit u/p from= to= ca= notices=0",
            ),
            (
                "SMTP://u:p@h:2525",
                "h 2525 StartTls u/p from= to= ca= notices=0",
            ),
            ("smtp://h:465", "h 465 Implicit  from= to= ca= notices=0"),
            // The user is often an address, and nobody encodes its `@`.
            (
                "smtp://a@example.com:p%40%2Fw@h:587",
                "h 587 StartTls a@example.com/p@/w from= to= ca= notices=0",
            ),
            (
                "smtp://a%40example.com:p:w@h",
                "h 587 StartTls a@example.com/p:w from= to= ca= notices=0",
            ),
            (
                "smtp://[::1]:25?tls=none",
                "[::1] 25 PlainText  from= to= ca= notices=0",
            ),
            (
                "smtp+starttls://h?to=a@x.io,b+c@x.io&from=W%20%3Cw@x.io%3E&ca_file=/a.pem&pool=true",
                "h 587 StartTls  from=W <w@x.io> to=a@x.io+b+c@x.io ca=/a.pem notices=1",
            ),
        ] {
            assert_eq!(summary(text), expected, "{text}");
        }
    }

    #[test]
    fn json_is_read_as_nodemailer_reads_it() {
        for (text, expected) in [
            (r#"{"host":"h"}"#, "h 587 StartTls  from= to= ca= notices=0"),
            (
                r#" {"host":"h","port":465,"secure":true,"auth":{"user":"u@x.io","pass":"p\"w"}}"#,
                "h 465 Implicit u@x.io/p\"w from= to= ca= notices=0",
            ),
            (
                r#"{"host":"h","port":"2525","secure":false,"requireTLS":true,"username":"u","password":"p","to":["a@x.io","b@x.io"],"from":"w@x.io","ca_file":"/a"}"#,
                "h 2525 StartTls u/p from=w@x.io to=a@x.io+b@x.io ca=/a notices=0",
            ),
            (
                r#"{"host":"h","port":465,"to":"a@x.io, b@x.io","pool":true,"tls":{"rejectUnauthorized":false}}"#,
                "h 465 Implicit  from= to=a@x.io+b@x.io ca= notices=2",
            ),
            (
                r#"{"host":"h","port":25,"ignoreTLS":true}"#,
                "h 25 PlainText  from= to= ca= notices=0",
            ),
            (
                r#"{"host":"h","tls":"none"}"#,
                "h 25 PlainText  from= to= ca= notices=0",
            ),
        ] {
            assert_eq!(summary(text), expected, "{text}");
        }
    }

    #[test]
    fn no_problem_shows_a_secret() {
        for text in [
            "",
            "hush",
            "hush:hush@host",
            "http://u:hush@host",
            "smtp://u:hush/hush@host",
            "smtp://u:hu#sh@host",
            "smtp://u:hu?sh@host",
            "smtp://u:%zzhush@host",
            "smtp://hush@host",
            "smtp://u:hush@",
            "smtp://u:hush@ho st",
            "smtp://u:hush@host:hush",
            "smtp://u:hush@host?tls=hush",
            "smtp://u:hush@host?tls=%",
            "smtp://u:hush@host?hush!=%f",
            "smtp://u:1234?hush@host",
            "{",
            r#"{"host":"h","pass":"hush"#,
            r#"{"pass":"hush"}"#,
            r#"{"host":"h","pass":"hush"}"#,
            r#"{"host":"h","user":"u"}"#,
            r#"{"host":"h","port":"hush"}"#,
            r#"{"host":"h","to":{"hush":1}}"#,
            r#"{"host":"h","secure":"hush"}"#,
            r#"{"host":"hu sh"}"#,
        ] {
            let problem = SmtpConfig::parse(text).map(|it| it.server).unwrap_err();
            assert!(!problem.contains("hush"), "{text}: {problem}");
        }
        let config = SmtpConfig::parse("smtp://u:hush@h?pool=hush").unwrap();
        assert!(!format!("{config:?}").contains("hush"));
        assert_eq!(config.notices, ["`pool` has no effect"]);
    }
}
