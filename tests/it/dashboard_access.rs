//! Who may use the dashboard, over real connections: the rules of [`watchpost::dashboard`].

use std::net::SocketAddr;

use axum::Router;
use http::StatusCode;
use watchpost::{Access, Role};

use crate::dashboard_host::{Answer, Host, TOKEN, VIEWER};

/// All routes: the path, the method that it takes, and whether it needs no access.
const ROUTES: [(&str, &str, bool); 49] = [
    ("", "GET", true),
    ("alerts", "GET", true),
    ("errors", "GET", true),
    ("error", "GET", true),
    ("routes", "GET", true),
    ("route", "GET", true),
    ("traces", "GET", true),
    ("trace", "GET", true),
    ("database", "GET", true),
    ("statement", "GET", true),
    ("calls", "GET", true),
    ("logs", "GET", true),
    ("login", "POST", true),
    ("logout", "POST", false),
    ("live", "GET", false),
    ("status", "GET", false),
    ("data/v1/session", "GET", false),
    ("data/v1/overview", "GET", false),
    ("data/v1/alerts", "GET", false),
    ("data/v1/alerts/preview", "GET", false),
    ("data/v1/alerts/backtest", "GET", false),
    ("data/v1/alerts/acknowledge", "POST", false),
    ("data/v1/alerts/silence", "POST", false),
    ("data/v1/alerts/end-silence", "POST", false),
    ("data/v1/errors", "GET", false),
    ("data/v1/error", "GET", false),
    ("data/v1/errors/resolve", "POST", false),
    ("data/v1/errors/mute", "POST", false),
    ("data/v1/errors/reopen", "POST", false),
    ("data/v1/errors/merge", "POST", false),
    ("data/v1/routes", "GET", false),
    ("data/v1/route", "GET", false),
    ("data/v1/traces", "GET", false),
    ("data/v1/trace-differences", "GET", false),
    ("data/v1/trace", "GET", false),
    ("data/v1/statements", "GET", false),
    ("data/v1/statement", "GET", false),
    ("data/v1/pools", "GET", false),
    ("data/v1/calls", "GET", false),
    ("data/v1/logs", "GET", false),
    ("data/v1/logs/histogram", "GET", false),
    ("data/v1/logs/facets", "GET", false),
    ("data/v1/logs/patterns", "GET", false),
    ("data/v1/logs/context", "GET", false),
    ("data/v1/logs/tail", "GET", false),
    ("data/v1/logs/export", "GET", false),
    ("data/v1/live", "GET", false),
    ("data/v1/test-error", "POST", false),
    ("data/v1/test-trace", "POST", false),
];

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// S1, S2: nothing without mounting it, and no access without naming it.
#[test]
fn nothing_is_served_until_the_host_mounts_it() {
    let host = Host::serve(|builder| builder, |_| Router::new());
    assert_eq!(host.get("", &[]).status, StatusCode::NOT_FOUND);
}

/// S2, S3: a token that was generated opens from this machine alone.
#[test]
fn a_made_up_token_opens_from_this_machine_alone() {
    let host = Host::start(|builder| builder, |router| router);
    let port = host.address.port();
    let [local, name, ip6] = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
    ];
    for (headers, open) in [
        (vec![("host", local.as_str())], true),
        (vec![("host", name.as_str())], true),
        (vec![("host", ip6.as_str())], true),
        (vec![("host", "127.0.0.2")], true),
        (vec![("host", "evil.example")], false),
        (vec![("host", "shop.example:3000")], false),
        (vec![("host", "192.0.2.1")], false),
        (vec![("host", "")], false),
        (
            vec![("host", local.as_str()), ("x-forwarded-for", "127.0.0.1")],
            false,
        ),
        (
            vec![("host", local.as_str()), ("forwarded", "for=127.0.0.1")],
            false,
        ),
        (
            vec![("host", local.as_str()), ("x-real-ip", "127.0.0.1")],
            false,
        ),
        (vec![("host", local.as_str()), ("via", "1.1 proxy")], false),
    ] {
        let status = host.get("", &headers).status;
        let expected = if open {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(status, expected, "{headers:?}");
    }
    let notices = host.harness.notices().concat();
    assert!(notices.contains("came from another machine"), "{notices}");
    // Another peer, as a server of the host's reports it.
    let away = Host::serve(
        |builder| builder,
        |harness| {
            let from = |mut request: axum::extract::Request| {
                let peer = watchpost::http::PeerAddr("192.0.2.7".parse().unwrap());
                request
                    .extensions_mut()
                    .remove::<axum::extract::ConnectInfo<SocketAddr>>();
                request.extensions_mut().insert(peer);
                request
            };
            harness
                .dashboard(Access::from_settings())
                .layer(axum::middleware::map_request(move |request| async move {
                    from(request)
                }))
        },
    );
    assert_eq!(away.get("", &[]).status, StatusCode::NOT_FOUND);
    assert_eq!(away.get("data/v1/session", &[]).code(), "closed");
}

