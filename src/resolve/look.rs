//! What a resolver says of a name, as a CA hears it: where its aliases lead, its addresses, and
//! whether the signatures of its zone hold. What is missing is told apart from what is silent.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::{MAX_ADDRESSES, Resolver, Silence, exchange, parsed, plain, question, word};
use crate::text::SafeText;

/// What a resolver says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The names that its aliases lead through; none where it has addresses of its own.
    pub aliases: Vec<SafeText>,
    /// Its addresses: IPv4, then IPv6.
    pub addresses: Vec<IpAddr>,
    /// How the question ended.
    pub end: End,
    /// What the signatures of its zone say.
    pub seal: Seal,
}

/// How a question for addresses ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With addresses.
    Found,
    /// The name is there and has no address.
    NoAddress,
    /// There is no resolver to ask.
    NoResolver,
    /// There is no such name: `NXDOMAIN`.
    NoSuchName,
    /// It was refused: `SERVFAIL`, `REFUSED`.
    Refused(SafeText),
    /// Nobody answered: whom, and what came instead.
    Silent(SocketAddr, Silence),
}

/// What the signatures of a zone (DNSSEC) say of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Whoever checks refuses, whoever does not check answers.
    Broken,
    /// They hold.
    Good,
    /// The answer is not signed.
    None,
    /// It is signed, and the resolver does not check.
    Unchecked,
    /// Nobody answered.
    Unknown,
}

impl Resolver {
    /// Asks for the addresses of a name, and a second time without the check of signatures where
    /// they may be what is in the way.
    pub async fn look(&self, name: &str) -> Look {
        let none = |end| Look { aliases: vec![], addresses: vec![], end, seal: Seal::Unknown };
        let Ok(name) = parsed(name.strip_prefix("*.").unwrap_or(name)) else {
            return none(End::NoSuchName);
        };
        let mut last = none(End::NoResolver);
        for server in self.servers() {
            last = look_at(*server, &name).await;
            if !matches!(last.end, End::Silent(..) | End::Refused(_)) || last.seal == Seal::Broken {
                break;
            }
        }
        last
    }
}

async fn look_at(server: SocketAddr, name: &Name) -> Look {
    let mut look =
        Look { aliases: vec![], addresses: vec![], end: End::NoAddress, seal: Seal::Unknown };
    for kind in [RecordType::A, RecordType::AAAA] {
        let answer = match ask(server, name, kind, false).await {
            Ok(answer) => answer,
            Err(silence) => return Look { end: End::Silent(server, silence), ..look },
        };
        match answer.metadata.response_code {
            ResponseCode::NoError => {}
            ResponseCode::NXDomain => {
                return Look { end: End::NoSuchName, seal: seal_of(&answer), ..look };
            }
            code => {
                // With the check disabled (RFC 4035, section 3.2.2) only signatures are passed
                // over: an answer then means that they were what was in the way.
                let unchecked = ask(server, name, kind, true).await;
                let answers = [ResponseCode::NoError, ResponseCode::NXDomain];
                let is_broken = code == ResponseCode::ServFail
                    && unchecked.is_ok_and(|it| answers.contains(&it.metadata.response_code));
                let seal = if is_broken { Seal::Broken } else { Seal::Unknown };
                return Look { end: End::Refused(word(code)), seal, ..look };
            }
        }
        look.seal = match (look.seal, seal_of(&answer)) {
            (Seal::Unknown | Seal::None, it) => it,
            (known, _) => known,
        };
        if look.aliases.is_empty() {
            look.aliases = aliases(&answer, name);
        }
        look.addresses.extend(answer.answers.iter().filter_map(|it| match &it.data {
            RData::A(it) => Some(IpAddr::V4(it.0)),
            RData::AAAA(it) => Some(IpAddr::V6(it.0)),
            _ => None,
        }));
    }
    look.addresses.truncate(MAX_ADDRESSES);
    if !look.addresses.is_empty() {
        look.end = End::Found;
    }
    look
}

async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    is_unchecked: bool,
) -> Result<Message, Silence> {
    let mut question = question(name, kind);
    question.metadata.recursion_desired = true;
    question.metadata.checking_disabled = is_unchecked;
    if let Some(edns) = &mut question.edns {
        // So that signatures come along, by which a signed zone is known.
        edns.set_dnssec_ok(true);
    }
    exchange(server, &question).await.map(|it| it.1)
}

