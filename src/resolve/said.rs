//! What one authoritative server says of a zone and of a name in it: CAs ask any of them.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, RecordType};

use super::{MAX_ADDRESSES, Silence, ask, parsed, plain, word};
use crate::text::SafeText;

/// What one authoritative server says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The serial number of its copy of the zone.
    pub serial: Option<u32>,
    /// The addresses of the name, in order; none where it leads elsewhere or is not there.
    pub addresses: Vec<IpAddr>,
    /// Where the name leads, if it is an alias.
    pub alias: Option<SafeText>,
    /// Whether it knows the name at all.
    pub knows: bool,
}

/// Asks one server for the serial number of a zone and for a name in it. What it says instead of
/// an answer is told in words; the outer error is that it says nothing.
pub async fn said(
    server: SocketAddr,
    zone: &str,
    name: &str,
) -> Result<Result<Said, SafeText>, Silence> {
    let Ok((zone, name)) = parsed(zone).and_then(|zone| Ok((zone, parsed(name)?))) else {
        return Ok(Err(SafeText::new("the name is none")));
    };
    let answer = ask(server, &zone, RecordType::SOA, false).await?;
    if let Some(trouble) = trouble(&answer, &plain(&zone)) {
        return Ok(Err(trouble));
    }
    let serial = answer.answers.iter().find_map(|it| match &it.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    });
    let mut said = Said { serial, knows: true, ..Said::default() };
    for kind in [RecordType::A, RecordType::AAAA] {
        let answer = ask(server, &name, kind, false).await?;
        if answer.metadata.response_code == ResponseCode::NXDomain {
            return Ok(Ok(Said { knows: false, ..said }));
        }
        if let Some(trouble) = trouble(&answer, &plain(&name)) {
            return Ok(Err(trouble));
        }
        for record in answer.answers.iter().filter(|it| it.name.to_lowercase() == name) {
            match &record.data {
                RData::A(it) => said.addresses.push(IpAddr::V4(it.0)),
                RData::AAAA(it) => said.addresses.push(IpAddr::V6(it.0)),
                RData::CNAME(it) => said.alias = Some(SafeText::capped(&plain(&it.0), 253)),
                _ => {}
            }
        }
    }
    said.addresses.sort();
    said.addresses.truncate(MAX_ADDRESSES);
    Ok(Ok(said))
}

/// What is wrong with an answer, in words.
fn trouble(answer: &Message, name: &str) -> Option<SafeText> {
    let code = answer.metadata.response_code;
    if code != ResponseCode::NoError {
        return Some(SafeText::new(&format!("answers {}", word(code))));
    }
    let text = format!("is not authoritative for {name}");
    (!answer.metadata.authoritative).then(|| SafeText::new(&text))
}
