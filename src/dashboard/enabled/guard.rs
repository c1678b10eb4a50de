//! Who may use the dashboard. One guard stands before every route.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Uri};

use super::attempts::LoginAttempts;
use super::sessions::{LoginSession, SESSION_LENGTH, Sessions};
use crate::access::{Access, AccessKind, Role};
use crate::clock::Clock;
use crate::http::{HttpConfig, RequestSource};
use crate::metrics::{Counter, Metrics};
use crate::model::Diagnostics;

/// Headers that a proxy adds.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

const NO_ADDRESS: &str = "the dashboard refuses all requests, because the address of their client is not known: serve with `into_make_service_with_connect_info::<std::net::SocketAddr>()`, or insert `watchpost::http::PeerAddr` into the extensions of each request";
const NOT_FROM_HERE: &str = "the dashboard refused a request that came from another machine, through a proxy or for another host name: the token that was generated for this run opens it on this machine alone; set `access.token` (WATCHPOST_TOKEN) to open it from elsewhere";
const WRONG_TOKENS: &str =
    "wrong tokens were sent to the dashboard; watchpost_dashboard_refused_total counts them";

/// Decides about the requests of one dashboard.
pub(super) struct Guard {
    access: Access,
    sessions: Sessions,
    attempts: LoginAttempts,
    http: HttpConfig,
    clock: Clock,
    diagnostics: std::sync::Arc<Diagnostics>,
    wrong: Counter,
    limited: Counter,
}

/// A client with access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageClient {
    pub(super) role: Role,
    pub(super) proof: Proof,
}

/// What gives a client its access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Everyone has it.
    Open,
    /// The host's function.
    Host,
    /// A token in the request.
    Bearer,
    /// A cookie.
    Session(LoginSession),
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginError {
    WrongToken,
    /// Too many wrong tokens, with the time to wait.
    TooMany(Duration),
    /// The token would be sent over a network without encryption.
    Insecure,
    /// There is no login.
    Unavailable,
}

/// The cookie of a session, as the header that sets it.
pub(super) struct NewSession {
    pub(super) session: LoginSession,
    pub(super) set_cookie: String,
}

impl Guard {
    pub(super) fn new(
        access: Access,
        http: &HttpConfig,
        clock: &Clock,
        diagnostics: &std::sync::Arc<Diagnostics>,
        metrics: &Metrics,
    ) -> Self {
        let refused = metrics
            .counter("watchpost.dashboard.refused")
            .description("Tokens that the dashboard refused, by reason")
            .build();
        Self {
            access,
            sessions: Sessions::default(),
            attempts: LoginAttempts::new(clock.clone()),
            http: http.clone(),
            clock: clock.clone(),
            diagnostics: std::sync::Arc::clone(diagnostics),
            wrong: refused.with([("reason", "wrong_token")]),
            limited: refused.with([("reason", "too_many")]),
        }
    }

    pub(super) fn source(&self, request: &Parts) -> RequestSource {
        RequestSource::of(request, &self.http)
    }

    /// Whether anything is served to a client from there, such as the page with the login.
    pub(super) fn is_open_for(&self, request: &Parts, source: &RequestSource) -> bool {
        match self.access.kind() {
            AccessKind::By => self.access.role_by_host(request).is_some(),
            AccessKind::Unresolved => false,
            AccessKind::Token | AccessKind::MadeUpToken if source.peer.is_none() => {
                self.diagnostics.report(NO_ADDRESS);
                false
            }
            AccessKind::Open | AccessKind::Token => true,
            AccessKind::MadeUpToken => {
                let is_here = is_from_here(request, source);
                if !is_here {
                    self.diagnostics.report(NOT_FROM_HERE);
                }
                is_here
            }
        }
    }

