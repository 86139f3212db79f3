//! Dynamic updates (RFC 2136) signed with TSIG (RFC 8945): BIND, Knot, PowerDNS, Windows with a
//! key. Our own, on messages of hickory: so that what the server says to a signature is told.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hickory_proto::op::{Message, ResponseCode, update_message};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError};
use hickory_proto::rr::{Name, RData, RecordSet, RecordType, TSigner};
use zeroize::Zeroizing;

use super::{Fault, Given, Kind, Provider, Spot, Wanted};
use crate::clock::Clock;
use crate::resolve::{self, Silence, exchange, parsed, word};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "rfc2136",
    about: "dynamic updates with a TSIG key: BIND, Knot, PowerDNS",
    needs: &["server"],
    takes: &["algorithm", "key-name"],
    secret: Wanted::Text("the TSIG key in base64, or a key file of BIND"),
    open: |given| Ok(Box::new(Rfc2136::open(given)?)),
};

struct Rfc2136 {
    server: String,
    signer: TSigner,
    clock: Clock,
}

impl Rfc2136 {
    fn open(given: &Given<'_>) -> Result<Self, Fault> {
        let key = Key::read(given.text()?)?;
        let name = given.key("key-name").map(str::to_owned).or(key.name);
        let name = name.ok_or_else(|| {
            Fault::settings("there is no `key-name`, and the secret is no key file that has one")
        })?;
        let algorithm = given.key("algorithm").map(str::to_owned).or(key.algorithm);
        let algorithm = algorithm_of(algorithm.as_deref().unwrap_or("hmac-sha256"))?;
        let wrong = |it: &dyn std::fmt::Display| Fault::settings(&format!("the TSIG key: {it}"));
        let name = parsed(&name).map_err(|it| wrong(&it))?;
        let signer = TSigner::new(key.secret.to_vec(), algorithm, name, FUDGE);
        Ok(Self {
            server: given.needed("server")?.to_owned(),
            signer: signer.map_err(|it| wrong(&it))?,
            clock: given.clock,
        })
    }

    /// Sends an update to the first address of the server that answers.
    async fn update(&self, spot: &Spot, is_addition: bool) -> Result<(), Fault> {
        let (owner, zone) = (name_of(&spot.owner)?, name_of(&spot.zone)?);
        if !zone.zone_of(&owner) {
            let text = format!("{} does not lie in the zone {}", spot.owner, spot.zone);
            return Err(Fault::settings(&text));
        }
        let mut records = RecordSet::with_ttl(owner, RecordType::TXT, TTL);
        records.add_rdata(RData::TXT(TXT::new(vec![spot.value.clone()])));
        let mut message = if is_addition {
            update_message::append(records, zone, false, false)
        } else {
            update_message::delete_by_rdata(records, zone, false)
        };
        let now = u64::try_from(self.clock.now().unix()).unwrap_or_default();
        let signed = message.finalize(&self.signer, now);
        let mut verifier = signed
            .map_err(|it| Fault::settings(&format!("the TSIG key: {it}")))?
            .ok_or_else(|| Fault::settings("the TSIG key signs nothing"))?;
        let (bytes, answer) = self.send(&message).await?;
        if let Some(fault) = tsig_fault(&answer) {
            return Err(fault);
        }
        // A refusal may come without a signature, and believing it changes nothing.
        match answer.metadata.response_code {
            ResponseCode::NoError => {}
            ResponseCode::NotAuth => return Err(Fault::NotAuthoritative),
            code @ ResponseCode::Refused => return Err(Fault::Refused(word(code))),
            code => return Err(Fault::failed(&format!("the DNS server answers {}", word(code)))),
        }
        let forged = || Fault::Key(SafeText::new("its answer is not signed with that key"));
        verifier.verify(&bytes).map(drop).map_err(|_| forged())
    }

    async fn send(&self, message: &Message) -> Result<(Vec<u8>, Message), Fault> {
        let server = SafeText::capped(&self.server, 253);
        let silent = |silence| Fault::Silent { server: server.clone(), silence };
        let mut last = silent(Silence::Refused(SafeText::new("its name has no address")));
        for address in addresses(&self.server).await.map_err(&silent)? {
            match exchange(address, message).await {
                Ok(answer) => return Ok(answer),
                Err(silence) => last = silent(silence),
            }
        }
        Err(last)
    }
}

impl Provider for Rfc2136 {
    fn add<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.update(spot, true).boxed()
    }

    fn remove<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.update(spot, false).boxed()
    }

    fn list<'a>(
        &'a self,
        owner: &'a str,
        _zone: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, Fault>> {
        async move {
            for address in addresses(&self.server).await.unwrap_or_default() {
                if let Ok(Ok(values)) = resolve::values(address, owner).await {
                    return Ok(Some(values));
                }
            }
            // Hidden primaries may answer updates only.
            Ok(None)
        }
        .boxed()
    }
}

