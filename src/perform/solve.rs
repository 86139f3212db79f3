//! What answers the challenges of an order: files on the hosts behind a name, records in the DNS.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use uuid::Uuid;

use super::Tools;
use super::record::{Body, lock};
use crate::acme::desk::{self, Desk, Record};
use crate::acme::order::{Challenge, Kind, Placed, Solver, Tell, Unanswered};
use crate::acme::{Stage, Step};
use crate::action::{Proof, Prover};
use crate::audit::{self, Permit};
use crate::dns::Spot;
use crate::fleet::Fingerprint;
use crate::job::{self, Token};
use crate::remote::Limits;
use crate::source::Nonce;
use crate::text::SafeText;
use crate::wire::http::{self, Ask, Fetched, Names, What};

/// The answers of one order. Its intent is on record, and says how each name is proven.
pub(super) struct Answers<'a> {
    tools: &'a Tools,
    proofs: &'a [Proof],
    permit: &'a Permit,
    /// Providers that were opened, by their names.
    desks: BTreeMap<String, Desk>,
    /// Files that the CA will ask for.
    files: Vec<Asked>,
    precheck: Precheck,
}

/// A file that the CA will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    name: String,
    port: u16,
    token: String,
    content: String,
}

/// Whether it is looked at from here before the CA is told to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precheck {
    /// Not at all.
    No,
    /// Yes; where nothing can be seen from here, the CA may see it all the same: it stands in a
    /// network of its own.
    Private,
    /// Yes; what cannot be seen from here cannot be seen by a CA of the whole world.
    Public,
}

impl<'a> Answers<'a> {
    pub(super) fn new(
        tools: &'a Tools,
        proofs: &'a [Proof],
        precheck: Precheck,
        permit: &'a Permit,
    ) -> Self {
        Self { tools, proofs, permit, desks: BTreeMap::new(), files: Vec::new(), precheck }
    }

    /// Writes into the log what is put in place or taken away: where, and the hash of what a CA
    /// looks for, which nobody can answer with.
    pub(super) fn record(&self, what: &str, placed: &[Placed]) -> Result<(), audit::Error> {
        let mut body = Body::new();
        let all = placed.iter().take(MAX_RECORDED).map(|it| match it {
            Placed::File { host, webroot, content, .. } => {
                json!({"host": host, "webroot": webroot, "sha256": hash(content)})
            }
            Placed::Record { dns, spot } => {
                let value = spot["value"].as_str().unwrap_or_default();
                json!({"dns": dns, "owner": spot["owner"], "sha256": hash(value)})
            }
        });
        body.insert("what".to_owned(), what.into());
        body.insert("challenges".to_owned(), all.collect());
        body.insert("challenges-count".to_owned(), placed.len().into());
        lock(&self.tools.log).step(self.permit, &body)
    }

    /// Looks at the files as the CA will: a wrong answer would cost a failed validation.
    async fn look(&self, tell: &mut Tell<'_>) -> Result<(), Unanswered> {
        if self.precheck == Precheck::No {
            return Ok(());
        }
        for Asked { name, port, token, content } in &self.files {
            let path = format!("/.well-known/acme-challenge/{token}");
            let (name, path) = (name.as_str(), path.as_str());
            let addresses = http::addresses(name).await;
            let ask = Ask { name, port: *port, path, addresses: &addresses, names: Names::System };
            let fetched = http::fetch(&ask).await;
            let is_unknown = fetched.is_empty();
            let mut unseen = Vec::new();
            for Fetched { address, what, .. } in fetched {
                match what {
                    What::File(body) if body.trim_ascii_end() == content.as_bytes() => {
                        say(tell, &format!("{name}: {address} serves the answer"));
                    }
                    What::File(_) => {
                        let text = format!("{name}: {address} serves something else in its place");
                        return Err(unanswered(&text, Some(WRONG)));
                    }
                    What::Other(why) => {
                        let text = format!("{name}: {address} {why}, and not the answer");
                        return Err(unanswered(&text, Some(WRONG)));
                    }
                    What::Closed(port) => {
                        unseen.push(format!("{address}: nobody listens at port {port}"));
                    }
                    What::Nothing(why) => unseen.push(format!("{address}: {why}")),
                    What::NoRoute => {
                        say(tell, &format!("{name}: there is no way from here to {address}"));
                    }
                }
            }
            if is_unknown {
                unseen.push("the name has no address here".to_owned());
            }
            let why = match unseen.as_slice() {
                [] => continue,
                all => format!("{name}: {}", all.join("; ")),
            };
            if self.precheck == Precheck::Public {
                return Err(unanswered(&why, Some(UNSEEN)));
            }
            say(tell, &format!("{why}; the CA may see more"));
        }
        Ok(())
    }