    /// Returns the client that a request comes from; `None` without access.
    ///
    /// # Errors
    ///
    /// Returns the time to wait if the request has a token and too many wrong ones were sent.
    pub(super) fn client(
        &self,
        request: &Parts,
        source: &RequestSource,
    ) -> Result<Option<PageClient>, Duration> {
        let client = |role, proof| PageClient { role, proof };
        Ok(match self.access.kind() {
            AccessKind::Unresolved => None,
            AccessKind::Open => Some(client(Role::Viewer, Proof::Open)),
            AccessKind::By => {
                let role = self.access.role_by_host(request);
                role.map(|role| client(role, Proof::Host))
            }
            AccessKind::Token | AccessKind::MadeUpToken => {
                if request.headers.contains_key(AUTHORIZATION) {
                    let role =
                        self.attempt(source, || self.access.role_by_bearer(&request.headers))?;
                    role.map(|role| client(role, Proof::Bearer))
                } else {
                    let session = self.session(request);
                    session.map(|session| client(session.role, Proof::Session(session)))
                }
            }
        })
    }

    /// Whether a client still has its access. What the host has given ends with the connection.
    pub(super) fn still_has_access(&self, client: &PageClient) -> bool {
        match client.proof {
            Proof::Open | Proof::Bearer | Proof::Host => true,
            Proof::Session(session) => self.sessions.is_active(&session, self.now()),
        }
    }

    /// Exchanges a token for a session.
    pub(super) fn log_in(
        &self,
        request: &Parts,
        source: &RequestSource,
        token: &str,
    ) -> Result<NewSession, LoginError> {
        if !matches!(
            self.access.kind(),
            AccessKind::Token | AccessKind::MadeUpToken
        ) {
            return Err(LoginError::Unavailable);
        }
        let is_https = is_https(&request.headers);
        if !is_https && !is_from_here(request, source) {
            return Err(LoginError::Insecure);
        }
        let role = self
            .attempt(source, || self.access.role_by_token(token.as_bytes()))
            .map_err(LoginError::TooMany)?
            .ok_or(LoginError::WrongToken)?;
        let (session, value) =
            Sessions::begin(&self.access, role, self.now()).ok_or(LoginError::Unavailable)?;
        let name = cookie_name(request, source);
        // Without a path, a browser sends the cookie to the paths beside that of the login: the dashboard's mount, under
        // whatever prefix the browser sees it.
        let mut set_cookie = format!(
            "{name}={value}; Max-Age={}; HttpOnly; SameSite=Strict",
            SESSION_LENGTH.as_secs()
        );
        if is_https {
            set_cookie.push_str("; Secure");
        }
        Ok(NewSession {
            session,
            set_cookie,
        })
    }

    /// Ends the session of a request. Returns the header that removes its cookie.
    pub(super) fn log_out(&self, request: &Parts, source: &RequestSource) -> String {
        if let Some(session) = self.session(request) {
            self.sessions.end(&session);
        }
        let name = cookie_name(request, source);
        format!("{name}=; Max-Age=0; HttpOnly; SameSite=Strict")
    }

    pub(super) fn logouts(&self) -> tokio::sync::watch::Receiver<u64> {
        self.sessions.logouts()
    }

    /// Looks for a role by a token, unless too many wrong ones were sent.
    fn attempt(
        &self,
        source: &RequestSource,
        find: impl FnOnce() -> Option<Role>,
    ) -> Result<Option<Role>, Duration> {
        if let Err(wait) = self.attempts.begin(source.client) {
            self.limited.add(1);
            return Err(wait);
        }
        let role = find();
        if role.is_some() {
            self.attempts.succeed(source.client);
        } else {
            self.wrong.add(1);
            self.diagnostics.report(WRONG_TOKENS);
        }
        Ok(role)
    }

    fn session(&self, request: &Parts) -> Option<LoginSession> {
        let name = cookie_name(request, &self.source(request));
        let now = self.now();
        // A cookie of the same name may belong to another service on this host, so each is tried.
        cookies(&request.headers)
            .filter(|(found, _)| *found == name)
            .take(8)
            .find_map(|(_, value)| self.sessions.of_cookie(&self.access, value, now))
    }

    /// Seconds since the Unix epoch.
    fn now(&self) -> u64 {
        self.clock.wall(self.clock.now()) / 1_000_000_000
    }
}