/// Where a server is: an address or a name, perhaps with a port.
async fn addresses(server: &str) -> Result<Vec<SocketAddr>, Silence> {
    let bare: Option<std::net::IpAddr> = server.trim_matches(['[', ']']).parse().ok();
    if let Some(address) = bare {
        return Ok(vec![(address, 53).into()]);
    }
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(53)),
        None => (server, 53),
    };
    let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
    found
        .map(|it| it.take(8).collect())
        .map_err(|it| Silence::Refused(SafeText::capped(&it.to_string(), 200)))
}

/// What the server says to the signature (RFC 8945, section 5.2).
fn tsig_fault(answer: &Message) -> Option<Fault> {
    match answer.signature()?.data.error.as_ref()? {
        TsigError::BadKey => {
            Some(Fault::Key(SafeText::new("it knows no key of this name and algorithm (BADKEY)")))
        }
        TsigError::BadSig => {
            Some(Fault::Key(SafeText::new("the secret is another one there (BADSIG)")))
        }
        TsigError::BadTime => Some(Fault::Clock),
        TsigError::BadTrunc => {
            Some(Fault::Key(SafeText::new("it wants signatures of another length (BADTRUNC)")))
        }
        TsigError::Unknown(0) => None,
        TsigError::Unknown(code) => Some(Fault::Key(SafeText::new(&format!("TSIG error {code}")))),
    }
}

/// A key, as it is written into files.
struct Key {
    name: Option<String>,
    algorithm: Option<String>,
    secret: Zeroizing<Vec<u8>>,
}

impl Key {
    /// Base64 alone, or `key "name" { algorithm hmac-sha256; secret "…"; };` as tsig-keygen(8)
    /// writes it.
    fn read(text: &str) -> Result<Self, Fault> {
        let decode = |it: &str| STANDARD.decode(it.trim()).map(Zeroizing::new);
        let Some((head, body)) = text.split_once('{') else {
            let secret = decode(text).map_err(|_| {
                Fault::settings("the secret is neither base64 nor a key file of BIND")
            })?;
            return Ok(Self { name: None, algorithm: None, secret });
        };
        let word = |it: &str| it.trim().trim_matches('"').to_owned();
        let statement = |name: &str| {
            let mut parts = body.split([';', '}']).map(str::trim);
            let found = parts
                .find_map(|it| it.strip_prefix(name).filter(|it| it.starts_with([' ', '\t', '"'])));
            found.map(word)
        };
        let name = head.lines().filter_map(|it| it.trim().strip_prefix("key")).next_back();
        let secret = statement("secret").map(Zeroizing::new);
        let secret = secret.ok_or_else(|| Fault::settings("the key file has no `secret`"))?;
        let secret = decode(&secret)
            .map_err(|_| Fault::settings("the `secret` of the key file is no base64"))?;
        Ok(Self { name: name.map(word), algorithm: statement("algorithm"), secret })
    }
}

fn algorithm_of(name: &str) -> Result<TsigAlgorithm, Fault> {
    match name.to_ascii_lowercase().trim_end_matches('.') {
        "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
        "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
        "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
        other => Err(Fault::settings(&format!(
            "the algorithm `{other}` is none of hmac-sha256, hmac-sha384, hmac-sha512"
        ))),
    }
}

fn name_of(name: &str) -> Result<Name, Fault> {
    parsed(name).map_err(|it| Fault::settings(&it.to_string()))
}

/// Short: the records are there for minutes only.
const TTL: u32 = 60;
/// Seconds by which clocks may differ (RFC 8945, section 10, recommends that many).
const FUDGE: u16 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_people_keep_them() {
        let bare = Key::read("c2VjcmV0\n").unwrap();
        assert_eq!((bare.secret.as_slice(), bare.name), (&b"secret"[..], None));
        let text = "# made by tsig-keygen\nkey \"acme.example.net\" {\n\talgorithm hmac-sha512;\n\
                    \tsecret \"c2VjcmV0\";\n};\n";
        let file = Key::read(text).unwrap();
        assert_eq!(file.name.as_deref(), Some("acme.example.net"));
        assert_eq!(file.algorithm.as_deref(), Some("hmac-sha512"));
        assert_eq!(file.secret.as_slice(), b"secret");
        let line = Key::read("key a{algorithm \"hmac-sha256\"; secret c2VjcmV0;};").unwrap();
        assert_eq!(line.name.as_deref(), Some("a"));
        for wrong in ["hunter 2", "key a { algorithm x; }", "key a { secret \"!\"; }"] {
            let error = Key::read(wrong).err().unwrap().to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn weak_algorithms_are_refused() {
        assert!(algorithm_of("HMAC-SHA256.").is_ok());
        assert!(algorithm_of("hmac-md5").is_err());
    }

    #[tokio::test]
    async fn servers_have_ports_or_53() {
        for (text, expect) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(addresses(text).await.unwrap(), [expect.parse::<SocketAddr>().unwrap()]);
        }
    }
}
