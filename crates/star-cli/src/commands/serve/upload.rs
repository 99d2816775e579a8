//! Reading what is sent: so many bytes, so much time, into memory and nowhere else.

use std::{future::poll_fn, pin::Pin, time::Duration};

use axum::body::{Body, Bytes, HttpBody};
use tokio::time::timeout;

use super::problem::Problem;

/// What is read and thrown away of a body that was refused. Most browsers show an answer only when their upload was taken.
const MOST_DISCARDED: usize = 256 << 20;

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub bytes: usize,
    /// To upload.
    pub time: Duration,
    /// From the upload to the answer.
    pub answer: Duration,
}

/// The whole body.
///
/// # Errors
/// A body that is larger, takes longer or breaks off; nothing more than the bounds allow is kept of it.
pub async fn read(body: &mut Body, bounds: Bounds) -> Result<Vec<u8>, Problem> {
    let too_large = Problem::TooLarge {
        bytes: bounds.bytes,
    };
    // What it says of itself, if it says anything, spares the reading.
    if body.size_hint().lower() > bounds.bytes as u64 {
        return Err(too_large);
    }
    let whole = async {
        let mut bytes = Vec::new();
        while let Some(piece) = next(body).await {
            let piece = piece?;
            if bytes.len() + piece.len() > bounds.bytes {
                return Err(too_large);
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    let too_slow = Problem::Slow {
        seconds: bounds.time.as_secs(),
    };
    timeout(bounds.time, whole).await.unwrap_or(Err(too_slow))
}

/// Reads the rest and forgets it, for some time and to some length.
pub async fn discard(body: &mut Body, time: Duration) {
    let rest = async {
        let mut read = 0;
        while let Some(Ok(piece)) = next(body).await {
            read += piece.len();
            if read > MOST_DISCARDED {
                return;
            }
        }
    };
    // Whether it ended or not, the answer goes out now.
    let _ = timeout(time, rest).await;
}

async fn next(body: &mut Body) -> Option<Result<Bytes, Problem>> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        match frame {
            // What is not data is trailers, which are not used.
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                Err(_) => continue,
            },
            Err(_) => return Some(Err(Problem::BrokeOff)),
        }
    }
}
