//! A connection of the listener: one of a bounded number, which has to say something soon, and goes
//! when it is silent while somebody else needs its place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use eddy_engine::Clock;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use crate::collect::places::{Activity, Place};

/// How long a client may take for its first words.
const GREETING: Duration = Duration::from_secs(30);
/// What HTTP/2 begins with. Who has sent it is asked from time to time whether it is still there.
const GREETING_BYTES: usize = 24;

/// A connection, and its place among those that there may be.
pub struct Connection<T> {
    stream: T,
    place: Place,
    /// What is missing of the greeting, and what completes when it must be here.
    greeting: Option<(usize, BoxFuture<'static, ()>)>,
    /// Whether it is hung up on.
    is_over: bool,
}

impl<T> Connection<T> {
    /// A connection that was just accepted.
    pub fn new(stream: T, place: Place, clock: &Clock) -> Self {
        let clock = clock.clone();
        let over = Box::pin(async move { clock.sleep(GREETING).await });
        Self {
            stream,
            place,
            greeting: Some((GREETING_BYTES, over)),
            is_over: false,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let connection = &mut *self;
        if let Some((missing, over)) = &mut connection.greeting {
            *missing = missing.saturating_sub(buffer.filled().len() - before);
            if *missing == 0 {
                connection.greeting = None;
            } else if read.is_pending() && over.as_mut().poll(cx).is_ready() {
                connection.greeting = None;
                connection.is_over = true;
            }
        }
        if !connection.is_over && connection.place.poll_is_needed(cx).is_ready() {
            connection.is_over = true;
        }
        match connection.is_over {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => read,
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<T> Connected for Connection<T> {
    type ConnectInfo = Activity;

    fn connect_info(&self) -> Activity {
        self.place.activity()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::collect::places::Places;

    #[tokio::test]
    async fn who_does_not_greet_is_hung_up_on() {
        let clock = Clock::manual(0);
        let place = Places::new(1).enter().await;
        let (here, mut there) = tokio::io::duplex(64);
        let mut connection = Connection::new(here, place, &clock);
        there.write_all(&[1; GREETING_BYTES - 1]).await.unwrap();
        let mut read = [0; 64];
        assert_eq!(
            connection.read(&mut read).await.unwrap(),
            GREETING_BYTES - 1
        );
        let late = tokio::join!(connection.read(&mut read), async {
            // It waits by now: branches are polled in order.
            clock.advance(GREETING);
        });
        assert_eq!(late.0.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(connection.read(&mut read).await.is_err());
    }

    #[tokio::test]
    async fn who_has_greeted_may_be_silent() {
        let clock = Clock::manual(0);
        let place = Places::new(1).enter().await;
        let (here, mut there) = tokio::io::duplex(64);
        let mut connection = Connection::new(here, place, &clock);
        there.write_all(&[1; GREETING_BYTES]).await.unwrap();
        let mut read = [0; 64];
        assert_eq!(connection.read(&mut read).await.unwrap(), GREETING_BYTES);
        let later = tokio::join!(connection.read(&mut read), async {
            clock.advance(GREETING);
            there.write_all(&[1]).await.unwrap();
        });
        assert_eq!(later.0.unwrap(), 1);
    }

    #[tokio::test]
    async fn who_is_silent_goes_when_somebody_needs_the_place() {
        let (clock, places) = (Clock::manual(0), Places::new(1));
        let (here, mut there) = tokio::io::duplex(64);
        let mut connection = Connection::new(here, places.enter().await, &clock);
        there.write_all(&[1; GREETING_BYTES]).await.unwrap();
        let mut read = [0; 64];
        assert_eq!(connection.read(&mut read).await.unwrap(), GREETING_BYTES);
        let asked = connection.connect_info().ask();
        let next = tokio::spawn(async move { places.enter().await });
        there.write_all(&[1]).await.unwrap();
        assert_eq!(connection.read(&mut read).await.unwrap(), 1);
        drop(asked);
        let over = connection.read(&mut read).await.unwrap_err();
        assert_eq!(over.kind(), io::ErrorKind::TimedOut);
        drop(connection);
        next.await.unwrap();
    }
}
