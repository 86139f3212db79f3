//! One question to one server: UDP, and TCP where the answer does not fit (RFC 7766). What comes
//! back is bounded in bytes and in time, and belongs to the question.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::text::SafeText;

/// Why a server gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Nothing came back in time.
    Late,
    /// This machine has no way to that kind of address: a machine without IPv6, most often.
    NoRoute,
    /// Something came back, and it is no answer to the question.
    Nonsense(SafeText),
    /// The system said no.
    Refused(SafeText),
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Late => write!(f, "did not answer within {} s", TRIES.as_secs()),
            Self::NoRoute => f.write_str("cannot be reached: this machine has no route there"),
            Self::Nonsense(why) => write!(f, "answers nonsense: {why}"),
            Self::Refused(why) => write!(f, "cannot be reached: {why}"),
        }
    }
}

/// Sends a message, as bytes, and waits for the answer to it: the bytes, because who signs has to
/// see them, and what they mean.
pub(crate) async fn exchange(
    server: SocketAddr,
    message: &Message,
) -> Result<(Vec<u8>, Message), Silence> {
    let bytes = message.to_vec().map_err(|it| nonsense(&it.to_string()))?;
    let fits = bytes.len() <= MAX_UDP_QUESTION;
    if fits {
        let (bytes, answer) = timeout(TRIES, over_udp(server, message, &bytes))
            .await
            .map_err(|_| Silence::Late)??;
        if !answer.metadata.truncation {
            return Ok((bytes, answer));
        }
    }
    timeout(TRIES, over_tcp(server, message, &bytes)).await.map_err(|_| Silence::Late)?
}

async fn over_udp(
    server: SocketAddr,
    message: &Message,
    bytes: &[u8],
) -> Result<(Vec<u8>, Message), Silence> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // A port of its own for every question, chosen by the system, and connected: what others send
    // there is dropped by the system.
    let socket = UdpSocket::bind(any).await.map_err(|it| refused(&it))?;
    socket.connect(server).await.map_err(|it| refused(&it))?;
    let mut buffer = vec![0; MAX_ANSWER];
    loop {
        socket.send(bytes).await.map_err(|it| refused(&it))?;
        // Answers to something else are passed over: only time ends this try.
        let answer = timeout(TRY, async {
            loop {
                let length = socket.recv(&mut buffer).await.map_err(|it| refused(&it))?;
                let got = buffer.get(..length).unwrap_or_default();
                if let Ok(answer) = read(message, got) {
                    return Ok((got.to_vec(), answer));
                }
            }
        });
        if let Ok(answer) = answer.await {
            return answer;
        }
    }
}

async fn over_tcp(
    server: SocketAddr,
    message: &Message,
    bytes: &[u8],
) -> Result<(Vec<u8>, Message), Silence> {
    let length = u16::try_from(bytes.len()).map_err(|_| nonsense("the question is too long"))?;
    let mut stream = TcpStream::connect(server).await.map_err(|it| refused(&it))?;
    let framed = [&length.to_be_bytes(), bytes].concat();
    stream.write_all(&framed).await.map_err(|it| refused(&it))?;
    let length = stream.read_u16().await.map_err(|it| refused(&it))?;
    let mut got = vec![0; length.into()];
    stream.read_exact(&mut got).await.map_err(|it| refused(&it))?;
    let answer = read(message, &got)?;
    Ok((got, answer))
}

/// The answer, if it belongs to the question (RFC 5452, section 9.1).
fn read(question: &Message, bytes: &[u8]) -> Result<Message, Silence> {
    let answer = Message::from_vec(bytes).map_err(|it| nonsense(&it.to_string()))?;
    let (asked, got) = (&question.metadata, &answer.metadata);
    if asked.id != got.id || asked.op_code != got.op_code {
        return Err(nonsense("an answer to another question"));
    }
    // Errors may come without the question, as those of BIND to what is not signed well.
    let same = answer.queries.is_empty() || answer.queries == question.queries;
    if same { Ok(answer) } else { Err(nonsense("an answer to another question")) }
}

fn refused(error: &io::Error) -> Silence {
    match error.kind() {
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::Unsupported => Silence::NoRoute,
        _ if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => {
            Silence::NoRoute
        }
        io::ErrorKind::TimedOut => Silence::Late,
        io::ErrorKind::ConnectionRefused => {
            Silence::Refused(SafeText::new("nothing listens there"))
        }
        io::ErrorKind::UnexpectedEof => nonsense("half an answer"),
        _ => Silence::Refused(SafeText::new(&error.to_string())),
    }
}

fn nonsense(why: &str) -> Silence {
    Silence::Nonsense(SafeText::capped(why, 200))
}

/// A datagram that is lost is sent again after this long.
const TRY: Duration = Duration::from_secs(2);
/// How long a server has altogether, each over UDP and TCP.
const TRIES: Duration = Duration::from_secs(5);
/// What passes everywhere without fragments (DNS flag day 2020).
const MAX_UDP_QUESTION: usize = 1232;
/// More does not fit into a datagram.
const MAX_ANSWER: usize = 65_535;

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use hickory_proto::rr::{Name, RecordType};

    use super::*;

    fn question() -> Message {
        let mut message = Message::query();
        let name = Name::from_ascii("a.test.").unwrap();
        message.add_query(Query::query(name, RecordType::TXT));
        message
    }

    #[test]
    fn only_answers_to_the_question_count() {
        let question = question();
        let mut answer = question.clone().into_response();
        assert!(read(&question, &answer.to_vec().unwrap()).is_ok());
        answer.metadata.id ^= 1;
        assert!(read(&question, &answer.to_vec().unwrap()).is_err());
        let mut other = question.clone().into_response();
        other.queries = vec![Query::query(Name::from_ascii("b.test.").unwrap(), RecordType::TXT)];
        assert!(read(&question, &other.to_vec().unwrap()).is_err());
        assert!(read(&question, b"\0\0garbage").is_err());
    }

    #[tokio::test]
    async fn truncated_answers_are_asked_for_again_over_tcp() {
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(server).await.unwrap();
        let asked = question();
        let mut cut = asked.clone().into_response();
        cut.metadata.truncation = true;
        let whole = asked.clone().into_response().to_vec().unwrap();
        let serve = async {
            let mut buffer = [0; 512];
            let (_, peer) = udp.recv_from(&mut buffer).await.unwrap();
            // Somebody else's answer first: it is passed over.
            let mut forged = cut.clone();
            forged.metadata.id ^= 1;
            udp.send_to(&forged.to_vec().unwrap(), peer).await.unwrap();
            udp.send_to(&cut.to_vec().unwrap(), peer).await.unwrap();
            let (mut stream, _) = tcp.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut got = vec![0; length.into()];
            stream.read_exact(&mut got).await.unwrap();
            stream.write_u16(u16::try_from(whole.len()).unwrap()).await.unwrap();
            stream.write_all(&whole).await.unwrap();
        };
        let (answer, ()) = tokio::join!(exchange(server, &asked), serve);
        assert!(!answer.unwrap().1.metadata.truncation);
    }

    #[tokio::test]
    async fn nobody_there_is_told_at_once() {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = exchange(free, &question()).await.unwrap_err();
        assert_eq!(error, Silence::Refused(SafeText::new("nothing listens there")));
    }
}
