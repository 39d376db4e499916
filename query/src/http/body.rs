//! The body of an answer that is made elsewhere: frames through a short channel, so that whoever
//! makes them waits for whoever reads. Dropping it ends the work.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http_body::Frame;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::error::Error;

/// Frames that wait for a slow reader.
const FRAMES_AHEAD: usize = 2;

/// Some bytes, the trailers, or the error after which the connection is aborted.
pub(super) type Piece = Result<Frame<Bytes>, Error>;

/// A channel whose receiver becomes a body.
pub(super) fn channel() -> (mpsc::Sender<Piece>, mpsc::Receiver<Piece>) {
    mpsc::channel(FRAMES_AHEAD)
}

/// A task that ends when nobody wants what it makes.
pub(super) struct Working(pub(super) AbortHandle);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of the pieces that `task` sends.
pub(super) fn of(pieces: mpsc::Receiver<Piece>, task: Working) -> Body {
    Body::new(Pieces {
        pieces,
        _task: task,
    })
}

struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    _task: Working,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.pieces.poll_recv(cx)
    }
}
