//! Which paths of gRPC requests become routes. A client chooses the path and the content type, so neither creates a label;
//! a gRPC response that confirms the method does.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::any;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Bytes;
use tower::{Layer, ServiceExt};
use watchpost::EndpointLayer;
use watchpost::testing::{Harness, Page};

use crate::support::respond;

const COUNT: &str = "http_server_request_duration_seconds_count";

/// The response of a service to every gRPC request.
#[derive(Debug, Clone, Copy)]
enum Responses {
    /// A response without gRPC, with this HTTP status.
    Plain(u16),
    /// A gRPC status in the headers, and no body.
    Headers(&'static str),
    /// Messages of this number of bytes, then the gRPC status in the trailers.
    Trailers(usize, &'static str),
    /// The content type of gRPC without a status.
    NoStatus,
}

impl Responses {
    fn response(self) -> Response<Body> {
        let grpc = Response::builder().header("content-type", "application/grpc");
        match self {
            Self::Plain(status) => Response::builder()
                .status(status)
                .body(Body::from("plain"))
                .unwrap(),
            Self::Headers(status) => grpc
                .header("grpc-status", status)
                .body(Body::empty())
                .unwrap(),
            Self::NoStatus => grpc.body(Body::from("bytes")).unwrap(),
            Self::Trailers(bytes, status) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", status.parse().unwrap());
                let data = (bytes > 0).then(|| Frame::data(Bytes::from(vec![0; bytes])));
                let frames = data.into_iter().chain([Frame::trailers(trailers)]);
                let frames = frames.map(Ok::<_, std::convert::Infallible>);
                let body = StreamBody::new(futures_util::stream::iter(frames));
                grpc.body(Body::new(body)).unwrap()
            }
        }
    }
}

fn call(path: &str) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/grpc+proto")
        .body(Body::empty())
        .unwrap()
}

/// Calls the method `path` of a service that responds as `responses` says.
async fn call_method(layer: &EndpointLayer, responses: Responses, path: &str) {
    respond(layer, call(path), responses.response()).await;
}

fn routes(page: &Page) -> Vec<String> {
    let mut routes: Vec<_> = page
        .samples(COUNT, &[])
        .map(|sample| sample.labels["http_route"].clone())
        .collect();
    routes.sort();
    routes.dedup();
    routes
}

#[tokio::test]
async fn a_path_is_a_route_once_a_grpc_response_confirms_its_method() {
    for (responses, shows) in [
        (Responses::Headers("0"), true),
        (Responses::Trailers(5, "0"), true),
        (Responses::Trailers(0, "0"), true),
        (Responses::Trailers(5, "13"), true),
        (Responses::Trailers(5, "5"), true),
        (Responses::Headers("12"), false),
        (Responses::Trailers(0, "12"), false),
        (Responses::Trailers(5, "12"), true),
        // Authentication, load shedding, a timeout or a proxy responds like this before any method runs.
        (Responses::Headers("16"), false),
        (Responses::Headers("7"), false),
        (Responses::Headers("8"), false),
        (Responses::Headers("14"), false),
        (Responses::Headers("4"), false),
        (Responses::Trailers(0, "13"), false),
        (Responses::Headers("rubbish"), false),
        (Responses::NoStatus, false),
        (Responses::Plain(200), false),
        (Responses::Plain(404), false),
        (Responses::Plain(415), false),
        (Responses::Plain(401), false),
        (Responses::Plain(500), false),
    ] {
        let harness = Harness::new();
        call_method(&harness.layer(), responses, "/shop.Cart/Add").await;
        let expected = if shows {
            "/shop.Cart/Add"
        } else {
            "_unmatched"
        };
        assert_eq!(routes(&harness.page()), [expected], "{responses:?}");
    }
}

#[tokio::test]
async fn a_confirmed_method_keeps_its_route_when_it_fails() {
    let harness = Harness::new();
    let layer = harness.layer();
    for responses in [
        Responses::Headers("0"),
        Responses::Headers("13"),
        Responses::Headers("16"),
        Responses::Plain(503),
    ] {
        call_method(&layer, responses, "/shop.Cart/Add").await;
        call_method(&harness.layer(), responses, "/shop.Cart/Add").await;
    }
    let page = harness.page();
    assert_eq!(page.sum(COUNT, &[("http_route", "/shop.Cart/Add")]), 8.0);
}

