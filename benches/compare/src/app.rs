//! The application: twenty routes that respond at once, and the requests to them.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Article {
    id: u64,
    title: &'static str,
    words: u32,
    draft: bool,
}

#[derive(Deserialize)]
struct NewArticle {
    title: String,
}

fn article(id: u64) -> Json<Article> {
    Json(Article {
        id,
        title: "What a service should know of itself",
        words: 1200,
        draft: false,
    })
}

async fn first() -> Json<Article> {
    article(1)
}

async fn one(Path(id): Path<u64>) -> Json<Article> {
    article(id)
}

async fn two(Path((a, b)): Path<(u64, u64)>) -> Json<Article> {
    article(a + b)
}

async fn named(Path(name): Path<String>) -> Json<Article> {
    article(name.len() as u64)
}

async fn make(Json(new): Json<NewArticle>) -> (StatusCode, Json<Article>) {
    (StatusCode::CREATED, article(new.title.len() as u64))
}

pub fn router() -> Router {
    Router::new()
        .route("/", get(first))
        .route("/about", get(first))
        .route("/articles", get(first).post(make))
        .route("/articles/{id}", get(one))
        .route("/articles/{id}/notes", get(one))
        .route("/articles/{id}/notes/{note}", get(two))
        .route("/authors", get(first).post(make))
        .route("/authors/{id}", get(one))
        .route("/authors/{id}/articles", get(one))
        .route("/drafts", get(first))
        .route("/drafts/{id}", get(one))
        .route("/feeds/{name}", get(named))
        .route("/files/{*path}", get(named))
        .route("/images/{name}", get(named))
        .route("/issues/{id}", get(one))
        .route("/search", get(first))
        .route("/settings", get(first))
        .route("/tags", get(first))
        .route("/tags/{name}", get(named))
        .route("/weeks/{year}/{week}", get(two))
}

const PATHS: [&str; 18] = [
    "/",
    "/about",
    "/articles?page=3",
    "/articles/17",
    "/articles/17/notes",
    "/articles/17/notes/4",
    "/authors",
    "/authors/9",
    "/authors/9/articles",
    "/drafts/2",
    "/feeds/atom",
    "/files/2026/11/report.pdf",
    "/images/cover.png",
    "/issues/48",
    "/search?q=observability",
    "/settings",
    "/tags/rust",
    "/weeks/2026/48",
];

/// The `n`-th request: eighteen GETs and two POSTs in turn, with the headers of a browser behind a proxy.
pub fn request(n: u64) -> Request<Body> {
    let turn = (n % 20) as usize;
    let request = Request::builder()
        .header(header::HOST, "shop.example.org")
        .header(
            header::USER_AGENT,
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        )
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "gzip, br")
        .header(header::ACCEPT_LANGUAGE, "en-GB,en;q=0.7")
        .header(header::COOKIE, "theme=dark; sid=0123456789abcdef")
        .header("x-request-id", "b1946ac92492d2347c6235b4d2611184")
        .header("x-forwarded-for", "198.51.100.7");
    match PATHS.get(turn) {
        Some(path) => request.uri(*path).body(Body::empty()),
        None => {
            let body = r#"{"title":"A new one"}"#;
            request
                .method(Method::POST)
                .uri(if turn == 18 { "/articles" } else { "/authors" })
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_LENGTH, body.len())
                .body(Body::from(body))
        }
    }
    .expect("a request")
}

/// Successful and failing requests to twelve of the routes: method, path, content type and body.
const MIXED: [(&str, &str, &str, &str); 47] = [
    ("GET", "/", "", ""),
    ("POST", "/", "", ""),
    ("GET", "/articles?page=3", "", ""),
    ("POST", "/articles", JSON, NEW),
    ("POST", "/articles", JSON, "{"),
    ("POST", "/articles", JSON, "{}"),
    ("POST", "/articles", "text/plain", NEW),
    ("DELETE", "/articles", "", ""),
    ("GET", "/articles/17", "", ""),
    ("GET", "/articles/18", "", ""),
    ("GET", "/articles/x", "", ""),
    ("PUT", "/articles/17", JSON, NEW),
    ("GET", "/articles/17/notes", "", ""),
    ("GET", "/articles/x/notes", "", ""),
    ("POST", "/articles/17/notes", JSON, NEW),
    ("GET", "/articles/17/notes/4", "", ""),
    ("GET", "/articles/17/notes/x", "", ""),
    ("DELETE", "/articles/17/notes/4", "", ""),
    ("GET", "/authors", "", ""),
    ("POST", "/authors", JSON, NEW),
    ("POST", "/authors", JSON, "{"),
    ("POST", "/authors", JSON, "{}"),
    ("POST", "/authors", "text/plain", NEW),
    ("GET", "/authors/9", "", ""),
    ("GET", "/authors/x", "", ""),
    ("DELETE", "/authors/9", "", ""),
    ("GET", "/authors/9/articles", "", ""),
    ("GET", "/authors/x/articles", "", ""),
    ("POST", "/authors/9/articles", JSON, NEW),
    ("GET", "/drafts/2", "", ""),
    ("GET", "/drafts/x", "", ""),
    ("DELETE", "/drafts/2", "", ""),
    ("GET", "/search?q=observability", "", ""),
    ("HEAD", "/search?q=observability", "", ""),
    ("GET", "/search", "", ""),
    ("POST", "/search", JSON, NEW),
    ("GET", "/tags/rust", "", ""),
    ("HEAD", "/tags/rust", "", ""),
    ("GET", "/tags/sql", "", ""),
    ("PUT", "/tags/rust", JSON, NEW),
    ("GET", "/weeks/2026/48", "", ""),
    ("GET", "/weeks/2026/x", "", ""),
    ("GET", "/weeks/2026/49", "", ""),
    ("PUT", "/weeks/2026/48", JSON, NEW),
    ("GET", "/favicon.ico", "", ""),
    ("GET", "/robots.txt", "", ""),
    ("GET", "/wp-login.php", "", ""),
];

const JSON: &str = "application/json";
const NEW: &str = r#"{"title":"A new one"}"#;

/// The 141 requests of the comparison of metrics pages: each of the above three times.
#[allow(dead_code, reason = "only some programs print a page")]
pub fn mixed() -> impl Iterator<Item = Request<Body>> {
    MIXED
        .iter()
        .cycle()
        .take(3 * MIXED.len())
        .map(|(method, path, kind, body)| {
            let mut request = Request::builder().method(*method).uri(*path);
            if !kind.is_empty() {
                request = request
                    .header(header::CONTENT_TYPE, *kind)
                    .header(header::CONTENT_LENGTH, body.len());
            }
            request.body(Body::from(*body)).expect("a request")
        })
}
