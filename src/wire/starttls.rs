//! What is said before TLS begins, where a protocol begins without it.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{broken, unserved};
use crate::fleet::{NotServed, Unserved};
use crate::inventory::StartTls;
use crate::text::SafeText;

/// Asks a server to begin with TLS. Afterwards the next byte that it sends belongs to TLS.
pub(super) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    kind: StartTls,
    stream: &mut S,
) -> Result<(), Unserved> {
    let mut talk = Talk { stream };
    match kind {
        StartTls::None => Ok(()),
        StartTls::Smtp => talk.smtp().await,
        StartTls::Imap => talk.imap().await,
        StartTls::Postgres => talk.postgres().await,
        StartTls::Ldap => talk.ldap().await,
    }
}

/// A conversation in which nothing is read ahead: what comes after it is TLS.
struct Talk<'a, S> {
    stream: &'a mut S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    /// RFC 3207, section 4.
    async fn smtp(&mut self) -> Result<(), Unserved> {
        self.smtp_reply("220").await?;
        self.say(b"EHLO [127.0.0.1]\r\n").await?;
        if !self.smtp_reply("250").await? {
            return Err(unserved(NotServed::NotTls, "the mail server does not offer STARTTLS"));
        }
        self.say(b"STARTTLS\r\n").await?;
        self.smtp_reply("220").await.map(drop)
    }

    /// Reads a reply of one line or more (RFC 5321, section 4.2.1); tells whether one of them
    /// offers STARTTLS.
    async fn smtp_reply(&mut self, code: &str) -> Result<bool, Unserved> {
        let mut has_starttls = false;
        for _ in 0..MOST_LINES {
            let line = self.line().await?;
            let text = line.strip_prefix(code).ok_or_else(|| refused("SMTP", &line))?;
            has_starttls |= text.get(1..).is_some_and(|it| it.eq_ignore_ascii_case("STARTTLS"));
            if !text.starts_with('-') {
                return Ok(has_starttls);
            }
        }
        Err(endless())
    }

    /// RFC 9051, section 6.2.1.
    async fn imap(&mut self) -> Result<(), Unserved> {
        let greeting = self.line().await?;
        if !greeting.starts_with("* OK") {
            return Err(refused("IMAP", &greeting));
        }
        self.say(b"a STARTTLS\r\n").await?;
        for _ in 0..MOST_LINES {
            let line = self.line().await?;
            if line.starts_with("a OK") {
                return Ok(());
            }
            // Anything may be told in between.
            if !line.starts_with('*') {
                return Err(refused("IMAP", &line));
            }
        }
        Err(endless())
    }

    /// PostgreSQL's documentation, section 55.2.10: 'S' is yes, 'N' is no.
    async fn postgres(&mut self) -> Result<(), Unserved> {
        self.say(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        match self.stream.read_u8().await.map_err(|it| broken(&it))? {
            b'S' => Ok(()),
            b'N' => Err(unserved(NotServed::NotTls, "the database server does not offer TLS")),
            _ => Err(refused("PostgreSQL", "something else")),
        }
    }

    /// RFC 4511, section 4.14: an extended request with the name of `StartTLS`.
    async fn ldap(&mut self) -> Result<(), Unserved> {
        self.say(b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037").await?;
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.map_err(|it| broken(&it))?;
        let [0x30, length] = head else { return Err(refused("LDAP", "something else")) };
        // The long form of a length (X.690, section 8.1.3.5) gives how many bytes it takes.
        let length = match length {
            0..=0x7f => u64::from(length),
            0x81 => self.stream.read_u8().await.map_err(|it| broken(&it))?.into(),
            0x82 => self.stream.read_u16().await.map_err(|it| broken(&it))?.into(),
            0x84 => self.stream.read_u32().await.map_err(|it| broken(&it))?.into(),
            _ => return Err(refused("LDAP", "something else")),
        };
        if length > LONGEST {
            return Err(endless());
        }
        let mut answer = Vec::new();
        (&mut *self.stream)
            .take(length)
            .read_to_end(&mut answer)
            .await
            .map_err(|it| broken(&it))?;
        if is_ldap_success(&answer) {
            Ok(())
        } else {
            Err(unserved(NotServed::NotTls, "the directory server does not offer StartTLS"))
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), Unserved> {
        self.stream.write_all(bytes).await.map_err(|it| broken(&it))
    }

    /// Reads one line, without its end.
    async fn line(&mut self) -> Result<String, Unserved> {
        let mut line = Vec::new();
        loop {
            match self.stream.read_u8().await.map_err(|it| broken(&it))? {
                b'\n' => break,
                _ if line.len() as u64 >= LONGEST => return Err(endless()),
                byte => line.push(byte),
            }
        }
        Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned())
    }
}

/// Whether an answer to message 1 is an extended response with the result 0.
fn is_ldap_success(answer: &[u8]) -> bool {
    let Some([0x78, length, rest @ ..]) = answer.strip_prefix(&[0x02, 0x01, 0x01]) else {
        return false;
    };
    let skip = if *length < 0x80 { 0 } else { usize::from(length & 0x7f) };
    rest.get(skip..).is_some_and(|it| it.starts_with(&[0x0a, 0x01, 0x00]))
}

fn refused(protocol: &str, said: &str) -> Unserved {
    let said = SafeText::capped(said, 80);
    let text = format!("the server does not begin TLS in {protocol}: it says {said}");
    unserved(NotServed::NotTls, text)
}

fn endless() -> Unserved {
    unserved(NotServed::NotTls, "the server talks without end")
}

/// More lines than a reply has: servers offer some twenty things.
const MOST_LINES: usize = 100;
/// The longest line and the longest answer that is read; RFC 5321, section 4.5.3.1.5, has 512.
const LONGEST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &[u8], is_success: bool) {
        assert_eq!(is_ldap_success(answer), is_success, "{answer:02x?}");
    }

    #[test]
    fn only_a_success_lets_tls_begin_in_ldap() {
        check(b"\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", true);
        // With lengths in the long form, as Active Directory writes them.
        check(b"\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00", true);
        check(b"\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", false);
        check(b"\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00", false);
        check(b"\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", false);
        check(b"\x02\x01\x01\x78\xff", false);
        check(b"", false);
    }
}
