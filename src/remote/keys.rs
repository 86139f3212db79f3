//! Host keys: what a host and the jump hosts before it offer, and how one becomes trusted.
//!
//! The keys are fetched by ssh itself, by the same way as everything else, without logging in.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::config::alias;
use super::folder::write_private;
use super::master::{GRACE, read_head};
use super::route::{Hop, Route, ssh};
use super::{Error, Fault, Key, Sessions};
use crate::audit::Permit;
use crate::inventory::{self, Connection};
use crate::text::SafeText;

/// A key that nobody has said is the right one yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Who offers it: the host's address, or the jump host's name.
    pub name: SafeText,
    /// The name under which it will be known.
    pub known_as: SafeText,
    /// The kind of key, as in `ssh-ed25519`.
    pub kind: SafeText,
    /// Its fingerprint as `ssh-keygen -lf` prints it: `SHA256:…`.
    pub fingerprint: String,
    /// The file to which it will be added.
    pub file: PathBuf,
    line: String,
}

impl Sessions {
    /// Asks the host, and each jump host before it, for a key that is not known yet. `None` if
    /// all are known, or nobody is met on the way; an error if one has changed. Once the offer is trusted, ask again: there
    /// may be another behind it.
    pub async fn unknown_key(&self, host: &inventory::Host) -> Result<Option<Offer>, Error> {
        if host.connection == Connection::Local {
            return Ok(None);
        }
        let route = self.route_to(&Key::of(host), host).await?;
        for at in (0..route.hops.len()).rev() {
            let Some(hop) = route.hops.get(at) else { continue };
            match self.knock(host, &route, at, None).await {
                // Nobody tried to log in, so to be refused means to be past the host key.
                Fault::Authentication => {}
                Fault::UnknownKey => return self.fetch(host, &route, at, hop).await.map(Some),
                fault => return Err(route.fault(at, fault)),
            }
        }
        Ok(None)
    }

    async fn fetch(
        &self,
        host: &inventory::Host,
        route: &Route,
        at: usize,
        hop: &Hop,
    ) -> Result<Offer, Error> {
        let dir = self.folder.session_dir()?;
        let file = dir.path().join("known");
        match self.knock(host, route, at, Some(&file)).await {
            Fault::Authentication => {}
            fault => return Err(route.fault(at, fault)),
        }
        let known = read_head(&file);
        let missing = || route.fault(at, Fault::Other);
        let line = known.lines().next().ok_or_else(missing)?;
        let words: Vec<_> = line.split(' ').collect();
        let [_, kind, key] = words[..] else { return Err(missing()) };
        let bytes = STANDARD.decode(key).map_err(|_| missing())?;
        let target = hop.told.known_hosts().map(Path::to_owned).ok_or_else(missing)?;
        Ok(Offer {
            name: SafeText::new(&hop.name),
            known_as: SafeText::new(&hop.told.known_as()),
            kind: SafeText::new(kind),
            fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes))),
            file: target,
            line: line.to_owned(),
        })
    }

    /// Connects to one hop without logging in there. With `learn`, any key is taken and written
    /// to that file.
    async fn knock(
        &self,
        host: &inventory::Host,
        route: &Route,
        at: usize,
        learn: Option<&Path>,
    ) -> Fault {
        let outcome = async {
            let dir = self.folder.session_dir()?;
            let [config, said] = ["config", "said"].map(|it| dir.path().join(it));
            let problem = |source| Error::Folder { path: dir.path().to_owned(), source };
            write_private(&config, &route.config(&config, &said)?).map_err(problem)?;
            let file = OpenOptions::new().append(true).create(true).open(&said).map_err(problem)?;
            let mut ssh = ssh();
            ssh.arg("-F").arg(&config).args(["-o", "PreferredAuthentications=none"]);
            if let Some(learn) = learn {
                let hashed = route.hops.get(at).and_then(|it| it.told.first("hashknownhosts"));
                ssh.args(["-o", "StrictHostKeyChecking=accept-new"])
                    .args(["-o", "GlobalKnownHostsFile=/dev/null"])
                    .arg("-o")
                    .arg(format!("HashKnownHosts={}", hashed.unwrap_or("no")))
                    .arg("-o")
                    .arg(format!("UserKnownHostsFile=\"{}\"", learn.display()));
            }
            let mut child =
                ssh.args(["-T", "-N"]).arg(alias(at)).stderr(file).spawn().map_err(Error::Start)?;
            let waited = timeout(host.connect_timeout + GRACE, child.wait()).await;
            if waited.is_err() {
                // Somebody who lets us in without any key has shown the key as well.
                let is_in = learn.is_some_and(Path::exists);
                return Ok(if is_in { Fault::Authentication } else { Fault::TimedOut });
            }
            Ok::<_, Error>(super::words::connecting(&read_head(&said), route.hops.len()).1)
        };
        outcome.await.unwrap_or(Fault::Other)
    }
}

/// Adds a key to the operator's file of known hosts, as ssh would have done it.
///
/// The permit is the proof that this is on record.
pub fn trust(offer: &Offer, _permit: &Permit) -> Result<(), Error> {
    append_line(&offer.file, &offer.line)
        .map_err(|source| Error::KnownHosts { path: offer.file.clone(), source })
}

fn append_line(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // A last line without its end would swallow ours.
    let mut last = [b'\n'];
    if fs::metadata(path)?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let start = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{start}{line}\n").as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_added_whole() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("ssh/known_hosts");
        append_line(&path, "a ssh-ed25519 AAAA").unwrap();
        append_line(&path, "b ssh-ed25519 BBBB").unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"no end").unwrap();
        append_line(&path, "c ssh-ed25519 CCCC").unwrap();
        let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        assert_eq!(text, "a ssh-ed25519 AAAA\nb ssh-ed25519 BBBB\nno end\nc ssh-ed25519 CCCC\n");
    }
}
