//! One `[[dns]]` of the inventory at work: where a challenge's record really lies, that it is
//! added beside others, seen at every authoritative server, and taken away again.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Stage, Step};
use crate::audit::{self, Permit};
use crate::clock::Clock;
use crate::dns::{self, Fault, Given, Provider, Spot};
use crate::inventory::DnsZone;
use crate::resolve::{self, Resolver, Server, Watched};
use crate::secret::Secret;
use crate::text::SafeText;

/// A provider that is open, with whom to ask whether its records are seen.
#[derive(Debug)]
pub struct Desk {
    told: DnsZone,
    provider: Box<dyn Provider>,
    resolver: Resolver,
    guard: Option<audit::Secret>,
}

/// A TXT record as a challenge wants it (RFC 8555, section 8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `_acme-challenge.` and the name, of a wildcard without its star.
    pub name: String,
    /// The digest of the key authorization, in base64url.
    pub value: String,
}

impl Record {
    /// The record that proves control of a name.
    pub fn of(name: &str, value: impl Into<String>) -> Self {
        let name = name.strip_prefix("*.").unwrap_or(name);
        Self { name: format!("_acme-challenge.{name}"), value: value.into() }
    }
}

/// Whether it is a SHA-256 in base64url, as the values of dns-01 are (RFC 8555, section 8.4).
/// Other records of that name, of services that prove control otherwise, are not.
fn is_digest(value: &str) -> bool {
    value.len() == 43 && value.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
}

/// Why a record is not where it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The alias leads into a zone that this provider does not write.
    #[error("dns {desk}: {owner} lies in {zone}, which is none of its zones ({zones})")]
    Elsewhere {
        /// The `[[dns]]`.
        desk: SafeText,
        /// The name.
        owner: SafeText,
        /// The zone that it lies in.
        zone: SafeText,
        /// The zones of the provider.
        zones: SafeText,
    },
    /// The provider did not do it.
    #[error("dns {desk}: {fault}")]
    Provider {
        /// The `[[dns]]`.
        desk: SafeText,
        /// What went wrong.
        fault: Box<Fault>,
    },
    /// The DNS gave no answer.
    #[error("dns {desk}: {error}")]
    Question {
        /// The `[[dns]]`.
        desk: SafeText,
        /// What went wrong.
        error: Box<resolve::Error>,
    },
    /// The secret is not where the inventory says.
    #[error("{0}")]
    Secret(SafeText),
    /// Not every server shows the records in time.
    #[error("dns {desk}: after {} s, {} of {asked} servers do not show the record: {}", .waited.as_secs(), .lacking.len(), .lacking.iter().map(SafeText::as_str).collect::<Vec<_>>().join("; "))]
    Unseen {
        /// The `[[dns]]`.
        desk: SafeText,
        /// How many were asked.
        asked: usize,
        /// Each that lags, and what it says.
        lacking: Vec<SafeText>,
        /// How long was waited.
        waited: Duration,
    },
}

impl Error {
    /// What to try, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Elsewhere { .. } => {
                "add the zone to the `zones` of the [[dns]] that writes it, or mend the CNAME"
            }
            Self::Provider { fault, .. } => fault.hint(),
            Self::Question { error, .. } => error.hint(),
            Self::Secret(_) => "see `secret-file`, `secret-env`, `secret-command` in the inventory",
            Self::Unseen { .. } => {
                "see that the secondaries are notified of changes and transfer the zone; CAs ask \
                 any of them. If it only takes longer: `patience` of this [[dns]]"
            }
        }
    }
}