    fn prover(&self, name: &str, is_wildcard: bool) -> Option<&'a Prover> {
        let is_it = |it: &&Proof| match it.name.strip_prefix("*.") {
            Some(rest) => is_wildcard && rest.eq_ignore_ascii_case(name),
            None => !is_wildcard && it.name.eq_ignore_ascii_case(name),
        };
        self.proofs.iter().find(is_it).map(|it| &it.prover)
    }

    /// Takes a provider that is open already.
    pub(super) fn give(&mut self, name: &str, desk: Desk) {
        if let Some(secret) = desk.guard() {
            lock(&self.tools.log).protect(secret);
        }
        self.desks.insert(name.to_owned(), desk);
    }

    /// The provider of that name, opened once.
    pub(super) async fn desk(&mut self, name: &str) -> Result<&Desk, Unanswered> {
        if !self.desks.contains_key(name) {
            let told = self.tools.inventory.dns.iter().find(|it| it.name == name);
            let told = told.ok_or_else(|| {
                let hint = "name one with --authenticator, or add it to the inventory";
                unanswered(&format!("there is no [[dns]] `{name}`"), Some(hint))
            })?;
            let desk = Desk::open(told).await.map_err(|it| of_dns(&it))?;
            self.give(name, desk);
        }
        self.desks.get(name).ok_or_else(|| unanswered("the provider is gone", None))
    }

    /// Places or removes files, all of one host with one visit; which are done, and why others
    /// are not.
    pub(super) async fn files(
        &self,
        placed: &[Placed],
        script: fn(&[Token<'_>], &Nonce) -> String,
    ) -> Vec<(Placed, Result<(), SafeText>)> {
        let mut by_host: BTreeMap<&str, Vec<&Placed>> = BTreeMap::new();
        for it in placed {
            if let Placed::File { host, .. } = it {
                by_host.entry(host).or_default().push(it);
            }
        }
        let visits = by_host.into_iter().map(|(host, files)| async move {
            let done = self.visit(host, &files, script).await;
            files.into_iter().cloned().zip(done).collect::<Vec<_>>()
        });
        futures_util::future::join_all(visits).await.into_iter().flatten().collect()
    }

    async fn visit(
        &self,
        host: &str,
        files: &[&Placed],
        script: fn(&[Token<'_>], &Nonce) -> String,
    ) -> Vec<Result<(), SafeText>> {
        let all = |why: &str| vec![Err(SafeText::new(&format!("{host}: {why}"))); files.len()];
        let Some(told) = self.tools.inventory.host(host) else {
            return all("it is not in the inventory");
        };
        let tokens: Vec<_> = files
            .iter()
            .filter_map(|it| match it {
                Placed::File { webroot, token, content, .. } => {
                    Some(Token { webroot, token, content })
                }
                Placed::Record { .. } => None,
            })
            .collect();
        let nonce = Nonce::new(Uuid::new_v4().into_bytes());
        let limits = Limits { time: PATIENCE, cap: ANSWER_CAP };
        let answer = self.tools.sessions.visit(told, &script(&tokens, &nonce), limits).await;
        let read = match answer {
            Ok(answer) => job::read_tokens(&answer.bytes, &nonce),
            Err(error) => Err(error.unreached(told).text),
        };
        let told = match read {
            Ok(told) => told,
            Err(why) => return all(why.as_str()),
        };
        let why = told.iter().find_map(|it| it.as_ref().err()).cloned();
        let why = why.unwrap_or_else(|| SafeText::new("it does not say why not"));
        let outcome = |at: usize| {
            let is_done = told.iter().any(|it| it.as_ref().is_ok_and(|it| *it == at));
            if is_done { Ok(()) } else { Err(SafeText::new(&format!("{host}: {why}"))) }
        };
        (0..files.len()).map(outcome).collect()
    }
}

impl Answers<'_> {
    async fn located(&mut self, challenge: &Challenge) -> Result<Vec<Placed>, Unanswered> {
        let name = &challenge.name;
        match self.prover(name, challenge.is_wildcard) {
            None => Err(unanswered(&format!("the plan does not say how {name} is proven"), None)),
            Some(Prover::Webroots { spots, port }) => {
                if !job::is_token(&challenge.token) {
                    return Err(unanswered("the CA gives a token that is none", None));
                }
                let asked = Asked {
                    name: name.clone(),
                    port: *port,
                    token: challenge.token.clone(),
                    content: challenge.content.clone(),
                };
                if !self.files.contains(&asked) {
                    self.files.push(asked);
                }
                let file = |it: &crate::action::Webroot| Placed::File {
                    host: it.host.to_string(),
                    webroot: it.folder.clone(),
                    token: challenge.token.clone(),
                    content: challenge.content.clone(),
                };
                Ok(spots.iter().map(file).collect())
            }
            Some(Prover::Dns(dns)) => {
                let record = Record::of(name, &challenge.record);
                let desk = self.desk(dns).await?;
                let spot = desk.locate(&record).await.map_err(|it| of_dns(&it))?;
                let spot = serde_json::to_value(&spot)
                    .map_err(|it| unanswered(&format!("{name}: {it}"), None))?;
                Ok(vec![Placed::Record { dns: dns.clone(), spot }])
            }
        }
    }

    async fn put(&mut self, placed: &[Placed], tell: &mut Tell<'_>) -> Result<(), Unanswered> {
        self.record("challenges are answered", placed).map_err(|it| {
            let hint = "nothing is changed without a record of it: see `certdeck audit verify`";
            unanswered(&format!("the audit log refused: {it}"), Some(hint))
        })?;
        for (file, done) in self.files(placed, job::place_tokens).await {
            let Placed::File { host, webroot, .. } = &file else { continue };
            match done {
                Ok(()) => say(tell, &format!("the answer lies in {webroot} on {host}")),
                Err(why) => {
                    let hint = "the CA may ask any host behind the name, so all of them need it";
                    return Err(unanswered(why.as_str(), Some(hint)));
                }
            }
        }
        self.look(tell).await?;
        let mut by_desk: BTreeMap<String, Vec<Spot>> = BTreeMap::new();
        for (dns, spot) in records(placed) {
            let permit = self.permit;
            let desk = self.desk(&dns).await?;
            desk.add(&spot, permit).await.map_err(|it| of_dns(&it))?;
            say(tell, &format!("{} has its record", SafeText::capped(&spot.owner, 253)));
            by_desk.entry(dns).or_default().push(spot);
        }
        for (dns, spots) in by_desk {
            let desk = self.desk(&dns).await?;
            desk.wait(&spots, &mut *tell).await.map_err(|it| of_dns(&it))?;
        }
        Ok(())
    }

    pub(super) async fn take_away(
        &mut self,
        placed: &[Placed],
        tell: &mut Tell<'_>,
    ) -> Vec<Placed> {
        let mut left = Vec::new();
        for (file, done) in self.files(placed, job::remove_tokens).await {
            if let Err(why) = done {
                say(tell, &format!("{why}: the answer stays there for now"));
                left.push(file);
            }
        }
        let permit = self.permit;
        for (dns, spot) in records(placed) {
            let gone = match self.desk(&dns).await {
                Ok(desk) => desk.remove(&spot, permit).await.map_err(|it| of_dns(&it)),
                Err(why) => Err(why),
            };
            if let Err(why) = gone {
                say(tell, &format!("{}: the record stays there for now", why.text));
                let kept = placed.iter().find(|it| {
                    records(std::slice::from_ref(*it)).next().is_some_and(|it| it.1 == spot)
                });
                left.extend(kept.cloned());
            }
        }
        let gone: Vec<_> = placed.iter().filter(|it| !left.contains(it)).cloned().collect();
        if let Err(error) = self.record("answers are taken away", &gone) {
            // They are gone all the same, which is what counts.
            say(tell, &format!("the audit log refused: {error}"));
        }
        left
    }
}

impl Answers<'_> {
    /// Whether a record is seen not to be there.
    pub(super) async fn lacks(&mut self, placed: &Placed) -> bool {
        let Some((dns, spot)) = records(std::slice::from_ref(placed)).next() else { return false };
        let Ok(desk) = self.desk(&dns).await else { return false };
        desk.list(&spot).await.is_ok_and(|it| !it.contains(&spot.value))
    }
}

impl Solver for Answers<'_> {
    fn kind(&self, name: &str, is_wildcard: bool) -> Kind {
        match self.prover(name, is_wildcard) {
            Some(Prover::Webroots { .. }) => Kind::Http01,
            // Wildcards can be proven in the DNS only.
            Some(Prover::Dns(_)) | None => Kind::Dns01,
        }
    }

    fn prepare<'a>(
        &'a mut self,
        challenge: &'a Challenge,
    ) -> BoxFuture<'a, Result<Vec<Placed>, Unanswered>> {
        Box::pin(self.located(challenge))
    }

    fn place<'a>(
        &'a mut self,
        placed: &'a [Placed],
        tell: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Result<(), Unanswered>> {
        Box::pin(self.put(placed, tell))
    }

    fn remove<'a>(
        &'a mut self,
        placed: &'a [Placed],
        tell: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Vec<Placed>> {
        Box::pin(self.take_away(placed, tell))
    }
}

