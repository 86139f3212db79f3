//! A stream of which only so much is read, and of whose beginning a copy is kept.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream between a server and whoever reads it.
#[derive(Debug)]
pub(super) struct Tap<S> {
    stream: S,
    /// The first bytes of it.
    pub(super) head: Vec<u8>,
    read: usize,
}

impl<S> Tap<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, head: Vec::new(), read: 0 }
    }

    /// Whether everything was read that may be.
    pub(super) fn is_full(&self) -> bool {
        self.read >= CAP
    }

    /// Forgets what was read so far.
    pub(super) fn restart(&mut self) {
        self.head.clear();
        self.read = 0;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_full() {
            // As if it had ended.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let new = buffer.filled().get(before..).unwrap_or_default();
        let room = HEAD.saturating_sub(self.head.len()).min(new.len());
        self.head.extend(new.iter().take(room));
        self.read += new.len();
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How much of a server is read: four times the longest chain that rustls takes.
const CAP: usize = 256 * 1024;
/// How much of its beginning is kept: a line that says what it is.
const HEAD: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn reading_ends_and_the_beginning_stays() {
        let mut tap = Tap::new(tokio::io::join(tokio::io::repeat(b'x'), tokio::io::sink()));
        let mut bytes = Vec::new();
        tap.read_to_end(&mut bytes).await.unwrap();
        assert!((CAP..2 * CAP).contains(&bytes.len()) && tap.is_full());
        assert_eq!(tap.head, [b'x'; HEAD]);
        tap.restart();
        assert_eq!(tap.read_u8().await.unwrap(), b'x');
        assert_eq!(tap.head, b"x");
    }
}
