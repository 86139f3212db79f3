//! Orders of our own with a real CA, from the first request to the chain.

mod engine;
mod faults;
mod killed;
pub(crate) mod proxy;
pub(crate) mod secrets;
mod zone;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use certdeck::acme::order::{
    Challenge, Kept, Kind, Placed, Solver, Tell, Unanswered, Wanted, Work,
};
use certdeck::acme::{self, Account, Office, account, order};
use certdeck::audit::{Log, Permit};
use certdeck::clock::Clock;
use certdeck::fleet::Fingerprint;
use certdeck::inventory::Issuer;
use futures_util::future::BoxFuture;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use serde_json::{Map, json};

use crate::lab::ca::{Ca, Checks, Habits};

/// What an issuance needs to be tried here.
pub(crate) const PROGRAMS: &[&str] = &["pebble", "pebble-challtestsrv", "curl", "dig"];

/// A machine that orders: its folder of state, its log, its account.
struct Machine {
    office: Office,
    issuer: Issuer,
    log: Mutex<Log>,
}

impl Machine {
    /// One with its state in that folder, which orders from that directory.
    fn new(state: &Path, ca: &Ca, directory: String) -> Self {
        fs::create_dir_all(state).unwrap();
        let issuer = Issuer {
            name: "pebble".to_owned(),
            directory,
            staging: None,
            contact: Some("ops@example.net".to_owned()),
            external: None,
            roots: vec![ca.trust().display().to_string()],
            profile: None,
            http_port: 80,
            order_limit: None,
        };
        Self {
            office: Office::new(state, Clock::default()),
            issuer,
            log: Mutex::new(Log::open(state, Clock::default()).unwrap()),
        }
    }

    fn permit(&self) -> Permit {
        let mut body = Map::new();
        body.insert("action".to_owned(), json!("issue"));
        self.log.lock().unwrap().intent(&body).unwrap()
    }

    async fn account(&self, permit: &Permit) -> Result<Account, acme::Error> {
        account::open(&self.office, &self.issuer, false, None, permit).await
    }

    fn kept(&self, permit: &Permit, names: &[String]) -> Kept {
        let wanted = Wanted {
            issuer: &self.issuer,
            is_staging: false,
            is_rehearsal: false,
            names,
            profile: None,
            replaces: None,
        };
        Kept::new(permit.op(), &wanted, json!({}))
    }
}

/// The key of a host, and its request.
struct Host {
    der: Vec<u8>,
    spki: Fingerprint,
    names: Vec<String>,
}

impl Host {
    fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.clone()).unwrap();
        let request = params.serialize_request(&key).unwrap();
        Self {
            der: request.der().to_vec(),
            spki: Fingerprint::of(&key.subject_public_key_info()),
            names,
        }
    }

    fn csr(&self) -> order::Csr<'_> {
        order::Csr { der: &self.der, spki: self.spki }
    }
}

/// Answers challenges through the name server of a CA, and remembers what ever was in place.
#[derive(Clone)]
struct Told {
    ca: Arc<Ca>,
    kind: Kind,
    ever: Arc<Mutex<BTreeSet<(String, String)>>>,
}

impl Told {
    fn new(ca: &Arc<Ca>, kind: Kind) -> Self {
        Self { ca: Arc::clone(ca), kind, ever: Arc::default() }
    }

    /// Stops with an assertion unless all that ever was in place is gone, and there was something.
    #[track_caller]
    fn assert_clear(&self) {
        let ever = self.ever.lock().unwrap();
        assert!(!ever.is_empty(), "nothing ever was in place");
        for (place, content) in &*ever {
            assert!(!self.ca.shows(self.kind, place, content), "{place} is still in place");
        }
    }
}

impl Solver for Told {
    fn kind(&self, _: &str, is_wildcard: bool) -> Kind {
        if is_wildcard { Kind::Dns01 } else { self.kind }
    }

    fn prepare<'a>(
        &'a mut self,
        it: &'a Challenge,
    ) -> BoxFuture<'a, Result<Vec<Placed>, Unanswered>> {
        let placed = match it.kind {
            Kind::Http01 => Placed::File {
                host: it.name.clone(),
                webroot: "/".to_owned(),
                token: it.token.clone(),
                content: it.content.clone(),
            },
            Kind::Dns01 => Placed::Record {
                dns: "told".to_owned(),
                spot: json!([format!("_acme-challenge.{}.", it.name), it.record]),
            },
        };
        Box::pin(async move { Ok(vec![placed]) })
    }

    fn place<'a>(
        &'a mut self,
        placed: &'a [Placed],
        _: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Result<(), Unanswered>> {
        for it in placed {
            let (place, content) = parts(it);
            match it {
                Placed::File { .. } => {
                    self.ca.tell("add-http01", &json!({"token": place, "content": content}));
                }
                Placed::Record { .. } => {
                    self.ca.tell("set-txt", &json!({"host": place, "value": content}));
                }
            }
            self.ever.lock().unwrap().insert((place, content));
        }
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(
        &'a mut self,
        placed: &'a [Placed],
        _: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Vec<Placed>> {
        for it in placed {
            let (place, _) = parts(it);
            match it {
                Placed::File { .. } => self.ca.tell("del-http01", &json!({"token": place})),
                Placed::Record { .. } => self.ca.tell("clear-txt", &json!({"host": place})),
            }
        }
        Box::pin(async { Vec::new() })
    }
}

/// Where it is, and what is there.
fn parts(it: &Placed) -> (String, String) {
    match it {
        Placed::File { token, content, .. } => (token.clone(), content.clone()),
        Placed::Record { spot, .. } => {
            let [place, value] = [0, 1].map(|it| spot[it].as_str().unwrap().to_owned());
            (place, value)
        }
    }
}

impl Ca {
    /// Whether its name server answers a challenge with that.
    fn shows(&self, kind: Kind, place: &str, content: &str) -> bool {
        let mut ask = match kind {
            Kind::Http01 => {
                let mut curl = Command::new("curl");
                let port = self.http_port;
                curl.arg("--silent");
                curl.arg(format!("http://127.0.0.1:{port}/.well-known/acme-challenge/{place}"));
                curl
            }
            Kind::Dns01 => {
                let mut dig = Command::new("dig");
                dig.args(["@127.0.0.1", "-p", &self.names.to_string(), "+short", "TXT", place]);
                dig
            }
        };
        let output = ask.output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains(content)
    }
}

/// A strict CA whose name server answers as it is told.
fn strict(dir: &Path, env: &[(&str, &str)]) -> Arc<Ca> {
    let habits = Habits { env, ..Habits::default() };
    Arc::new(Ca::start_with(dir, Checks::Told, 90, habits))
}

/// Orders a certificate for a host: its chain, or what went wrong.
async fn issue(machine: &Machine, host: &Host, solver: &mut Told) -> Result<String, String> {
    let permit = machine.permit();
    let account = machine.account(&permit).await.map_err(|it| it.to_string())?;
    let mut kept = machine.kept(&permit, &host.names);
    let csr = Some(host.csr());
    let office = &machine.office;
    let mut work = Work { office, account: &account, csr, solver };
    let obtained = work.obtain(&mut kept, &mut |_| (), &permit).await;
    obtained.map_err(|it| format!("{it:?}"))
}
