//! Who is let in: a bounded number of connections, each of which must say what it wants, and take the answer, within some time.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};

use super::deadline::Deadline;

/// Connections that are open at once; others wait. A browser opens six.
const MOST_CONNECTIONS: usize = 128;
/// Rest after a connection that could not be taken, such as when there are no file handles left.
const REST: Duration = Duration::from_millis(50);

/// Takes connections for ever. `time` is how long a request's head may take, and how long an answer may wait to be read; a connection
/// that asks nothing, or does not read, for so long is closed.
pub async fn accept(listener: TcpListener, router: Router, time: Duration) {
    let rooms = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(room) = rooms.clone().acquire_owned().await else {
            return; // Nobody closes the semaphore.
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            // A browser that hangs up is no event.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(time)
                .serve_connection(TokioIo::new(Deadline::new(stream, time)), service)
                .await;
            drop(room);
        });
    }
}
