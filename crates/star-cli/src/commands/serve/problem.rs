//! What can be wrong with a request. Every message is for the person at the page.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Seconds after which to try again when the server is busy: one image is done by then.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not from this machine's page.
    #[error("{0}")]
    Elsewhere(String),
    /// A query with an unknown parameter or a value that cannot be read.
    #[error("{0}")]
    Query(String),
    #[error("this file is larger than {} MiB; save it smaller, or start the server with --max-upload", .bytes >> 20)]
    TooLarge { bytes: usize },
    #[error(
        "the upload took longer than {seconds} seconds; try again, or start the server with --upload-time"
    )]
    Slow { seconds: u64 },
    /// The other side went away in the middle.
    #[error("the upload broke off; try again")]
    BrokeOff,
    /// No image, a damaged one, or one with too many pixels.
    #[error("{0}")]
    Unreadable(String),
    #[error(
        "these weights are for the layout `{layout}`, and nothing here can find that in an image; draw a box around it (box=x,y,w,h)"
    )]
    BoxNeeded { layout: String },
    #[error("other images are being looked at; try again in a second")]
    Busy,
    #[error(
        "no answer within {seconds} seconds; try fewer faces or passes or a smaller image, or start the server with --answer-time"
    )]
    Timeout { seconds: f64 },
    /// Something of ours failed.
    #[error("{0}")]
    Failed(String),
    #[error("there is no such page; the one there is, is at /")]
    NoSuchPage,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Elsewhere(_) => StatusCode::FORBIDDEN,
            Self::Query(_) | Self::BrokeOff => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable(_) | Self::BoxNeeded { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
        }
    }

    /// For programs.
    fn code(&self) -> &'static str {
        match self {
            Self::Elsewhere(_) => "elsewhere",
            Self::Query(_) => "query",
            Self::TooLarge { .. } => "too-large",
            Self::Slow { .. } => "slow",
            Self::BrokeOff => "broke-off",
            Self::Unreadable(_) => "unreadable",
            Self::BoxNeeded { .. } => "box-needed",
            Self::Busy => "busy",
            Self::Timeout { .. } => "timeout",
            Self::Failed(_) => "failed",
            Self::NoSuchPage => "no-such-page",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let text = json!({ "error": self.code(), "message": self.to_string() }).to_string();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        if matches!(self, Self::Busy) {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