#[tokio::test]
async fn a_hook_that_returns_no_route_is_respected() {
    let harness = Harness::new();
    let none = harness.layer().route(|_| None);
    let listed_first = harness
        .layer()
        .grpc_methods(["/shop.Cart/Add"])
        .route(|_| None);
    let listed_last = harness
        .layer()
        .route(|_| None)
        .grpc_methods(["/shop.Cart/Add"]);
    let panics = harness
        .layer()
        .route(|_| std::panic::resume_unwind(Box::new("planned")));
    for layer in [&none, &listed_first, &listed_last, &panics] {
        call_method(layer, Responses::Headers("0"), "/shop.Cart/Add").await;
    }
    assert_eq!(routes(&harness.page()), ["_unmatched"]);
    let named = harness.layer().route(|_| Some("cart".into()));
    call_method(&named, Responses::Headers("0"), "/shop.Cart/Add").await;
    assert_eq!(routes(&harness.page()), ["_unmatched", "cart"]);
}

#[tokio::test]
async fn with_a_list_of_methods_no_other_path_is_a_route() {
    let by_setting = Harness::with(|builder| {
        let file = std::env::temp_dir().join(format!("watchpost-grpc-{}.toml", std::process::id()));
        std::fs::write(&file, "[http]\ngrpc_methods = [\"/shop.Cart/Add\"]\n").unwrap();
        builder.file(file)
    });
    let by_call = Harness::new();
    for (harness, layer) in [
        (&by_setting, by_setting.layer()),
        (&by_call, by_call.layer().grpc_methods(["/shop.Cart/Add"])),
    ] {
        call_method(&layer, Responses::Headers("16"), "/shop.Cart/Add").await;
        call_method(&layer, Responses::Headers("0"), "/shop.Cart/Remove").await;
        assert_eq!(routes(&harness.page()), ["/shop.Cart/Add", "_unmatched"]);
    }
}

#[tokio::test]
async fn a_flood_of_grpc_paths_leaves_the_routes_alone() {
    // A router without gRPC, a fallback for any path, a rejection before the methods, a proxy.
    let kinds: [(&str, fn(&Harness) -> Router, usize); 5] = [
        ("a router without gRPC", |_| Router::new(), 0),
        (
            "plain responses to anything",
            |_| Router::new().fallback(|| async { "plain" }),
            0,
        ),
        (
            "a check of tokens",
            |_| Router::new().fallback(|| async { StatusCode::UNAUTHORIZED }),
            0,
        ),
        (
            "a check of tokens in gRPC's form",
            |_| Router::new().fallback(|| async { Responses::Headers("16").response() }),
            0,
        ),
        (
            "a proxy that takes any path",
            |_| Router::new().fallback(|| async { Responses::Headers("0").response() }),
            128,
        ),
    ];
    for (kind, router, learnt) in kinds {
        let harness = Harness::new();
        let app = router(&harness)
            .route("/users/{id}", any(|| async { "user" }))
            .layer(harness.layer());
        let send = async |request: Request<Body>| {
            let response = app.clone().oneshot(request).await.unwrap();
            drop(response.into_body().collect().await);
        };
        for n in 0..10_000 {
            send(call(&format!("/flood.S{n}/Method"))).await;
        }
        let flooded = harness.metrics().render();
        assert!(
            flooded.len() < 60_000 + learnt * 16_000,
            "{kind}: {}",
            flooded.len()
        );
        for n in 0..10 {
            send(call(&format!("/users/{n}"))).await;
        }
        let page = harness.page();
        assert_eq!(
            page.sum(COUNT, &[("http_route", "/users/{id}")]),
            10.0,
            "{kind}"
        );
        assert!(routes(&page).len() <= learnt + 2, "{kind}");
    }
}

#[tokio::test]
async fn grpc_is_known_by_its_media_type_in_any_case() {
    for (media_type, is_grpc) in [
        ("application/grpc", true),
        ("Application/gRPC", true),
        ("APPLICATION/GRPC+PROTO", true),
        ("application/grpc ; charset=utf-8", true),
        ("application/grpc-web+proto", true),
        ("Application/Grpc-Web-Text", true),
        ("application/grpcx", false),
        ("application/grpc-json", false),
        ("application/grpc-webby", false),
        ("application/json", false),
    ] {
        // As the type of the request with a gRPC response, and the other way round.
        for (sent, response_type) in [
            (media_type, "application/grpc"),
            ("application/grpc", media_type),
        ] {
            let harness = Harness::new();
            let service =
                harness
                    .layer()
                    .layer(tower::service_fn(move |_: Request<Body>| async move {
                        let response = Response::builder()
                            .header("content-type", response_type)
                            .header("grpc-status", "0");
                        Ok::<_, std::convert::Infallible>(response.body(Body::empty()).unwrap())
                    }));
            let mut request = call("/a.B/C");
            let value = sent.parse().unwrap();
            request.headers_mut().insert("content-type", value);
            let response = service.oneshot(request).await.unwrap();
            drop(response.into_body().collect().await);
            let route = if is_grpc { "/a.B/C" } else { "_unmatched" };
            assert_eq!(
                routes(&harness.page()),
                [route],
                "{sent:?} {response_type:?}"
            );
        }
    }
}
