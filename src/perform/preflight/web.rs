//! A file that is placed in the webroots, asked for by its name from here, from its own host and
//! from other hosts of the fleet, and removed.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use uuid::Uuid;

use super::Desk;
use super::trial::Trial;
use crate::acme;
use crate::acme::order::Placed as File;
use crate::action::Webroot;
use crate::fleet::{HostName, Reach};
use crate::inventory::{self, Protect};
use crate::job;
use crate::perform::{Ending, Tools};
use crate::preflight::vantage::{self, Asked};
use crate::preflight::{Fetch, Found, From, Name, Placed, Proven, Saw, Web};
use crate::remote::Limits;
use crate::source::Nonce;
use crate::text::SafeText;
use crate::wire::http::{self, Ask, Fetched, Names, What};

/// Looks at port 80 of every name that is proven there.
pub(super) async fn look(desk: &Desk<'_>, names: &[Name]) -> Found<Web> {
    let case = &desk.case;
    if case.proofs.iter().all(|it| it.by.port().is_none()) {
        return Ok(Web::default());
    }
    let token = Token::new();
    let files = match refusal(desk) {
        Some(why) => Err(why),
        None => Ok(token.files(desk)),
    };
    let files = match files {
        Ok(files) if files.is_empty() => {
            // Whoever answers then is not there yet: only the way is looked at.
            let fetches = fetches(desk, &token, names, &[]).await;
            return Ok(Web { fetches, ..Web::default() });
        }
        Ok(files) => files,
        Err(why) => {
            let fetches = fetches(desk, &token, names, &[]).await;
            return Ok(Web { fetches, unplaced: Some(why), ..Web::default() });
        }
    };
    let tools = &desk.shared.tools;
    let what = "a file is placed, asked for and removed";
    let trial = match Trial::begin(case, tools, what, files).await {
        Ok(trial) => trial,
        Err(why) => {
            let fetches = fetches(desk, &token, names, &[]).await;
            return Ok(Web { fetches, unplaced: Some(why), ..Web::default() });
        }
    };
    let mut web = Web::default();
    let answers = trial.answers(tools);
    let recorded = answers.record("files are placed to see whether they are found", trial.placed());
    if let Err(error) = recorded {
        web.unplaced = Some(SafeText::new(&format!("the audit log refused: {error}")));
    } else {
        let placed = answers.files(trial.placed(), job::place_tokens).await;
        web.placed = placed.into_iter().filter_map(told).collect();
    }
    drop(answers);
    let there: BTreeSet<_> =
        web.placed.iter().filter(|it| it.done.is_ok()).map(|it| &it.host).collect();
    let there: Vec<_> = there.into_iter().cloned().collect();
    if !there.is_empty() {
        tokio::select! {
            fetches = fetches(desk, &token, names, &there) => web.fetches = fetches,
            () = desk.shared.stopped() => {}
        }
    }
    let found = web.fetches.iter().filter(|it| it.saw == Saw::Token).count();
    let summary = format!("found by {found} of {} looks", web.fetches.len());
    let ending = if there.is_empty() { Ending::Failed } else { Ending::Ok };
    web.left = trial.end(tools, ending, SafeText::new(&summary)).await;
    Ok(web)
}

/// Why nothing may be placed, if nothing may.
fn refusal(desk: &Desk<'_>) -> Option<SafeText> {
    if let Some(why) = &desk.case.read_only {
        return Some(why.clone());
    }
    let inventory = &desk.shared.tools.inventory;
    let guarded = |it: &Webroot| {
        let host = inventory.host(it.host.as_str())?;
        let group = inventory.groups_of(host).find(|it| it.protect == Protect::ReadOnly)?;
        Some(format!(
            "{} is behind a name, too, and its group {} is read-only",
            it.host, group.name
        ))
    };
    spots(desk).iter().find_map(guarded).map(|it| SafeText::new(&it))
}