fn seal_of(answer: &Message) -> Seal {
    let all = answer.answers.iter().chain(&answer.authorities);
    let is_signed = all.clone().any(|it| it.record_type() == RecordType::RRSIG);
    match (answer.metadata.authentic_data, is_signed) {
        (true, _) => Seal::Good,
        (false, true) => Seal::Unchecked,
        (false, false) => Seal::None,
    }
}

/// The names that the aliases in an answer lead through, in their order.
fn aliases(answer: &Message, name: &Name) -> Vec<SafeText> {
    let mut at = name.clone();
    let mut all = Vec::new();
    let next = |at: &Name| {
        answer.answers.iter().find_map(|it| match &it.data {
            RData::CNAME(to) if it.name.to_lowercase() == *at => Some(to.0.to_lowercase()),
            _ => None,
        })
    };
    while let Some(to) = next(&at).filter(|_| all.len() < MAX_SHOWN) {
        all.push(SafeText::capped(&plain(&to), 253));
        at = to;
    }
    all
}

/// More aliases than any resolver follows.
const MAX_SHOWN: usize = 16;

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{A, CNAME};
    use tokio::net::UdpSocket;
    use tokio::task::JoinSet;

    use super::*;

    /// A resolver that answers every question with what that makes of it.
    async fn resolver(
        answer: impl Fn(&Message) -> Message + Send + 'static,
    ) -> (Resolver, JoinSet<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let bytes = answer(&question).to_vec().unwrap();
                socket.send_to(&bytes, peer).await.unwrap();
            }
        });
        (Resolver::new(vec![server]), work)
    }

    fn coded(question: &Message, code: ResponseCode) -> Message {
        let mut answer = question.clone().into_response();
        answer.metadata.response_code = code;
        answer
    }

    #[tokio::test]
    async fn signatures_that_do_not_hold_are_told_from_servers_that_fail() {
        let (checks, _work) = resolver(|it| {
            let is_passed = it.metadata.checking_disabled;
            coded(it, if is_passed { ResponseCode::NoError } else { ResponseCode::ServFail })
        })
        .await;
        let look = checks.look("a.test").await;
        assert_eq!((look.end, look.seal), (End::Refused(SafeText::new("SERVFAIL")), Seal::Broken));

        let (fails, _work) = resolver(|it| coded(it, ResponseCode::ServFail)).await;
        let look = fails.look("a.test").await;
        assert_eq!((look.end, look.seal), (End::Refused(SafeText::new("SERVFAIL")), Seal::Unknown));
    }

    #[tokio::test]
    async fn no_such_name_and_no_address_are_told_apart() {
        let (gone, _work) = resolver(|it| coded(it, ResponseCode::NXDomain)).await;
        assert_eq!(gone.look("a.test").await.end, End::NoSuchName);
        let (bare, _work) = resolver(|it| coded(it, ResponseCode::NoError)).await;
        assert_eq!(bare.look("*.a.test").await.end, End::NoAddress);
        assert_eq!(Resolver::new(vec![]).look("a.test").await.end, End::NoResolver);
        let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let look = Resolver::new(vec![nobody]).look("a.test").await;
        assert!(matches!(look.end, End::Silent(at, _) if at == nobody), "{look:?}");
    }

    #[tokio::test]
    async fn aliases_are_shown_in_their_order() {
        let (follows, _work) = resolver(|it| {
            let mut answer = it.clone().into_response();
            let [a, b, c] =
                ["a.test.", "B.test.", "c.test."].map(|it| Name::from_ascii(it).unwrap());
            let alias = |from: &Name, to: &Name| {
                Record::from_rdata(from.clone(), 60, RData::CNAME(CNAME(to.clone())))
            };
            answer.add_answer(alias(&b, &c));
            answer.add_answer(alias(&a, &b));
            if it.queries[0].query_type() == RecordType::A {
                answer.add_answer(Record::from_rdata(c, 60, RData::A(A::new(192, 0, 2, 1))));
            }
            answer.metadata.authentic_data = true;
            answer
        })
        .await;
        let look = follows.look("a.test").await;
        assert_eq!(look.aliases, ["b.test", "c.test"].map(SafeText::new));
        assert_eq!(look.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert_eq!((look.end, look.seal), (End::Found, Seal::Good));
    }
}
