//! A program of the operator: whatever it reaches. It is called as lego calls those of its `exec`
//! provider: `COMMAND present FQDN VALUE`, `COMMAND cleanup FQDN VALUE`, with the last dot.

use std::process::{Output, Stdio};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{Fault, Kind, Provider, Spot, Wanted};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "exec",
    about: "a program of yours: COMMAND present|cleanup FQDN VALUE",
    needs: &["command"],
    takes: &[],
    secret: Wanted::Perhaps("anything: the program finds it in CERTDECK_SECRET"),
    open: |given| {
        let secret = (!given.secret.is_empty()).then(|| Zeroizing::new(given.secret.to_owned()));
        Ok(Box::new(Exec { command: given.needed("command")?.to_owned(), secret }))
    },
};

struct Exec {
    command: String,
    secret: Option<Zeroizing<String>>,
}

impl Exec {
    #[expect(clippy::disallowed_methods, reason = "the inventory names the program to start")]
    async fn call(&self, verb: &str, spot: &Spot) -> Result<(), Fault> {
        let mut command = Command::new("/bin/sh");
        // The command is a line of the inventory and may have arguments; what is added to it is
        // never read by a shell.
        command
            .args(["-c", &format!("{} \"$@\"", self.command), "certdeck"])
            .args([verb, &format!("{}.", spot.owner), &spot.value])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(secret) = &self.secret {
            command.env("CERTDECK_SECRET", secret.as_str());
        }
        let failed = |it: std::io::Error| Fault::failed(&format!("cannot start the program: {it}"));
        let run = async {
            let mut child = command.spawn()?;
            let mut said = Vec::new();
            if let Some(stderr) = child.stderr.take() {
                use tokio::io::AsyncReadExt as _;
                stderr.take(MAX_SAID).read_to_end(&mut said).await?;
            }
            Ok(Output { status: child.wait().await?, stdout: Vec::new(), stderr: said })
        };
        let output = tokio::time::timeout(PATIENCE, run).await.map_err(|_| {
            let text = format!("`{verb}` was not done within {} s", PATIENCE.as_secs());
            Fault::failed(&text)
        })?;
        let Output { status, stderr, .. } = output.map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&stderr);
        let last = said.lines().rfind(|it| !it.trim().is_empty()).unwrap_or_default();
        let mut last = last.to_owned();
        if let Some(secret) = self.secret.as_deref().filter(|it| !it.is_empty()) {
            last = last.replace(secret.as_str(), "***");
        }
        let last = SafeText::capped(last.trim(), 200);
        let text = format!("the program failed at `{verb}` ({status}): {last}");
        Err(Fault::failed(text.trim_end_matches([':', ' '])))
    }
}

impl Provider for Exec {
    fn add<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.call("present", spot).boxed()
    }

    fn remove<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.call("cleanup", spot).boxed()
    }
}

/// A program may wait for its own provider to spread the record.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of what it says, that much is read; who says more is stopped by a closed pipe.
const MAX_SAID: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn spot() -> Spot {
        let [desk, owner, zone] = ["x", "_acme-challenge.a.test", "a.test"].map(str::to_owned);
        Spot { desk, owner, zone, value: "$(id) 'v'".to_owned() }
    }

    async fn call(command: &str) -> Result<(), Fault> {
        let secret = Some(Zeroizing::new("hunter2".to_owned()));
        Exec { command: command.to_owned(), secret }.add(&spot()).await
    }

    #[tokio::test]
    async fn a_program_gets_words_and_not_shell_text() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let shell = format!("sh -c 'printf \"%s|\" \"$@\" $CERTDECK_SECRET > {}' x", out.display());
        call(&shell).await.unwrap();
        let said = std::fs::read(&out).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said, "present|_acme-challenge.a.test.|$(id) 'v'|hunter2|");
    }

    #[tokio::test]
    async fn its_failure_is_told_without_its_secret() {
        let error = call("sh -c 'echo no zone, $CERTDECK_SECRET >&2; exit 3' x").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the program failed at `present` (exit status: 3): no zone, ***"
        );
        let error = call("/nowhere/at/all").await.unwrap_err().to_string();
        assert!(error.contains("exit status: 127"), "{error}");
    }
}