fn spots(desk: &Desk<'_>) -> BTreeSet<Webroot> {
    let files = desk.case.proofs.iter().filter_map(|it| match &it.by {
        Proven::Files { spots, .. } => Some(spots),
        _ => None,
    });
    files.flatten().cloned().collect()
}

fn told((file, done): (File, Result<(), SafeText>)) -> Option<Placed> {
    let File::File { host, webroot, .. } = file else { return None };
    Some(Placed { host: HostName::new(&host), folder: webroot, done })
}

/// What is placed: nothing that any account could answer with.
struct Token {
    name: String,
    content: String,
}

impl Token {
    fn new() -> Self {
        let random = || [Uuid::new_v4(), Uuid::new_v4()].map(|it| it.simple().to_string()).concat();
        // As long as those of Let's Encrypt.
        let name = format!("certdeck-{}", random().get(..34).unwrap_or_default());
        Self { content: format!("{name}.{}", random()), name }
    }

    fn path(&self) -> String {
        format!("/.well-known/acme-challenge/{}", self.name)
    }

    fn files(&self, desk: &Desk<'_>) -> Vec<File> {
        let file = |it: Webroot| File::File {
            host: it.host.to_string(),
            webroot: it.folder,
            token: self.name.clone(),
            content: self.content.clone(),
        };
        spots(desk).into_iter().map(file).collect()
    }
}

/// Asks from everywhere. `own` are the hosts on which it lies.
async fn fetches(desk: &Desk<'_>, token: &Token, names: &[Name], own: &[HostName]) -> Vec<Fetch> {
    let tools = &desk.shared.tools;
    let asked: Vec<(&Name, u16)> = names
        .iter()
        .filter(|it| !it.addresses().is_empty())
        .filter_map(|name| {
            let proof = desk.case.proofs.iter().find(|it| it.name == name.name)?;
            Some((name, proof.by.port()?))
        })
        .collect();
    let here = from_here(token, &asked, tools);
    // Where nothing lies there is nothing to be found: from here it is seen whether the way is open.
    let others = if own.is_empty() { Vec::new() } else { others(desk, own) };
    let own = own.iter().take(MOST_HOSTS).map(|host| {
        let files = asked.iter().take(MOST_THERE).map(|(name, port)| {
            // At its own address, if the name leads there, and else at its loopback.
            let known = desk.case.addresses.iter().find(|it| it.0 == *host);
            let is_own = |it: &&IpAddr| known.is_some_and(|known| known.1.contains(it));
            let at = name.addresses().iter().find(is_own).copied();
            asked_at(name, at.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), *port, token)
        });
        (From::Itself(host.clone()), files.collect())
    });
    let others = others.into_iter().map(|host| {
        let files = asked.iter().take(MOST_THERE).flat_map(|(name, port)| {
            let all = name.addresses().iter().take(MOST_ADDRESSES);
            all.map(|at| asked_at(name, *at, *port, token))
        });
        (From::Other(host), files.collect())
    });
    let vantages: Vec<(From, Vec<Asked>)> = own.chain(others).collect();
    let there = vantages.into_iter().map(|(from, files)| from_there(tools, from, files, token));
    let (here, there) = tokio::join!(here, join_all(there));
    here.into_iter().chain(there.into_iter().flatten()).collect()
}

fn asked_at(name: &Name, at: IpAddr, port: u16, token: &Token) -> Asked {
    Asked { name: name.name.clone(), at, port, path: token.path() }
}

async fn from_here(token: &Token, asked: &[(&Name, u16)], tools: &Tools) -> Vec<Fetch> {
    let resolver = acme::resolver(&tools.inventory.defaults.resolvers).await;
    let (resolver, path) = (&resolver, token.path());
    let path = path.as_str();
    let asked: Vec<(Name, u16)> = asked.iter().map(|(it, port)| ((*it).clone(), *port)).collect();
    let looks = asked.into_iter().map(|(name, port)| async move {
        let (addresses, names) = (name.addresses(), Names::Resolver(resolver));
        let ask = Ask { name: &name.name, port, path, addresses, names };
        let fetched = http::fetch(&ask).await.into_iter();
        let fetch = |Fetched { address, hops, what }| Fetch {
            name: name.name.clone(),
            from: From::Here,
            address: Some(address),
            // The way matters, not the name of the file.
            hops: hops.iter().map(|it| SafeText::new(&it.as_str().replace(path, "/…"))).collect(),
            saw: saw(what, token),
        };
        fetched.map(fetch).collect::<Vec<_>>()
    });
    stream::iter(looks).buffered(AT_ONCE).concat().await
}

