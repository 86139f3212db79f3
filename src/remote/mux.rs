//! The words of a control socket's protocol (`PROTOCOL.mux` of OpenSSH) that the openssh crate
//! does not speak: ending a master, and a way through it to a port of its host.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf};
use tokio::net::UnixStream as AsyncStream;
use tokio::net::unix::pipe;

/// Asks a master to end, channels or not, and waits a moment for it to do so.
///
/// The openssh crate can only ask it to stop listening, after which it goes on as long as a
/// channel is open: for ever, if the host is silent.
pub(super) fn end_master(socket: &Path) {
    let Ok(mut stream) = UnixStream::connect(socket) else { return };
    stream.set_read_timeout(Some(FAREWELL)).ok();
    stream.set_write_timeout(Some(FAREWELL)).ok();
    let bytes = [hello(), message(&[&number(MUX_C_TERMINATE), &number(REQUEST)])].concat();
    if stream.write_all(&bytes).is_ok() {
        // It closes the socket by ending. A caller that does not wait is not listened to either.
        stream.take(ENOUGH).read_to_end(&mut Vec::new()).ok();
    }
}

/// A connection from a host to one of its own ports, through its session. Closed when it
/// is dropped.
#[derive(Debug)]
pub(super) struct Forwarded {
    answers: pipe::Receiver,
    questions: pipe::Sender,
    /// The channel lives as long as this.
    _control: AsyncStream,
}

/// Why there is no tunnel.
#[derive(Debug)]
pub(super) enum Shut {
    /// The master does not answer.
    Dead,
    /// The host does not connect, and the master keeps the reason to itself.
    Refused,
}

impl Forwarded {
    /// Asks the master of that socket for a connection (`MUX_C_NEW_STDIO_FWD`).
    pub(super) async fn open(socket: &Path, at: SocketAddr) -> Result<Self, Shut> {
        Self::ask(socket, at).await.map_err(|_| Shut::Dead)?.ok_or(Shut::Refused)
    }

    async fn ask(socket: &Path, at: SocketAddr) -> io::Result<Option<Self>> {
        let mut control = AsyncStream::connect(socket).await?;
        let forward = message(&[
            &number(MUX_C_NEW_STDIO_FWD),
            &number(REQUEST),
            &string(""),
            &string(&at.ip().to_string()),
            &number(at.port().into()),
        ]);
        control.write_all(&[hello(), forward].concat()).await?;
        // One pipe each way, so that the end of one is seen while the other is open.
        let (questions, stdin) = pipe::pipe()?;
        let (stdout, answers) = pipe::pipe()?;
        for end in [stdin.into_blocking_fd()?, stdout.into_blocking_fd()?] {
            send(&control, &end).await?;
        }
        let greeting = receive(&mut control).await?;
        let reply = receive(&mut control).await?;
        let is_open = greeting.starts_with(&number(MUX_MSG_HELLO))
            && reply.starts_with(&number(MUX_S_SESSION_OPENED));
        Ok(is_open.then_some(Self { answers, questions, _control: control }))
    }
}

impl AsyncRead for Forwarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.answers).poll_read(context, buffer)
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.questions).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.questions).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.questions).poll_shutdown(context)
    }
}

/// Hands an open file over: one byte with the file beside it (`mm_send_fd` of OpenSSH).
async fn send(control: &AsyncStream, file: &OwnedFd) -> io::Result<()> {
    let sending = || {
        let files = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        beside.push(SendAncillaryMessage::ScmRights(&files));
        Ok(sendmsg(control, &[IoSlice::new(&[0])], &mut beside, SendFlags::empty())?)
    };
    control.async_io(Interest::WRITABLE, sending).await.map(drop)
}

/// Takes one message of the master, without its length.
async fn receive(control: &mut AsyncStream) -> io::Result<Vec<u8>> {
    let length = u64::from(control.read_u32().await?.min(LONGEST));
    let mut bytes = Vec::new();
    control.take(length).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn hello() -> Vec<u8> {
    message(&[&number(MUX_MSG_HELLO), &number(VERSION)])
}

fn message(parts: &[&[u8]]) -> Vec<u8> {
    counted(&parts.concat())
}

fn string(text: &str) -> Vec<u8> {
    counted(text.as_bytes())
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    [&number(length), bytes].concat()
}

fn number(it: u32) -> [u8; 4] {
    it.to_be_bytes()
}

/// How long a master may take to end before it is left to its `ControlPersist`.
const FAREWELL: Duration = Duration::from_millis(500);
/// More than a master says when it ends.
const ENOUGH: u64 = 1024;
/// More than any message that is waited for here has.
const LONGEST: u32 = 16 * 1024;

const VERSION: u32 = 4;
/// Which request an answer is about; there is one per connection.
const REQUEST: u32 = 0;
const MUX_MSG_HELLO: u32 = 0x0000_0001;
const MUX_C_TERMINATE: u32 = 0x1000_0005;
const MUX_C_NEW_STDIO_FWD: u32 = 0x1000_0008;
const MUX_S_SESSION_OPENED: u32 = 0x8000_0006;
