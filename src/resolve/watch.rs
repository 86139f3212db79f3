//! Waiting until every authoritative server of a zone shows a TXT value: CAs ask them from several
//! places at once (CA/Browser Forum, Ballot SC-067), so one that lags behind is one too many.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_proto::rr::{RData, RecordType};
use tokio::time::{Instant, sleep};

use super::{Server, Silence, ask, code_of, parsed, plain};
use crate::text::SafeText;

/// Records that should be seen at some servers.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The name that has them.
    pub name: String,
    /// The values, all of which are wanted.
    pub values: Vec<String>,
    /// Who is asked.
    pub servers: Vec<Server>,
}

/// What one server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Every value.
    Shown,
    /// Not every value yet.
    NotYet,
    /// It is asked in vain from here, and another address of its kind is there to ask.
    NoRoute,
    /// It does not serve that zone, or says no.
    Trouble(SafeText),
    /// It says nothing.
    Silent(Silence),
}

impl Sight {
    /// Whether it stands in the way.
    pub fn is_lacking(&self) -> bool {
        !matches!(self, Self::Shown | Self::NoRoute)
    }
}

impl std::fmt::Display for Sight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shown => f.write_str("shows the record"),
            Self::NotYet => f.write_str("not yet"),
            Self::NoRoute => f.write_str("not asked: this machine has no route there"),
            Self::Trouble(why) => write!(f, "{why}"),
            Self::Silent(silence) => write!(f, "{silence}"),
        }
    }
}

/// Asks until everything is shown everywhere or the time is over, and gives what was seen last.
/// `tell` hears of every server whose answer has changed, with how many of how many show it.
pub async fn watch(
    all: &[Watched],
    deadline: Duration,
    mut tell: impl FnMut(&Server, &Sight, (usize, usize), Duration),
) -> Vec<(Server, Sight)> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(500);
    let mut last: Vec<(Server, Sight)> = Vec::new();
    loop {
        let round = all.iter().flat_map(|it| it.servers.iter().map(move |server| (it, server)));
        let round = round.map(|(watched, server)| look(watched, server));
        let mut sights = join_all(round).await;
        forgive_routes(&mut sights);
        let shown = sights.iter().filter(|it| !it.1.is_lacking()).count();
        let (count, passed) = ((shown, sights.len()), begun.elapsed());
        for (at, (server, sight)) in sights.iter().enumerate() {
            if last.get(at).is_none_or(|it| it.1 != *sight) {
                tell(server, sight, count, passed);
            }
        }
        if shown == sights.len() || passed + pause > deadline {
            return sights;
        }
        last = sights;
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// The TXT values that a server shows for a name, in the order in which it tells them.
pub(crate) async fn values(
    server: SocketAddr,
    name: &str,
) -> Result<Result<Vec<String>, SafeText>, Silence> {
    let nonsense = |it: super::Error| Silence::Nonsense(SafeText::new(&it.to_string()));
    let owner = parsed(name).map_err(nonsense)?;
    let answer = ask(server, &owner, RecordType::TXT, false).await?;
    if let Some(code) = code_of(&answer) {
        return Ok(Err(SafeText::new(&format!("answers {code}"))));
    }
    // What a resolver or a server of another zone says is not what the zone says.
    if !answer.metadata.authoritative {
        let text = format!("is not authoritative for {}", plain(&owner));
        return Ok(Err(SafeText::new(&text)));
    }
    let texts = answer.answers.iter().filter_map(|it| match &it.data {
        RData::TXT(txt) if it.name == owner => Some(txt.txt_data.concat()),
        _ => None,
    });
    Ok(Ok(texts.map(|it| String::from_utf8_lossy(&it).into_owned()).collect()))
}

async fn look(watched: &Watched, server: &Server) -> (Server, Sight) {
    let sight = match values(server.address, &watched.name).await {
        Ok(Ok(shown)) if watched.values.iter().all(|it| shown.contains(it)) => Sight::Shown,
        Ok(Ok(_)) => Sight::NotYet,
        Ok(Err(trouble)) => Sight::Trouble(trouble),
        Err(silence) => Sight::Silent(silence),
    };
    (server.clone(), sight)
}

/// Addresses of a family that this machine has no route for are not held against a server, as
/// long as somebody else can be asked.
fn forgive_routes(sights: &mut [(Server, Sight)]) {
    let has_no_route = |it: &Sight| *it == Sight::Silent(Silence::NoRoute);
    if sights.iter().all(|it| has_no_route(&it.1)) {
        return;
    }
    for (_, sight) in sights.iter_mut().filter(|it| has_no_route(&it.1)) {
        *sight = Sight::NoRoute;
    }
}

/// Between two rounds.
const MAX_PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(sight: Sight) -> (Server, Sight) {
        let name = SafeText::new("ns.test");
        (Server { name, address: "192.0.2.1:53".parse().unwrap() }, sight)
    }

    #[test]
    fn a_family_without_a_route_is_forgiven_beside_another() {
        let lost = || sight(Sight::Silent(Silence::NoRoute));
        let mut both = [sight(Sight::Shown), lost()];
        forgive_routes(&mut both);
        assert!(both.iter().all(|it| !it.1.is_lacking()));
        let mut alone = [lost()];
        forgive_routes(&mut alone);
        assert!(alone[0].1.is_lacking());
        let mut late = [sight(Sight::Silent(Silence::Late)), sight(Sight::Shown)];
        forgive_routes(&mut late);
        assert!(late[0].1.is_lacking());
    }
}