fn saw(what: What, token: &Token) -> Saw {
    match what {
        What::File(body) if body.trim_ascii_end() == token.content.as_bytes() => Saw::Token,
        What::File(_) => Saw::Other(SafeText::new("serves something else in its place")),
        What::Other(why) => Saw::Other(why),
        What::Closed(port) => Saw::Closed(SafeText::new(&format!("nobody listens at port {port}"))),
        What::Nothing(why) => Saw::Nothing(why),
        What::NoRoute => Saw::NoRoute,
    }
}

async fn from_there(tools: &Tools, from: From, files: Vec<Asked>, token: &Token) -> Vec<Fetch> {
    let host = match &from {
        From::Itself(host) | From::Other(host) => host.as_str(),
        From::Here => return Vec::new(),
    };
    let Some(told) = tools.inventory.host(host) else { return Vec::new() };
    let seen = visit(tools, told, &files, token).await;
    let fetch = |(at, file): (usize, &Asked)| {
        let untried = |why: &SafeText| Saw::Untried(why.clone());
        let saw = match &seen {
            Ok(seen) => seen.iter().find(|it| it.0 == at).map_or_else(
                || untried(&SafeText::new("the host says nothing of it")),
                |it| it.1.clone(),
            ),
            Err(why) => untried(why),
        };
        let (name, from) = (file.name.clone(), from.clone());
        let address = Some(SocketAddr::new(file.at, file.port));
        Fetch { name, from, address, hops: Vec::new(), saw }
    };
    files.iter().enumerate().map(fetch).collect()
}

async fn visit(
    tools: &Tools,
    told: &inventory::Host,
    files: &[Asked],
    token: &Token,
) -> Found<Vec<(usize, Saw)>> {
    let nonce = Nonce::new(Uuid::new_v4().into_bytes());
    let limits = Limits { time: PATIENCE, cap: ANSWER_CAP };
    let answer = tools.sessions.visit(told, &vantage::script(files, &nonce), limits).await;
    let answer = answer.map_err(|it| it.unreached(told).text)?;
    let read = vantage::read(&answer.bytes, &nonce, &token.content);
    read.map_err(|it| SafeText::new(&format!("{}: {it}", told.name)))
}

/// Hosts from which the file is asked for, too: such as could be read, on other machines, and of
/// other groups first, which are likelier to stand elsewhere.
fn others(desk: &Desk<'_>, own: &[HostName]) -> Vec<HostName> {
    let fleet = desk.shared.fleet();
    let case = &desk.case;
    let is_up = |it: &&crate::fleet::Host| it.reach == Reach::Up && !own.contains(&it.name);
    let is_other = |it: &&crate::fleet::Host| {
        it.name != case.host.name && (it.machine.is_none() || it.machine != case.host.machine)
    };
    let mut all: Vec<_> = fleet.hosts().filter(is_up).filter(is_other).collect();
    all.sort_by_key(|it| it.groups == case.host.groups);
    all.into_iter().take(MOST_HOSTS).map(|it| it.name.clone()).collect()
}

/// So many names are asked from here at once.
const AT_ONCE: usize = 16;
/// From so many other hosts it is looked at: CAs look from five places or more (Ballot SC-067).
const MOST_HOSTS: usize = 3;
/// So many addresses of a name are asked from other hosts.
const MOST_ADDRESSES: usize = 4;
/// So many names are asked for from other hosts, one after the other.
const MOST_THERE: usize = 8;
/// Some seconds for each name that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// A part of a page for each name.
const ANSWER_CAP: usize = 512 * 1024;
