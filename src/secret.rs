//! Secrets, from where the inventory says that they are. What is read has no way into a text, a
//! log or a file: it is lent to whoever signs with it, and wiped.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::audit;
use crate::inventory::SecretPlace;
use crate::text::SafeText;

/// Something that must not be shown or written. Neither `Debug` nor `Display`, so that no
/// message can hold it by mistake; wiped when it is dropped.
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why there is no secret: never with a word of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub SafeText);

impl Secret {
    /// Reads it from its place. `whose` says in messages what it is for: `dns zone-main`.
    ///
    /// # Errors
    /// Where it is not there, where others could read it, or where it is larger than any secret.
    pub async fn read(place: &SecretPlace, whose: &str) -> Result<Self, Error> {
        let read = match place {
            SecretPlace::Command(command) => of_command(command).await,
            SecretPlace::Env(name) => of_variable(name),
            SecretPlace::File(file) => of_file(&local(file)),
        };
        let secret = read.map_err(|why| Error(SafeText::new(&format!("{whose}: {why}"))))?;
        if secret.0.is_empty() {
            let why = format!("{whose}: the secret in {} is empty", name_of(place));
            return Err(Error(SafeText::new(&why)));
        }
        Ok(secret)
    }

    /// All of it, without blanks at its end: a file may hold more than one line.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its first line, without blanks around it: what `pass show` and its like print for a
    /// password.
    pub fn line(&self) -> &[u8] {
        self.0.split(|it| *it == b'\n').next().unwrap_or_default().trim_ascii()
    }

    /// What the audit log has to know so that it never writes it down.
    pub fn guard(&self) -> audit::Secret {
        audit::Secret::new(self.line())
    }

    fn new(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        let length = bytes.trim_ascii_end().len();
        bytes.truncate(length);
        Self(bytes)
    }
}

fn of_file(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let cannot = |it: std::io::Error| format!("cannot read {shown}: {it}");
    // A pipe would let us wait for whoever writes into it.
    if !path.metadata().map_err(cannot)?.is_file() {
        return Err(format!("{shown} is no file"));
    }
    let file = File::open(path).map_err(cannot)?;
    let found = file.metadata().map_err(cannot)?;
    if found.mode() & 0o077 != 0 {
        return Err(format!("others can read {shown}: chmod 600 {shown}"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(LIMIT).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("{shown} is too large for a secret"));
    }
    Ok(Secret::new(bytes))
}

#[expect(clippy::disallowed_methods, reason = "the inventory names the variable of a secret")]
fn of_variable(name: &str) -> Result<Secret, String> {
    use std::os::unix::ffi::OsStringExt as _;
    let value = std::env::var_os(name);
    let value = value.ok_or_else(|| format!("the environment has no variable {name}"))?;
    Ok(Secret::new(Zeroizing::new(value.into_vec())))
}

/// What a command prints. What it says to stderr is not shown: secrets have been seen there.
#[expect(clippy::disallowed_methods, reason = "the inventory names the command of a secret")]
async fn of_command(command: &str) -> Result<Secret, String> {
    let run = async {
        let mut child = tokio::process::Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|it| format!("cannot start the command of the secret: {it}"))?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
        if let Some(out) = child.stdout.take() {
            let read = out.take(LIMIT).read_to_end(&mut bytes).await;
            read.map_err(|it| format!("cannot read what the command of the secret prints: {it}"))?;
        }
        if bytes.len() > MAX_BYTES {
            return Err("the command of the secret prints too much for one".to_owned());
        }
        let ended = child.wait().await;
        let ended = ended.map_err(|it| format!("the command of the secret was lost: {it}"))?;
        if ended.success() {
            Ok(Secret::new(bytes))
        } else {
            Err(format!("the command of the secret failed ({ended}): run it by hand to see why"))
        }
    };
    let late =
        |_| format!("the command of the secret printed none within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, run).await.map_err(late)?
}

/// A path of this machine, as the inventory has it: `~` at its beginning is the home folder.
pub fn local(file: &str) -> PathBuf {
    match (file.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(file),
    }
}

fn name_of(place: &SecretPlace) -> String {
    match place {
        SecretPlace::Command(_) => "the output of its command".to_owned(),
        SecretPlace::Env(name) => format!("the variable {name}"),
        SecretPlace::File(file) => file.clone(),
    }
}

/// The largest secrets are the JSON files of cloud accounts: three kilobytes.
const MAX_BYTES: usize = 64 * 1024;
/// One more than is taken.
const LIMIT: u64 = 64 * 1024 + 1;
/// A person may have to touch a key or type a PIN for it.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write secrets")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn read(place: SecretPlace) -> Result<Vec<u8>, String> {
        let secret = Secret::read(&place, "dns zone-main").await;
        secret.map(|it| it.bytes().to_vec()).map_err(|it| it.to_string())
    }

    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "hunter2\nand more\n\n").unwrap();
        let place = SecretPlace::File(path.to_str().unwrap().to_owned());
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let got = read(place.clone()).await;
            assert_eq!(got.is_ok(), is_fine, "{mode:o}: {got:?}");
            if let Err(error) = got {
                assert!(error.contains("chmod 600") && !error.contains("hunter2"), "{error}");
            }
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(place.clone()).await.unwrap(), b"hunter2\nand more");
        let secret = Secret::read(&place, "x").await.unwrap();
        assert_eq!(secret.line(), b"hunter2");
        fs::write(&path, vec![b'x'; MAX_BYTES + 1]).unwrap();
        assert!(read(place.clone()).await.unwrap_err().contains("too large"));
        fs::write(&path, "\n").unwrap();
        assert!(read(place).await.unwrap_err().contains("is empty"));
        for path in ["/dev/zero", "/", "/nowhere/at/all"] {
            assert!(read(SecretPlace::File(path.to_owned())).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_command_prints_it_or_fails_without_a_word_of_it() {
        let command = |it: &str| SecretPlace::Command(it.to_owned());
        assert_eq!(read(command("echo ' hunter2 '")).await.unwrap(), b" hunter2");
        let error = read(command("echo hunter2; echo hunter2 >&2; exit 3")).await.unwrap_err();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
        assert!(read(command("yes")).await.unwrap_err().contains("too much"));
        assert!(read(command("true")).await.unwrap_err().contains("is empty"));
    }

    #[tokio::test]
    async fn a_variable_holds_it_or_is_not_there() {
        let variable = |it: &str| SecretPlace::Env(it.to_owned());
        assert!(!read(variable("PATH")).await.unwrap().is_empty());
        let error = read(variable("CERTDECK_NO_SUCH_VARIABLE")).await.unwrap_err();
        assert_eq!(
            error,
            "dns zone-main: the environment has no variable CERTDECK_NO_SUCH_VARIABLE"
        );
    }
}