impl Desk {
    /// Opens a provider: its secret is read, and nobody is asked yet.
    pub async fn open(told: &DnsZone) -> Result<Self, Error> {
        let desk = SafeText::new(&told.name);
        let wrong = |fault| Error::Provider { desk: desk.clone(), fault: Box::new(fault) };
        let kind = dns::named(&told.kind).ok_or_else(|| {
            let kind = SafeText::capped(&told.kind, 80);
            wrong(Fault::settings(&format!("there is no kind `{kind}`")))
        })?;
        let secret = match &told.secret {
            Some(place) => {
                let read = Secret::read(place, &format!("dns {desk}")).await;
                Some(read.map_err(|it| Error::Secret(it.0))?)
            }
            None => None,
        };
        let text = match &secret {
            Some(it) => std::str::from_utf8(it.bytes())
                .map_err(|_| wrong(Fault::settings("the secret is no text")))?,
            None => "",
        };
        // The wall clock: a signature is judged by the clock of the server, not by ours.
        let given = Given { keys: &told.settings, secret: text.trim(), clock: Clock::default() };
        let provider = kind.open(&given).map_err(wrong)?;
        let resolver = super::resolver(&told.resolvers).await;
        let guard = secret.as_ref().map(Secret::guard);
        Ok(Self { told: told.clone(), provider, resolver, guard })
    }

    /// The `[[dns]]`.
    pub fn name(&self) -> &str {
        &self.told.name
    }

    /// What the audit log has to know so that it never writes the secret down.
    pub fn guard(&self) -> Option<&audit::Secret> {
        self.guard.as_ref()
    }

    /// Whether a record can be taken away at all.
    pub fn forgets(&self) -> bool {
        self.provider.forgets()
    }

    /// Who answers for the DNS in general.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Finds where a record really lies: behind aliases, in which zone. Asks only; what comes
    /// back is stored before [`Self::add`].
    pub async fn locate(&self, record: &Record) -> Result<Spot, Error> {
        let owner = self.asked(self.resolver.follow(&record.name).await)?;
        // Who is named for it knows the zone, even where nobody else does.
        let nearest = if self.told.nameservers.is_empty() {
            self.resolver.zone_of(&owner).await
        } else {
            Resolver::new(self.told.nameservers.clone()).zone_of(&owner).await
        };
        let zone = self.asked(nearest)?;
        let is_ours = |it: &String| {
            let it = it.trim_end_matches('.').to_ascii_lowercase();
            zone == it || zone.ends_with(&format!(".{it}")) || owner.ends_with(&format!(".{it}"))
        };
        if !self.told.zones.is_empty() && !self.told.zones.iter().any(is_ours) {
            return Err(Error::Elsewhere {
                desk: self.label(),
                owner: SafeText::capped(&owner, 253),
                zone: SafeText::capped(&zone, 253),
                zones: SafeText::new(&self.told.zones.join(", ")),
            });
        }
        Ok(Spot { desk: self.told.name.clone(), owner, zone, value: record.value.clone() })
    }

    /// Adds a record; others at the name stay. It may be there already.
    pub async fn add(&self, spot: &Spot, _permit: &Permit) -> Result<(), Error> {
        let lock = lock_of(&spot.owner).await;
        let _alone = lock.lock().await;
        self.done(self.provider.add(spot).await)
    }

    /// Takes a record away; others at the name stay. It may be gone already.
    pub async fn remove(&self, spot: &Spot, _permit: &Permit) -> Result<(), Error> {
        let lock = lock_of(&spot.owner).await;
        let _alone = lock.lock().await;
        self.done(self.provider.remove(spot).await)
    }

    /// The values at the owner of a spot that orders have left there, or still need.
    pub async fn left_at(&self, spot: &Spot) -> Result<Vec<Spot>, Error> {
        let left = self.list(spot).await?.into_iter().filter(|it| is_digest(it));
        Ok(left.map(|value| Spot { value, ..spot.clone() }).collect())
    }

    /// The values at the owner of a spot: as the provider lists them, or as the first server that
    /// answers shows them.
    pub async fn list(&self, spot: &Spot) -> Result<Vec<String>, Error> {
        if let Some(values) = self.done(self.provider.list(&spot.owner, &spot.zone).await)? {
            return Ok(values);
        }
        let mut last = None;
        for server in self.servers(&spot.zone).await? {
            match resolve::values(server.address, &spot.owner).await {
                Ok(Ok(values)) => return Ok(values),
                Ok(Err(code)) => {
                    let name = SafeText::capped(&spot.owner, 253);
                    last = Some(resolve::Error::Answer { server: server.address, name, code });
                }
                Err(silence) => {
                    last = Some(resolve::Error::Silent { server: server.address, silence });
                }
            }
        }
        let zone = SafeText::capped(&spot.zone, 253);
        self.asked(Err(last.unwrap_or(resolve::Error::NoServers { zone })))
    }

