//! The snapshot of the last known fleet: public facts of certificates and of how they are
//! renewed, for the first picture of the next start. And guided runs and roll-outs that are
//! under way. Losing them loses nothing that was audited.
//! Beside it lies what was said in reviews: marks of those that were signed off, and what somebody
//! knows about findings. The audit log has all of that, too, and first.

mod held;
mod practised;
mod review;
mod rollouts;
mod runs;
mod unattended;
mod wire;

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::audit;
use crate::fleet::{Fingerprint, Fleet, Moment};

pub use held::{Held, Holder, Kept, Lasting, Shelf, Trouble};
pub use practised::Practised;
pub use rollouts::Rollouts;
pub use runs::Runs;
pub use unattended::Unattended;

/// Where the snapshot is kept.
#[derive(Debug, Clone)]
pub struct Store {
    state: PathBuf,
}

/// Why a snapshot could not be written or is not used. Neither stops anything else.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not what was written.
    #[error("{0}: the file is damaged")]
    Damaged(PathBuf),
    /// The audit log refused, so nothing was changed.
    #[error("nothing was changed")]
    NotAudited(#[from] audit::Error),
    /// Another version of this program wrote it.
    #[error("{0}: another version of certdeck wrote this file")]
    OtherVersion(PathBuf),
    /// It could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is larger than any snapshot that is read.
    #[error("{0}: more than {MAX_BYTES} bytes are not read")]
    TooLarge(PathBuf),
    /// It could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Store {
    /// A store in the state folder; nothing is touched yet.
    pub fn new(state: &Path) -> Self {
        Self { state: state.to_owned() }
    }

    /// Where the snapshot lies.
    pub fn path(&self) -> PathBuf {
        self.state.join("fleet.snapshot")
    }

    /// Writes the snapshot: whole or not at all, readable by its owner only.
    pub fn save(&self, fleet: &Fleet) -> Result<(), Error> {
        let path = self.path();
        let written = encode(fleet).and_then(|bytes| replace(&self.state, &path, &bytes));
        written.map_err(|source| Error::Write { path, source })
    }

    /// Fills the hosts of the fleet that the snapshot knows under the same name and address, as
    /// they were then, and tells when that was. `None` if there is no snapshot. With an error the
    /// hosts are as before. When this machine last renewed is found out in any case.
    pub fn recall(&self, fleet: &mut Fleet) -> Result<Option<Moment>, Error> {
        fleet.unattended_at = self.unattended().map(|it| it.at);
        let path = self.path();
        let Some(bytes) = read(&path)? else { return Ok(None) };
        decode(&bytes, fleet).map_err(|it| it.at(path))
    }
}

/// Reads a file of this program; `None` if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|it| it.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(it) if it.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        Ok(size) if size as u64 > MAX_BYTES => Err(Error::TooLarge(path.to_owned())),
        Ok(_) => Ok(Some(bytes)),
    }
}

/// Why bytes are no snapshot.
#[derive(Debug, PartialEq, Eq)]
enum Unusable {
    Damaged,
    OtherVersion,
}

impl Unusable {
    fn at(self, path: PathBuf) -> Error {
        match self {
            Self::Damaged => Error::Damaged(path),
            Self::OtherVersion => Error::OtherVersion(path),
        }
    }
}

fn encode(fleet: &Fleet) -> io::Result<Vec<u8>> {
    seal((MAGIC, VERSION), &wire::Snapshot::of(fleet))
}

fn decode(bytes: &[u8], fleet: &mut Fleet) -> Result<Option<Moment>, Unusable> {
    let body = unseal((MAGIC, VERSION), bytes)?;
    let snapshot: wire::Snapshot = postcard::from_bytes(body).map_err(|_| Unusable::Damaged)?;
    snapshot.fill(fleet)
}

