//! The page, inside the program. It asks nothing of any other machine.

use axum::{
    Router,
    http::{HeaderName, header},
    routing::get,
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Path, kind and content.
const TEXTS: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/main.js", JS, include_str!("page/main.js")),
    ("/api.js", JS, include_str!("page/api.js")),
    ("/camera.js", JS, include_str!("page/camera.js")),
    ("/panel.js", JS, include_str!("page/panel.js")),
    ("/save.js", JS, include_str!("page/save.js")),
    ("/shapes.js", JS, include_str!("page/shapes.js")),
    ("/stage.js", JS, include_str!("page/stage.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// NASA's portrait of Eileen Collins, public domain.
const SAMPLE: &[u8] = include_bytes!("../../../../../docs/astronaut.jpg");

fn kind(mime: &'static str) -> [(HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, mime)]
}

/// A path for each file.
pub fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let sample = get(|| async { (kind("image/jpeg"), SAMPLE) });
    (TEXTS.into_iter()).fold(
        Router::new().route("/astronaut.jpg", sample),
        |router, (path, mime, text)| {
            router.route(path, get(move || async move { (kind(mime), text) }))
        },
    )
}