/// S3: without the address of the client everything is closed, and a notice says what to do.
#[test]
fn without_the_clients_address_it_is_closed() {
    let host = Host::serve(
        |builder| builder.access_token(TOKEN),
        |harness| {
            let forget = |mut request: axum::extract::Request| async move {
                request
                    .extensions_mut()
                    .remove::<axum::extract::ConnectInfo<SocketAddr>>();
                request
            };
            harness
                .dashboard(Access::from_settings())
                .layer(axum::middleware::map_request(forget))
        },
    );
    let token = bearer(TOKEN);
    for path in ["", "data/v1/session", "status"] {
        let answer = host.get(path, &[("authorization", &token)]);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let notices = host.harness.notices().concat();
    assert!(
        notices.contains("into_make_service_with_connect_info"),
        "{notices}"
    );
}

/// S4: every route and every method, without access.
#[test]
fn nothing_but_the_page_and_the_login_is_open() {
    let host = Host::with_token();
    let page = host.get("", &[]);
    assert_eq!(page.status, StatusCode::OK);
    for secret in [TOKEN, VIEWER, "test-service"] {
        assert!(!page.body.contains(secret));
    }
    for (path, allowed, open) in ROUTES {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
        ] {
            let is_allowed = method == allowed || (method == "HEAD" && allowed == "GET");
            let answer = if method == "GET" || method == "HEAD" {
                host.send(method, &format!("/monitoring/{path}"), &[], "")
            } else {
                let origin = format!("http://{}", host.address);
                let headers = [
                    ("content-type", "application/json"),
                    ("sec-fetch-site", "same-origin"),
                    ("origin", origin.as_str()),
                ];
                host.send(method, &format!("/monitoring/{path}"), &headers, "{}")
            };
            let is_question = path == "data/v1/session" && is_allowed;
            if is_question && method == "GET" {
                assert_eq!(answer.body, "null");
            }
            let expected = match (open || is_question, is_allowed) {
                (false, _) => StatusCode::UNAUTHORIZED,
                (true, false) => StatusCode::METHOD_NOT_ALLOWED,
                (true, true) if path == "login" => StatusCode::BAD_REQUEST,
                (true, true) => StatusCode::OK,
            };
            assert_eq!(answer.status, expected, "{method} {path}: {}", answer.body);
        }
    }
    for path in [
        "unknown",
        "data",
        "data/v1",
        "assets/index.html",
        "env",
        "../status",
        "%2e%2e/x",
    ] {
        assert_eq!(host.get(path, &[]).status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// Roles: a viewer reads, an operator also changes.
#[test]
fn a_viewer_reads_and_an_operator_writes() {
    let host = Host::with_token();
    for (token, role) in [(TOKEN, "operator"), (VIEWER, "viewer")] {
        let token = bearer(token);
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
        ];
        let session = host.get("data/v1/session", &headers).json();
        assert_eq!(session["role"], role);
        assert_eq!(session["can_log_out"], false);
        assert_eq!(
            host.get("data/v1/overview?range=1h", &headers).status,
            StatusCode::OK
        );
        assert_eq!(host.get("status", &headers).status, StatusCode::OK);
        let test = host.send("POST", "/monitoring/data/v1/test-error", &headers, "{}");
        if role == "operator" {
            assert_eq!(test.status, StatusCode::ACCEPTED, "{}", test.body);
            assert!(test.json()["event_id"].is_string() && test.json()["trace_id"].is_string());
        } else {
            assert_eq!(
                (test.status, test.code()),
                (StatusCode::FORBIDDEN, "forbidden".to_owned())
            );
        }
    }
}

/// S6: the cookie of a login.
#[test]
fn a_login_gives_a_cookie_that_opens_and_a_logout_ends_it() {
    let host = Host::with_token();
    let login = host.log_in(TOKEN);
    assert_eq!(login.status, StatusCode::OK, "{}", login.body);
    assert_eq!(login.json()["role"], "operator");
    assert_eq!(login.json()["can_log_out"], true);
    let set = login.headers["set-cookie"].to_str().unwrap();
    let name = format!("watchpost-{}=", host.address.port());
    assert!(set.starts_with(&name) && !set.contains(TOKEN), "{set}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(set.split("; ").any(|part| part == attribute), "{set}");
    }
    // The default path of a cookie is that of the login: the mount. Plain HTTP on this machine is no reason for `Secure`.
    assert!(
        !set.contains("Path") && !set.contains("Domain") && !set.contains("Secure"),
        "{set}"
    );
    let cookie = login.cookie();
    let session = |cookie: &str| host.get("data/v1/session", &[("cookie", cookie)]).status;
    assert_eq!(session(&cookie), StatusCode::OK);
    let forged = cookie.replace(".operator.", ".viewer.");
    assert_eq!(session(&forged), StatusCode::UNAUTHORIZED);
    assert_eq!(
        session(&cookie[..cookie.len() - 1]),
        StatusCode::UNAUTHORIZED
    );
    let viewer = host.log_in(VIEWER);
    assert_eq!(viewer.json()["role"], "viewer");
    let out = host.post("logout", &[("cookie", &cookie)], "{}");
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(session(&cookie), StatusCode::UNAUTHORIZED);
    assert_eq!(session(&viewer.cookie()), StatusCode::OK);
}

/// S6: over TLS, which the browser tells.
#[test]
fn a_cookie_is_secure_behind_tls_and_a_login_over_plain_http_from_afar_is_refused() {
    let host = Host::with_token();
    let body = format!("{{\"token\":\"{TOKEN}\"}}");
    let far = [("host", "shop.example"), ("origin", "https://shop.example")];
    let login = host.post("login", &far, &body);
    assert_eq!(login.status, StatusCode::OK, "{}", login.body);
    let set = login.headers["set-cookie"].to_str().unwrap();
    assert!(
        set.ends_with("; Secure") && set.starts_with("watchpost="),
        "{set}"
    );
    // A browser sends no fetch metadata over plain HTTP.
    let plain = [
        ("host", "shop.example"),
        ("origin", "http://shop.example"),
        ("sec-fetch-site", "-"),
    ];
    let refused = host.post("login", &plain, &body);
    assert_eq!(
        (refused.status, refused.code()),
        (StatusCode::FORBIDDEN, "insecure".to_owned())
    );
    assert!(
        refused.json()["message"]
            .as_str()
            .unwrap()
            .contains("HTTPS")
    );
    assert!(!refused.headers.contains_key("set-cookie"));
}

/// Sessions outlive a restart under the same token, and no other.
#[test]
fn a_session_outlives_a_restart_with_the_same_token() {
    let cookie = Host::with_token().log_in(TOKEN).cookie();
    let (_, value) = cookie.split_once('=').unwrap();
    let status = |host: &Host| {
        let cookie = format!("watchpost-{}={value}", host.address.port());
        host.get("data/v1/session", &[("cookie", &cookie)]).status
    };
    assert_eq!(status(&Host::with_token()), StatusCode::OK);
    let other = Host::start(|builder| builder.access_token(VIEWER), |router| router);
    assert_eq!(status(&other), StatusCode::UNAUTHORIZED);
}

/// S5: ten wrong tokens in a minute.
#[test]
fn wrong_tokens_are_limited_and_counted_and_not_shown() {
    let host = Host::with_token();
    let wrong = "wrong-Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy7Rf2";
    for n in 0..10 {
        let answer = if n % 2 == 0 {
            host.log_in(wrong)
        } else {
            host.get("data/v1/session", &[("authorization", &bearer(wrong))])
        };
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let cases = [
        host.log_in(TOKEN),
        host.get("status", &[("authorization", &bearer(TOKEN))]),
    ];
    for answer in cases {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.code(), "too_many_attempts");
        let wait: u64 = answer.headers["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=60).contains(&wait));
    }
    let page = host.harness.page();
    let refused = |reason| page.sum("watchpost_dashboard_refused_total", &[("reason", reason)]);
    assert_eq!((refused("wrong_token"), refused("too_many")), (10.0, 2.0));
    let written = host.harness.written() + &host.harness.notices().concat();
    assert!(!written.contains(wrong) && !written.contains(TOKEN));
    assert!(written.contains("wrong tokens were sent"));
}

/// S7: 20 ways to send a request from elsewhere.
#[test]
fn what_changes_something_comes_from_a_page_of_the_same_origin() {
    let host = Host::with_token();
    let cookie = host.log_in(TOKEN).cookie();
    let own = format!("http://{}", host.address);
    let json = ("content-type", "application/json");
    let same = ("sec-fetch-site", "same-origin");
    let origin = ("origin", own.as_str());
    for (headers, allowed) in [
        (vec![json, same, origin], true),
        (vec![json, same], true),
        (vec![json, origin], true),
        (vec![json], false),
        (vec![json, ("sec-fetch-site", "cross-site"), origin], false),
        (vec![json, ("sec-fetch-site", "same-site"), origin], false),
        (vec![json, ("sec-fetch-site", "none"), origin], false),
        (vec![json, ("sec-fetch-site", ""), origin], false),
        (vec![json, ("origin", "http://evil.example")], false),
        (vec![json, ("origin", "null")], false),
        (vec![json, ("origin", "")], false),
        (vec![json, ("origin", "http://127.0.0.1")], false),
        (vec![json, ("origin", "http://127.0.0.1:1")], false),
        (vec![json, ("origin", "file://")], false),
        (vec![same, origin], false),
        (vec![("content-type", "text/plain"), same, origin], false),
        (
            vec![
                ("content-type", "application/x-www-form-urlencoded"),
                same,
                origin,
            ],
            false,
        ),
        (
            vec![("content-type", "multipart/form-data"), same, origin],
            false,
        ),
        (
            vec![
                ("content-type", "application/json, text/plain"),
                same,
                origin,
            ],
            false,
        ),
        (
            vec![
                json,
                ("sec-fetch-site", "cross-site"),
                ("x-http-method-override", "GET"),
            ],
            false,
        ),
    ] {
        let mut all = headers.clone();
        all.push(("cookie", &cookie));
        let answer = host.send("POST", "/monitoring/data/v1/test-trace", &all, "{}");
        assert_eq!(
            answer.status == StatusCode::ACCEPTED,
            allowed,
            "{headers:?}: {}",
            answer.body
        );
        let body = format!("{{\"token\":\"{TOKEN}\"}}");
        let login = host.send("POST", "/monitoring/login", &headers, &body);
        assert_eq!(
            login.status == StatusCode::OK,
            allowed,
            "{headers:?}: {}",
            login.body
        );
        for answer in [answer, login] {
            let cors = answer
                .headers
                .keys()
                .find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(cors, None);
        }
    }
}

fn upgrade(host: &Host, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    all.extend(headers);
    host.send("GET", "/monitoring/live", &all, "")
}

/// S8: live connections need access and the exact origin.
#[test]
fn a_live_connection_needs_access_and_the_own_origin() {
    let host = Host::with_token();
    let cookie = host.log_in(TOKEN).cookie();
    let (own, token) = (format!("http://{}", host.address), bearer(VIEWER));
    let (cookie, origin) = (("cookie", cookie.as_str()), ("origin", own.as_str()));
    let program = ("authorization", token.as_str());
    for (headers, status) in [
        (vec![cookie, origin], 101),
        (vec![cookie, origin, ("sec-fetch-site", "same-origin")], 101),
        (vec![program], 101),
        (vec![program, origin], 101),
        (vec![origin], 401),
        (vec![], 401),
        (vec![cookie], 403),
        (vec![cookie, ("origin", "http://evil.example")], 403),
        (vec![cookie, ("origin", "null")], 403),
        (vec![cookie, ("origin", "http://127.0.0.1")], 403),
        (vec![cookie, origin, ("sec-fetch-site", "cross-site")], 403),
        (vec![cookie, origin, ("sec-fetch-site", "same-site")], 403),
        (vec![program, ("origin", "http://evil.example")], 403),
    ] {
        assert_eq!(
            upgrade(&host, &headers).status.as_u16(),
            status,
            "{headers:?}"
        );
    }
    for _ in 0..200 {
        let evil = [cookie, ("origin", "http://evil.example")];
        assert_eq!(upgrade(&host, &evil).status, StatusCode::FORBIDDEN);
    }
    let plain = host.get("live", &[cookie, origin]);
    assert_eq!(plain.status, StatusCode::UPGRADE_REQUIRED);
}

/// S9: the headers of every response, whatever it is.
#[test]
fn every_response_has_the_headers() {
    let host = Host::with_token();
    let csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
    let token = bearer(TOKEN);
    let with_token = [("authorization", token.as_str())];
    let answers = [
        host.get("", &[]),
        host.get("traces?q=1", &[]),
        host.get("unknown", &[]),
        host.get("data/v1/session", &[]),
        host.get("data/v1/session", &with_token),
        host.get("data/v1/overview?range=1h", &with_token),
        host.get("status", &with_token),
        host.log_in(TOKEN),
        host.log_in("wrong"),
        host.post("login", &[("sec-fetch-site", "cross-site")], "{}"),
        host.post("login", &[], &"x".repeat(10_000)),
        host.send("GET", "/monitoring", &[], ""),
        host.send(
            "PUT",
            "/monitoring/",
            &[("sec-fetch-site", "same-origin")],
            "",
        ),
    ];
    for answer in &answers {
        for (name, value) in [
            ("content-security-policy", csp),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "geolocation=(), camera=(), microphone=()",
            ),
            ("x-robots-tag", "noindex"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers[name], value, "{} {name}", answer.status);
        }
        if answer.status.as_u16() >= 400 {
            assert!(!answer.code().is_empty() && answer.json()["message"].is_string());
        }
    }
    assert_eq!(answers[10].status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// S18: the files of the pages are named after their content, so a browser keeps them.
#[test]
fn the_files_of_the_pages_are_kept_and_compressed() {
    let host = Host::with_token();
    let page = host.get("", &[]).body;
    let mut found = 0;
    for part in page.split('"').filter(|part| part.contains("assets/")) {
        let path = part.trim_start_matches("./");
        let plain = host.get(path, &[]);
        assert_eq!(plain.status, StatusCode::OK, "{path}");
        assert_eq!(
            plain.headers["cache-control"],
            "public, max-age=31536000, immutable"
        );
        assert_eq!(plain.headers["vary"], "accept-encoding");
        let gzip = host.get(path, &[("accept-encoding", "gzip, br")]);
        let length = |answer: &Answer| -> usize {
            answer.headers["content-length"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        };
        if gzip.headers.contains_key("content-encoding") {
            assert!(length(&gzip) < length(&plain));
        }
        found += 1;
    }
    assert!(found >= 2, "{page}");
}

/// The mount without a slash, at any place.
#[test]
fn the_mount_works_with_and_without_a_slash_under_any_prefix() {
    let host = Host::serve(
        |builder| builder.access_token(TOKEN),
        |harness| {
            Router::new()
                .merge(harness.dashboard(Access::from_settings()))
                .nest("/admin", harness.dashboard(Access::from_settings()))
                .nest_service("/ops", harness.dashboard_service(Access::from_settings()))
        },
    );
    for (mount, location) in [
        ("/monitoring", "./monitoring/"),
        ("/admin/monitoring", "./monitoring/"),
        ("/ops", "./ops/"),
    ] {
        let without = host.send("GET", &format!("{mount}?range=6h"), &[], "");
        assert_eq!(without.status, StatusCode::PERMANENT_REDIRECT, "{mount}");
        assert_eq!(without.headers["location"], format!("{location}?range=6h"));
        let with = host.send("GET", &format!("{mount}/"), &[], "");
        assert_eq!(with.status, StatusCode::OK, "{mount}");
        assert!(
            with.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
        let token = bearer(TOKEN);
        let path = format!("{mount}/data/v1/session");
        let session = host.send("GET", &path, &[("authorization", &token)], "");
        assert_eq!(session.status, StatusCode::OK, "{mount}");
    }
}

/// A host's own login, and a dashboard for everyone.
#[test]
fn a_function_of_the_host_decides_or_everyone_reads() {
    let host = Host::serve(
        |builder| builder,
        |harness| {
            let by = Access::by(|parts| match parts.headers.get("x-user")?.to_str().ok()? {
                "admin" => Some(Role::Operator),
                "reader" => Some(Role::Viewer),
                "panic" => panic!("a bug of the host"),
                _ => None,
            });
            Router::new()
                .merge(harness.dashboard(by))
                .nest_service("/open", harness.dashboard_service(Access::open_to_anyone()))
        },
    );
    for (user, status) in [("admin", 200), ("reader", 200), ("panic", 404), ("x", 404)] {
        let answer = host.get("data/v1/session", &[("x-user", user)]);
        assert_eq!(answer.status.as_u16(), status, "{user}");
    }
    let origin = format!("http://{}", host.address);
    for (user, status) in [("admin", 202), ("reader", 403)] {
        let headers = [("x-user", user), ("origin", origin.as_str())];
        let answer = host.post("data/v1/test-trace", &headers, "{}");
        assert_eq!(answer.status.as_u16(), status, "{user}");
    }
    let login = host.post("login", &[("x-user", "admin")], "{\"token\":\"x\"}");
    assert_eq!(login.status, StatusCode::FORBIDDEN, "there is no login");
    let open = |method: &str, path: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("origin", origin.as_str()),
        ];
        host.send(method, &format!("/open/{path}"), &headers, "{}")
    };
    assert_eq!(open("GET", "data/v1/session").json()["role"], "viewer");
    assert_eq!(
        open("POST", "data/v1/test-error").status,
        StatusCode::FORBIDDEN
    );
}

/// A path is what its client likes; where the pages are mounted is taken from a client with access alone.
#[test]
fn a_client_without_access_does_not_say_where_the_pages_are() {
    let host = Host::serve(
        |builder| builder.access_token(TOKEN),
        |harness| {
            let pages = Router::new().merge(harness.dashboard(Access::from_settings()));
            Router::new().nest("/{tenant}", pages)
        },
    );
    let token = format!("Bearer {TOKEN}");
    let operator = [("authorization", token.as_str())];
    let mount = || {
        let answer = host.send(
            "GET",
            "/north/monitoring/data/v1/overview?range=15m",
            &operator,
            "",
        );
        let sections = answer.json()["sections"].clone();
        sections["setup"]["mount"].as_str().unwrap().to_owned()
    };
    let visit = |tenant: &str, path: &str, headers: &[(&str, &str)]| {
        let path = format!("/{tenant}/monitoring/{path}");
        host.send("GET", &path, headers, "").status
    };
    assert_eq!(visit("evil", "", &[]), StatusCode::OK, "the login page");
    assert_eq!(visit("evil", "data/v1/session", &[]), StatusCode::OK);
    assert_eq!(mount(), "/monitoring");
    assert_eq!(visit("north", "data/v1/session", &operator), StatusCode::OK);
    let begin = std::time::Instant::now();
    while mount() != "/north/monitoring" {
        assert!(begin.elapsed() < std::time::Duration::from_secs(10));
    }
    // Nor is one that is very long.
    let long = "x".repeat(300);
    assert_eq!(visit(&long, "data/v1/session", &operator), StatusCode::OK);
    assert_eq!(visit("south", "data/v1/session", &operator), StatusCode::OK);
    while mount() != "/south/monitoring" {
        assert!(begin.elapsed() < std::time::Duration::from_secs(10));
    }
}