/// The records among what was placed.
fn records(placed: &[Placed]) -> impl Iterator<Item = (String, Spot)> + '_ {
    placed.iter().filter_map(|it| match it {
        Placed::Record { dns, spot } => {
            Some((dns.clone(), serde_json::from_value(spot.clone()).ok()?))
        }
        Placed::File { .. } => None,
    })
}

fn of_dns(error: &desk::Error) -> Unanswered {
    unanswered(&error.to_string(), Some(error.hint()))
}

fn unanswered(text: &str, hint: Option<&str>) -> Unanswered {
    Unanswered { text: SafeText::new(text), hint: hint.map(SafeText::new) }
}

fn say(tell: &mut Tell<'_>, text: &str) {
    tell(Step { stage: Stage::Placed, text: SafeText::new(text) });
}

const WRONG: &str = "the webroot is another folder, or the name leads to another machine, perhaps \
                     over IPv6 only; mend that first: a failed validation counts";
const UNSEEN: &str = "open port 80 to the whole world, or prove the name in the DNS; \
                      `--precheck no` asks the CA all the same";

fn hash(text: &str) -> String {
    Fingerprint::of(text.as_bytes()).to_string()
}

/// A record has 16 KiB.
const MAX_RECORDED: usize = 20;

const PATIENCE: Duration = Duration::from_secs(30);

/// A line for each file.
const ANSWER_CAP: usize = 256 * 1024;