/// The host that the browser asked for.
pub(super) fn host(request: &Parts, source: &RequestSource) -> Option<String> {
    if let Some(host) = &source.forwarded_host {
        return Some(host.clone());
    }
    if let Some(authority) = request.uri.authority() {
        return Some(authority.as_str().to_owned());
    }
    let header = request.headers.get(HOST)?.to_str().ok()?;
    Some(header.to_owned())
}

/// Whether the client and the browser's address bar are on this machine.
fn is_from_here(request: &Parts, source: &RequestSource) -> bool {
    let is_loopback = |address: Option<IpAddr>| {
        address.is_some_and(|address| address.to_canonical().is_loopback())
    };
    let mut proxied = PROXY_HEADERS.iter();
    is_loopback(source.peer)
        && !proxied.any(|name| request.headers.contains_key(*name))
        // A name that an attacker has pointed to this machine is no local one.
        && host(request, source).is_some_and(|host| is_local_name(&host))
        && origin(&request.headers).is_none_or(|origin| {
            origin.authority().is_some_and(|host| is_local_name(host.as_str()))
        })
}

/// Whether a host, with or without a port, can only be this machine.
fn is_local_name(host: &str) -> bool {
    let address = host.parse::<SocketAddr>().map(|address| address.ip());
    if let Ok(address) = address.or_else(|_| host.parse::<IpAddr>()) {
        return address.to_canonical().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = address.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The page that sent a request, as its browser says. Code in a page cannot change the header.
fn origin(headers: &HeaderMap) -> Option<Uri> {
    headers.get(ORIGIN)?.to_str().ok()?.parse().ok()
}

fn is_https(headers: &HeaderMap) -> bool {
    origin(headers).is_some_and(|origin| origin.scheme_str() == Some("https"))
}

/// Whether a request is sent by a page of the same origin, as its browser says: for what a foreign page must not do with
/// the cookie of a session.
pub(super) fn is_same_origin(request: &Parts, source: &RequestSource) -> bool {
    match request.headers.get("sec-fetch-site") {
        Some(site) => site.as_bytes() == b"same-origin",
        None => has_own_origin(request, source),
    }
}

/// Whether the header `Origin` names the host that the browser asked for.
pub(super) fn has_own_origin(request: &Parts, source: &RequestSource) -> bool {
    let mut origins = request.headers.get_all(ORIGIN).iter();
    let (Some(_), None) = (origins.next(), origins.next()) else {
        return false;
    };
    let (Some(origin), Some(host)) = (origin(&request.headers), host(request, source)) else {
        return false;
    };
    let is_web = matches!(origin.scheme_str(), Some("http" | "https"));
    let authority = origin.authority().map(http::uri::Authority::as_str);
    is_web && authority.is_some_and(|authority| authority.eq_ignore_ascii_case(&host))
}

/// Whether a request claims access: it has a token, or a cookie of the name of ours.
pub(super) fn claims_access(request: &Parts, source: &RequestSource) -> bool {
    let name = cookie_name(request, source);
    request.headers.contains_key(AUTHORIZATION)
        || cookies(&request.headers).any(|(found, _)| found == name)
}

/// The name of the session's cookie. Browsers share cookies between the ports of a host, so it contains the port.
fn cookie_name(request: &Parts, source: &RequestSource) -> String {
    let host = host(request, source).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("watchpost-{port}")
        }
        _ => "watchpost".to_owned(),
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(COOKIE).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).take(256);
    pairs.filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> Parts {
        let mut parts = http::Request::new(()).into_parts().0;
        for (name, value) in headers {
            parts.headers.append(*name, value.parse().unwrap());
        }
        parts
    }

    fn from(peer: &str) -> RequestSource {
        let peer = Some(peer.parse().unwrap());
        RequestSource {
            peer,
            client: peer,
            forwarded_host: None,
        }
    }

    #[test]
    fn local_names() {
        for (host, local) in [
            ("localhost", true),
            ("LOCALHOST:3000", true),
            ("shop.localhost:3000", true),
            ("127.0.0.1", true),
            ("127.9.9.9:80", true),
            ("[::1]", true),
            ("[::1]:3000", true),
            ("::1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("localhost.evil.example:3000", false),
            ("notlocalhost", false),
            ("127.0.0.1.nip.io", false),
            ("192.0.2.1:3000", false),
            ("0.0.0.0", false),
            ("", false),
        ] {
            assert_eq!(is_local_name(host), local, "{host}");
        }
    }

    #[test]
    fn what_counts_as_this_machine() {
        let local = ("host", "localhost:3000");
        for (peer, headers, here) in [
            ("127.0.0.1", vec![local], true),
            ("::1", vec![local], true),
            ("::ffff:127.0.0.1", vec![local], true),
            ("192.0.2.1", vec![local], false),
            ("127.0.0.1", vec![("host", "evil.example:3000")], false),
            ("127.0.0.1", vec![], false),
            (
                "127.0.0.1",
                vec![local, ("x-forwarded-for", "127.0.0.1")],
                false,
            ),
            (
                "127.0.0.1",
                vec![local, ("forwarded", "for=127.0.0.1")],
                false,
            ),
            ("127.0.0.1", vec![local, ("via", "1.1 proxy")], false),
            ("127.0.0.1", vec![local, ("x-real-ip", "192.0.2.1")], false),
            (
                "127.0.0.1",
                vec![local, ("origin", "http://localhost:3000")],
                true,
            ),
            (
                "127.0.0.1",
                vec![local, ("origin", "http://shop.example")],
                false,
            ),
            ("127.0.0.1", vec![local, ("origin", "null")], false),
        ] {
            assert_eq!(
                is_from_here(&request(&headers), &from(peer)),
                here,
                "{peer} {headers:?}"
            );
        }
    }

    #[test]
    fn who_counts_as_the_same_origin() {
        let host = ("host", "shop.example:3000");
        for (headers, same) in [
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("sec-fetch-site", "none")], false),
            (vec![host, ("sec-fetch-site", "Same-Origin")], false),
            (vec![host, ("sec-fetch-site", "")], false),
            (vec![host], false),
            (vec![host, ("origin", "http://shop.example:3000")], true),
            (vec![host, ("origin", "https://SHOP.example:3000")], true),
            (vec![host, ("origin", "http://shop.example")], false),
            (vec![host, ("origin", "http://shop.example:3001")], false),
            (vec![host, ("origin", "http://evil.example:3000")], false),
            (
                vec![host, ("origin", "http://shop.example:3000.evil.example")],
                false,
            ),
            (
                vec![host, ("origin", "http://evil.example@shop.example:3000")],
                false,
            ),
            (vec![host, ("origin", "null")], false),
            (vec![host, ("origin", "")], false),
            (vec![host, ("origin", "file://shop.example:3000")], false),
            (
                vec![
                    host,
                    ("origin", "http://shop.example:3000"),
                    ("origin", "http://evil.example"),
                ],
                false,
            ),
            (vec![("origin", "http://shop.example:3000")], false),
            (
                vec![
                    host,
                    ("origin", "http://shop.example:3000"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
        ] {
            assert_eq!(
                is_same_origin(&request(&headers), &from("192.0.2.1")),
                same,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_cookie_is_named_after_the_port() {
        for (host, name) in [
            ("localhost:3000", "watchpost-3000"),
            ("[::1]:3001", "watchpost-3001"),
            ("shop.example", "watchpost"),
            ("shop.example:", "watchpost"),
            ("shop.example:x;y", "watchpost"),
        ] {
            let request = request(&[("host", host)]);
            assert_eq!(cookie_name(&request, &from("192.0.2.1")), name);
        }
        let request = request(&[
            ("cookie", "a=1; watchpost=x.y; b=2"),
            ("cookie", "watchpost=z"),
        ]);
        let found: Vec<_> = cookies(&request.headers)
            .filter(|(name, _)| *name == "watchpost")
            .collect();
        assert_eq!(found, [("watchpost", "x.y"), ("watchpost", "z")]);
    }
}
