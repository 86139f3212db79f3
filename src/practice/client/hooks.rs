//! Hooks, as certbot 2.1.0 runs them and tells of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::host::Mouth;
use super::lineage::Lineage;
use crate::practice::words::Voice as _;

/// The hooks of one run: each pre and post hook runs once.
#[derive(Default)]
pub(super) struct Hooks {
    ran: Vec<String>,
    later: Vec<String>,
}

impl Hooks {
    /// Runs pre hooks that have not run yet.
    pub(super) fn pre(&mut self, mouth: &mut Mouth, commands: Vec<String>) {
        for command in commands {
            if !self.ran.contains(&command) {
                run(mouth, "pre-hook", &command, &[]);
                self.ran.push(command);
            }
        }
    }

    /// Remembers post hooks for the end.
    pub(super) fn keep(&mut self, commands: Vec<String>) {
        for command in commands {
            if !self.later.contains(&command) {
                self.later.push(command);
            }
        }
    }

    /// Runs the post hooks.
    pub(super) fn post(&mut self, mouth: &mut Mouth) {
        for command in std::mem::take(&mut self.later) {
            run(mouth, "post-hook", &command, &[]);
        }
    }
}

/// Runs deploy hooks for a lineage; a dry run only says that it would.
pub(super) fn deploy(mouth: &mut Mouth, lineage: &Lineage, commands: &[String], is_trial: bool) {
    let live = lineage.files.live.display().to_string();
    let names = lineage.names.join(" ");
    let mut seen: Vec<&String> = Vec::new();
    for command in commands {
        if is_trial {
            let text = format!("Dry run: skipping deploy hook command: {command}");
            mouth.note("INFO:certbot._internal.hooks", &text);
        } else if !seen.contains(&command) {
            let env = [("RENEWED_DOMAINS", names.as_str()), ("RENEWED_LINEAGE", &live)];
            run(mouth, "deploy-hook", command, &env);
            seen.push(command);
        }
    }
}

/// The scripts of a hook folder, sorted; certbot passes over what may not be executed.
pub(super) fn scripts(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_script = |path: &Path| {
        fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    let paths = entries.flatten().map(|it| it.path()).filter(|it| is_script(it));
    let mut scripts: Vec<_> = paths.map(|it| it.display().to_string()).collect();
    scripts.retain(|it| !it.ends_with('~'));
    scripts.sort_unstable();
    scripts
}

#[expect(clippy::disallowed_methods, reason = "this is the far end, where commands run")]
fn run(mouth: &mut Mouth, kind: &str, command: &str, env: &[(&str, &str)]) {
    mouth.note("INFO:certbot.compat.misc", &format!("Running {kind} command: {command}"));
    let output = Command::new("/bin/sh").arg("-c").arg(command).envs(env.iter().copied()).output();
    let Ok(output) = output else {
        return mouth.warn(WARNING, &format!("Hook '{kind}' reported error code 127"));
    };
    if !output.status.success() {
        // Of a signal, Python makes a negative number.
        let code = output.status.code().unwrap_or(-1);
        mouth.warn(WARNING, &format!("Hook '{kind}' reported error code {code}"));
    }
    if let Some(text) = indented(&output.stdout) {
        mouth.tell(&format!("Hook '{kind}' ran with output:\n{text}"));
    }
    if let Some(text) = indented(&output.stderr) {
        mouth.warn(WARNING, &format!("Hook '{kind}' ran with error output:\n{text}"));
    }
}

fn indented(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.trim().lines().map(|it| format!(" {it}")).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

const WARNING: &str = "WARNING:certbot.display.ops";