    /// Waits until every authoritative server shows all of these, and tells how far that is.
    pub async fn wait(&self, spots: &[Spot], mut tell: impl FnMut(Step)) -> Result<(), Error> {
        let mut by_owner: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for spot in spots {
            let values = by_owner.entry((&spot.zone, &spot.owner)).or_default();
            values.push(spot.value.clone());
        }
        let mut zones: BTreeMap<&str, Vec<Server>> = BTreeMap::new();
        let mut watched = Vec::new();
        for ((zone, owner), values) in by_owner {
            let servers = match zones.get(zone) {
                Some(servers) => servers.clone(),
                None => self.servers(zone).await?,
            };
            zones.insert(zone, servers.clone());
            watched.push(Watched { name: owner.to_owned(), values, servers });
        }
        let step =
            |server: &Server, sight: &resolve::Sight, count: (usize, usize), passed: Duration| {
                let (shown, all) = count;
                let text = format!(
                    "{}: {sight} ({shown} of {all} answer), {} s",
                    named(server),
                    passed.as_secs()
                );
                tell(Step { stage: Stage::Placed, text: SafeText::new(&text) });
            };
        let sights = resolve::watch(&watched, self.told.patience, step).await;
        let lacking: Vec<_> = sights
            .iter()
            .filter(|it| it.1.is_lacking())
            .map(|(server, sight)| SafeText::new(&format!("{}: {sight}", named(server))))
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let (desk, asked) = (self.label(), sights.len());
        Err(Error::Unseen { desk, asked, lacking, waited: self.told.patience })
    }

    /// The servers at which the records of a zone must be seen.
    async fn servers(&self, zone: &str) -> Result<Vec<Server>, Error> {
        if self.told.nameservers.is_empty() {
            return self.asked(self.resolver.servers_of(zone).await);
        }
        let told = self.told.nameservers.iter();
        let server = |it: &std::net::SocketAddr| Server { name: SafeText::default(), address: *it };
        Ok(told.map(server).collect())
    }

    fn label(&self) -> SafeText {
        SafeText::new(&self.told.name)
    }

    fn asked<T>(&self, answer: Result<T, resolve::Error>) -> Result<T, Error> {
        answer.map_err(|error| Error::Question { desk: self.label(), error: Box::new(error) })
    }

    fn done<T>(&self, answer: Result<T, Fault>) -> Result<T, Error> {
        answer.map_err(|fault| Error::Provider { desk: self.label(), fault: Box::new(fault) })
    }
}

/// A server, as a person looks for it.
fn named(server: &Server) -> String {
    match (server.name.is_empty(), server.address.port()) {
        (true, _) => server.address.to_string(),
        (false, 53) => format!("{} [{}]", server.name, server.address.ip()),
        (false, _) => format!("{} [{}]", server.name, server.address),
    }
}

/// Orders of this process that write at one name take turns: many clouds can only replace the
/// whole set of values, and would lose one of two that come at once.
async fn lock_of(owner: &str) -> Arc<Mutex<()>> {
    static LOCKS: LazyLock<Mutex<BTreeMap<String, Arc<Mutex<()>>>>> = LazyLock::new(Mutex::default);
    let mut locks = LOCKS.lock().await;
    // Those that nobody holds any more go, so that the list does not grow with every name.
    locks.retain(|_, it| Arc::strong_count(it) > 1);
    Arc::clone(locks.entry(owner.to_owned()).or_default())
}

/// Where the system names its resolvers.
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digests_look_like_challenges() {
        assert!(is_digest("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"));
        assert!(!is_digest("google-site-verification=LoqXcYV8q5ONbJQxbmR7SC"));
        assert!(!is_digest("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX"));
    }

    #[test]
    fn a_wildcard_has_the_challenge_of_its_name() {
        assert_eq!(Record::of("*.a.test", "").name, "_acme-challenge.a.test");
    }
}
