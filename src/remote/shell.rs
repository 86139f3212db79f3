//! A shell that reads a script, wherever it is: what it is given, what it answers, and what that
//! means. How it is started is a matter of those who start one.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Error, words};
use crate::inventory::Become;
use crate::text::SafeText;

/// One script to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// How it becomes root.
    pub(super) r#become: Become,
    /// What the shell reads.
    pub(super) script: &'a str,
    /// How many bytes of answer are taken.
    pub(super) cap: usize,
}

/// How a shell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Code(i32),
    /// The connection or the shell was killed.
    Lost,
}

impl Call<'_> {
    /// Hands the script over and takes the answer, and what the shell complains about. With
    /// `patience`, the answer must begin within it, else the session is taken for dead.
    pub(super) async fn exchange(
        &self,
        (mut stdin, mut stdout, stderr): (
            impl AsyncWrite + Unpin,
            impl AsyncRead + Unpin,
            impl AsyncRead + Unpin,
        ),
        patience: Option<Duration>,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let writing = async {
            // A shell that does not read says so by its answer.
            stdin.write_all(self.script.as_bytes()).await.ok();
            drop(stdin);
            Ok(())
        };
        let reading = async {
            let mut answer = Vec::new();
            let first = stdout.read_buf(&mut answer);
            match patience {
                Some(patience) => timeout(patience, first).await.map_err(|_| Error::Stale)?.ok(),
                None => first.await.ok(),
            };
            // A broken pipe is an answer that ends early.
            let rest = (self.cap + 1).saturating_sub(answer.len()) as u64;
            stdout.take(rest).read_to_end(&mut answer).await.ok();
            if answer.len() > self.cap {
                Err(Error::TooLarge { cap: self.cap })
            } else {
                Ok(answer)
            }
        };
        let complaining = async { Ok(read_capped(stderr).await) };
        let (answer, said, ()) = tokio::try_join!(reading, complaining, writing)?;
        Ok((answer, said))
    }

    /// Tells what came of it from how the shell ended. The scripts always end with `exit 0`.
    pub(super) fn judge(&self, end: End, answer: Vec<u8>, said: &[u8]) -> Result<Vec<u8>, Error> {
        if end == End::Code(0) {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(said);
        if self.r#become == Become::Sudo
            && let Some(fault) = words::sudo(&text, end != End::Code(127))
        {
            return Err(Error::Sudo { fault });
        }
        let head = answer.get(..200).unwrap_or(&answer);
        let said = if said.trim_ascii().is_empty() { head } else { said };
        let said = SafeText::from_bytes(words::gist(&String::from_utf8_lossy(said)).as_bytes());
        // 255 is what a forced ssh to somewhere else gives when it breaks.
        Err(match end {
            End::Lost | End::Code(255) => Error::CutShort { said },
            End::Code(_) => Error::Shell { said },
        })
    }
}

pub(super) async fn read_capped(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    (&mut from).take(SAID_CAP).read_to_end(&mut kept).await.ok();
    // The rest is read all the same: a full pipe would hold up the host.
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.ok();
    kept
}

/// How much of what a host complains about is read.
pub(super) const SAID_CAP: u64 = 8 * 1024;
