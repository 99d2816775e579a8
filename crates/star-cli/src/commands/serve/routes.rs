//! Which path does what.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    asked::Asked,
    guard::guard,
    look::{self, Looker, Rooms},
    network::{Asker, Question},
    page,
    problem::Problem,
    upload::{self, Bounds},
};

/// What all requests share.
pub struct App {
    /// JSON.
    pub about: String,
    pub looker: Looker,
    pub bounds: Bounds,
    /// Passes of the network where a request names none.
    pub passes: usize,
    pub asker: Asker,
    pub rooms: Rooms,
}

pub fn router(app: App) -> Router {
    page::files()
        .route("/api/about", get(about))
        .route("/api/predict", post(predict))
        .fallback(async || Problem::NoSuchPage)
        .layer(middleware::from_fn(guard))
        .with_state(Arc::new(app))
}

async fn about(State(app): State<Arc<App>>) -> Response {
    json(app.about.clone())
}

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// An image as the request's body, the rest in its query; the answer is the document that `predict` writes.
async fn predict(State(app): State<Arc<App>>, pairs: Pairs, request: Request) -> Response {
    let mut body = request.into_body();
    match answer(&app, pairs, &mut body).await {
        Ok(response) => response,
        Err(problem) => {
            upload::discard(&mut body, app.bounds.time).await;
            problem.into_response()
        }
    }
}

async fn answer(app: &Arc<App>, pairs: Pairs, body: &mut Body) -> Result<Response, Problem> {
    let Query(pairs) = pairs.map_err(|e| Problem::Query(e.to_string()))?;
    let asked = Asked::new(&pairs, app.passes)?;
    // Held to the end: what waits for its turn is in memory too.
    let _place = app.rooms.upload()?;
    let bytes = upload::read(body, app.bounds).await?;
    let time = app.bounds.answer;
    let too_long = Problem::Timeout {
        seconds: time.as_secs_f64(),
    };
    // The network cannot be stopped. What it was asked too long ago it finishes, or never begins, and then it goes on with the next.
    timeout(time, look_and_ask(app, bytes, asked))
        .await
        .unwrap_or(Err(too_long))
}

async fn look_and_ask(app: &Arc<App>, bytes: Vec<u8>, asked: Asked) -> Result<Response, Problem> {
    let passes = asked.passes;
    let room = app.rooms.pixels(look::size(&bytes, &asked)?).await?;
    let looking = app.clone();
    // The room goes along: when this request is given up the decoder is still at work, and holds it.
    let looked = spawn_blocking(move || (looking.looker.look(bytes, asked), room));
    let (looked, room) = looked.await.map_err(|_| {
        Problem::Failed("an internal error: decoding or the detector failed on this image".into())
    })?;
    let ready = looked?;
    let truncated = ready.truncated;
    let question = Question {
        ready,
        passes,
        room,
    };
    let mut response = json(app.asker.ask(question).await?);
    if truncated {
        let headers = response.headers_mut();
        headers.insert("star-truncated", header::HeaderValue::from_static("yes"));
    }
    Ok(response)
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