/// Writes what it is, in which version, a digest, and the body.
fn seal((magic, version): (&[u8], u16), body: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(body).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(Fingerprint::of(&body).digest());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The body of what was written as that.
fn unseal<'b>((magic, known): (&[u8], u16), bytes: &'b [u8]) -> Result<&'b [u8], Unusable> {
    let rest = bytes.strip_prefix(magic).ok_or(Unusable::Damaged)?;
    let (version, rest) = rest.split_first_chunk().ok_or(Unusable::Damaged)?;
    if u16::from_be_bytes(*version) != known {
        return Err(Unusable::OtherVersion);
    }
    let (digest, body) = rest.split_first_chunk::<32>().ok_or(Unusable::Damaged)?;
    // The digest is checked first, so that only what this program wrote is ever decoded.
    if Fingerprint::of(body).digest() != digest {
        return Err(Unusable::Damaged);
    }
    Ok(body)
}

/// Writes beside the file, then renames over it.
fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    beside(folder, bytes)?.persist(path)?;
    // The new name is on disk once the folder is.
    File::open(folder)?.sync_all()
}

/// Writes a file that has no name of its own yet.
fn beside(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Temporary files are made with mode 0600.
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

const MAGIC: &[u8] = b"certdeck";
/// Raised with every change of [`wire`].
const VERSION: u16 = 11;
const HEADER: usize = MAGIC.len() + 2 + 32;
/// Twenty times what a thousand hosts with ten certificates each need.
const MAX_BYTES: u64 = 128 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{
        Automation, Certificate, Chain, ChainFault, ConfHook, FailedHook, Failure, Hook, HookStage,
        Host, HostName, KeyKind, KeySight, Listen, Load, Loaded, Lock, Need, NeedKind, NeedState,
        NotServed, Outcome, Place, Probe, Problem, ProblemKind, Reach, Renewal, Schedule,
        Scheduler, Scope, Seen, Server, Sighting, Site, Trigger, Trust, Unreached, Unserved,
        Vantage, Version, Visit, Why,
    };
    use crate::source;
    use crate::text::SafeText;

    #[test]
    fn a_fleet_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("not/yet/there"));
        let fleet = fleet();
        store.save(&fleet).unwrap();
        let mode = store.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let mut again = empty();
        assert_eq!(store.recall(&mut again).unwrap(), fleet.scanned_at);
        assert_eq!(format!("{again:#?}"), format!("{fleet:#?}"));
    }

    #[test]
    fn certificates_that_were_one_are_one_again() {
        let mut again = empty();
        decode(&encode(&fleet()).unwrap(), &mut again).unwrap();
        let place = &again.hosts().next().unwrap().places[0];
        let disk = &place.layers.disk.as_ref().unwrap().chain;
        let issued = &place.layers.issued.as_ref().unwrap().chain;
        assert!(Arc::ptr_eq(disk, issued));
        assert!(Arc::ptr_eq(&disk.leaf, place.versions[0].certificate.as_ref().unwrap()));
    }

    #[test]
    fn hosts_that_moved_or_left_are_not_filled() {
        let bytes = encode(&fleet()).unwrap();
        let name = HostName::new("web-1");
        let mut moved = Fleet::new([Host::new(name.clone(), "10.0.0.9", &[])]);
        decode(&bytes, &mut moved).unwrap();
        assert_eq!(moved.host(&name).unwrap().reach, Reach::Never);
        assert_eq!(moved.hosts().len(), 1);
    }

    #[test]
    fn groups_are_those_of_the_inventory_of_now() {
        let name = HostName::new("web-1");
        let mut fleet_now = Fleet::new([Host::new(name.clone(), "10.0.0.1", &["new".into()])]);
        decode(&encode(&fleet()).unwrap(), &mut fleet_now).unwrap();
        assert_eq!(fleet_now.host(&name).unwrap().groups, ["new"]);
    }

    #[test]
    fn no_snapshot_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Store::new(folder.path()).recall(&mut empty()).unwrap(), None);
    }

    #[test]
    fn another_version_is_told_apart_from_damage() {
        let mut bytes = encode(&fleet()).unwrap();
        bytes[MAGIC.len() + 1] += 1;
        assert_eq!(decode(&bytes, &mut empty()), Err(Unusable::OtherVersion));
        assert_eq!(decode(b"#!/bin/sh\n", &mut empty()), Err(Unusable::Damaged));
        assert_eq!(decode(b"", &mut empty()), Err(Unusable::Damaged));
    }

    #[test]
    fn damage_of_any_kind_changes_nothing() {
        let bytes = encode(&fleet()).unwrap();
        for size in 0..bytes.len() {
            check_damaged(&bytes[..size]);
        }
        for at in MAGIC.len() + 2..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            check_damaged(&bytes);
        }
    }

    #[track_caller]
    fn check_damaged(bytes: &[u8]) {
        let mut fleet = empty();
        assert_eq!(decode(bytes, &mut fleet), Err(Unusable::Damaged));
        assert_eq!(fleet.hosts().next().unwrap().reach, Reach::Never);
    }

    proptest::proptest! {
        /// Bytes with a right digest that this program never wrote: no panic, and nothing is
        /// set aside for lengths that the bytes cannot have.
        #[test]
        fn a_body_of_any_bytes_does_no_harm(body: Vec<u8>) {
            let _ = decode(&sealed(&body), &mut empty());
        }

        #[test]
        fn a_changed_body_does_no_harm(at in 0..1000_usize, byte: u8) {
            let bytes = encode(&fleet()).unwrap();
            let mut body = bytes[HEADER..].to_vec();
            let at = at % body.len();
            body[at] = byte;
            let _ = decode(&sealed(&body), &mut empty());
        }
    }

    fn sealed(body: &[u8]) -> Vec<u8> {
        [MAGIC, &VERSION.to_be_bytes(), Fingerprint::of(body).digest(), body].concat()
    }

    fn empty() -> Fleet {
        Fleet::new([
            Host::new(HostName::new("web-1"), "10.0.0.1", &["production".into()]),
            Host::new(HostName::new("web-2"), "10.0.0.2", &[]),
        ])
    }

    fn renewal(at: Moment) -> Renewal {
        let text = SafeText::new;
        Renewal {
            authenticator: Some(text("webroot")),
            is_enabled: true,
            hooks: vec![ConfHook { stage: HookStage::Deploy, command: text("true") }],
            last_failure: Some(Failure { at: Some(at), text: text("rate limited") }),
            needs: vec![Need {
                kind: NeedKind::Hook(HookStage::Post),
                path: text("/usr/bin/true"),
                state: NeedState::NotExecutable,
                mode: Some(0o644),
            }],
            planned: Some(at),
            failed_hook: Some(FailedHook {
                at: None,
                stage: HookStage::Deploy,
                command: None,
                code: 7,
                changed: Some(at),
            }),
            ..Renewal::default()
        }
    }

    fn automation(at: Moment) -> Automation {
        let text = SafeText::new;
        Automation {
            source: source::ALL[0].name,
            version: Some(text("2.1.0")),
            is_installed: true,
            program: None,
            schedule: Schedule {
                scheduler: Scheduler::Systemd,
                triggers: vec![Trigger {
                    name: text("certbot.timer"),
                    is_armed: true,
                    state: text("enabled active"),
                    last: Some(at),
                    next: None,
                    result: Some(text("success")),
                    exit: Some(1),
                    calendar: Some(text("*-*-* 00,12:00:00")),
                    jitter: None,
                    only: vec![Scope::Lineage(text("www")), Scope::Name(text("a.test"))],
                }],
            },
            hooks: vec![Hook {
                stage: HookStage::Post,
                path: text("renewal-hooks/post/reload"),
                mode: 0o644,
                is_executable: false,
            }],
            lock: Some(Lock { path: text("/var/lock"), pid: Some(7) }),
            last_run: Some(at),
            unproven: Vec::new(),
        }
    }

    fn server() -> Server {
        let text = SafeText::new;
        Server {
            kind: source::servers().next().unwrap(),
            conf: text("/etc/nginx/nginx.conf"),
            program: Some(text("/usr/sbin/nginx")),
            args: vec![text("-g"), text("daemon on;")],
            pid: Some(7),
            unit: Some(text("nginx.service")),
            read_by: Some(Moment::from_unix(7)),
            sites: vec![Site {
                names: vec![text("example.net")],
                listens: vec![Listen { address: [0, 0, 0, 0].into(), port: 443 }],
                proxied: Vec::new(),
                loads: vec![Load {
                    certificate: text("/a.pem"),
                    key: Some(text("/a.key")),
                    chain: None,
                    told_at: text("/etc/nginx/nginx.conf:7"),
                }],
            }],
            problems: Vec::new(),
        }
    }

    /// One of everything.
    fn fleet() -> Fleet {
        let at = Moment::from_unix(1_795_403_564);
        let text = SafeText::new;
        let certificate = |name: &str, is_ca| {
            Arc::new(Certificate {
                sha256: Fingerprint::of(name.as_bytes()),
                spki_sha256: Fingerprint::of(b"key"),
                serial: text("04aa"),
                subject: text(&format!("CN={name}")),
                issuer: text("CN=R10,O=Let's Encrypt"),
                names: vec![text(name), text("*.example.net")],
                not_before: at.plus(-1000),
                not_after: at.plus(1000),
                key: if is_ca { KeyKind::Rsa(4096) } else { KeyKind::Ecdsa(256) },
                is_ca,
                logged_at: None,
                is_for_clients: false,
                renewal_id: Some(SafeText::new("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")),
                der: is_ca.then(|| Arc::from([1, 2, 3].as_slice())),
            })
        };
        let leaf = certificate("example.net", false);
        let chain = Arc::new(Chain {
            leaf: leaf.clone(),
            rest: vec![certificate("R10", true)],
            fault: Some(ChainFault::WrongOrder),
            trust: Trust { anchor: Some(text("CN=Root")), until: Some(at) },
        });
        let sighting = |path: &str| Sighting { chain: chain.clone(), location: text(path), at };
        let problem = Problem {
            kind: ProblemKind::MixedVersions,
            text: text("fullchain.pem is of version 2"),
            path: Some(text("/etc/letsencrypt/live/example.net")),
        };
        let mut place = Place::new(source::ALL[0].name, text("example.net"));
        place.layers.issued = Some(sighting("archive/example.net/fullchain3.pem"));
        place.layers.disk = Some(sighting("live/example.net/fullchain.pem"));
        place.key = Some(KeySight {
            path: text("privkey.pem"),
            stamp: Some(text("7 241 1795403564")),
            spki: Some(Fingerprint::of(b"key")),
        });
        place.versions = vec![
            Version { number: 1, certificate: Some(leaf) },
            Version { number: 2, certificate: None },
        ];
        place.renewal = Some(renewal(at));
        place.problems = vec![problem.clone()];
        let seen = Seen {
            clock_offset: Some(-3),
            places: vec![place],
            automation: vec![automation(at)],
            servers: vec![server()],
            loaded: vec![
                Loaded { path: text("/a.pem"), chain: Ok(chain.clone()), changed: Some(at) },
                Loaded { path: text("/b.pem"), chain: Err(problem.clone()), changed: None },
            ],
            listeners: vec![Listen { address: [0, 0, 0, 0].into(), port: 443 }],
            addresses: vec![[192, 0, 2, 7].into()],
            machine: Some(text("3e0c")),
            problems: vec![problem],
        };
        let probe = |vantage, served| Probe {
            name: text("example.net"),
            vantage,
            address: text("192.0.2.7:443"),
            is_told: true,
            is_added: vantage == Vantage::Public,
            at,
            served,
        };
        let silent = Unserved { why: NotServed::Silent, text: text("no answer within 10 s") };
        let probes = vec![probe(Vantage::Loopback, Ok(chain)), probe(Vantage::Public, Err(silent))];
        let down = Unreached {
            why: Why::TimedOut,
            text: text("connection timed out"),
            hint: Some(text("is it up?")),
        };
        let mut fleet = empty();
        let visit =
            |host: &str, outcome, probes| Visit { host: HostName::new(host), at, outcome, probes };
        fleet.apply(visit("web-1", Outcome::Seen(Box::new(seen)), Some(probes)));
        fleet.apply(visit("web-2", Outcome::Unreached(down), None));
        fleet
    }
}
