//! lego's store: `certificates/NAME.crt` with its `.key`, and whatever starts lego. lego writes no
//! renewal configuration: how a certificate is renewed stands in the command line alone.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::found::folders;
use super::key::known_keys;
use super::need::{self, Needs};
use super::schedule::{self, Watch};
use super::sight::{ASK_KEYS, Sight};
use super::{AbsolutePath, Kind, Reading, Script, Section, Source};
use crate::fleet::{
    Automation, Certificate, ConfHook, DAY, HookStage, Host, Layers, NeedKind, Place, Renewal, Seen,
};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "lego",
    about: "lego's certificates, and the timer or cron line that runs it",
    schema: |generator| generator.subschema_for::<Lego>(),
    build: |table| Ok(Arc::new(table.read::<Lego>()?)),
};

/// Where lego keeps things on a host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Lego {
    /// What `--path` says. Left out, it is looked for: lego has no default but the folder
    /// `.lego` where it was started.
    path: Option<AbsolutePath>,
}

/// Where packages and people have it, the first that is there counts.
const PATHS: [&str; 4] = ["/var/lib/lego", "/root/.lego", "/etc/lego", "/var/lib/acme/.lego"];

/// What starts it. `renew` waits up to 8 minutes where there is no terminal (lego 4.8,
/// `cmd_renew.go`).
const WATCH: Watch = Watch {
    pattern: "(^|[ /;&|(\"])lego +(-|renew|run)",
    units: &["lego.timer", "lego.service", "lego-renew.timer", "lego-renew.service"],
    sleep: 8 * 60,
    no_sleep: "--no-random-sleep",
    only: |_| Vec::new(),
};

impl Source for Lego {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn ask(&self, script: &mut Script, known: &Host) {
        let paths: Vec<_> = match &self.path {
            Some(path) => vec![path.quoted()],
            None => PATHS.iter().map(|it| super::quote(it)).collect(),
        };
        script.push(&known_keys(KIND.name, known));
        script.push(&format!("for c in {}; do", paths.join(" ")));
        script.push("[ -d \"$c/certificates\" ] && break\ndone");
        if self.path.is_none() {
            // Where none is there, the first is the one that is missed.
            script.push(&format!("[ -d \"$c/certificates\" ] || c={}", super::quote(PATHS[0])));
        }
        script.push(ASK);
        schedule::ask(script, &WATCH);
        script.push(need::ASK);
        script.push(NEEDS);
        script.push(ASK_KEYS);
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let sight = Sight::new(&KIND, section, reading);
        let needs = Needs::new(section);
        let started = WATCH.read(section);
        let runs: Vec<_> = started.commands.iter().map(|it| LegoRun::read(it)).collect();
        for path in section.with("cert").map(|it| String::from_utf8_lossy(it.key)) {
            let Some(stem) = path.strip_suffix(".crt") else { continue };
            let name = stem.rsplit('/').next().unwrap_or(stem);
            let mut place = Place::new(KIND.name, SafeText::new(name));
            let disk = sight.chain(&path, &mut place.problems);
            place.layers = Layers { issued: disk.clone(), disk, ..Layers::default() };
            sight.key(&format!("{stem}.key"), &mut place);
            place.renewal = Some(renewal(place.leaf(), name, &runs, &needs));
            seen.places.push(place);
        }
        seen.problems.extend(folders(section));
        let version = section.body("version").and_then(version);
        seen.automation.push(Automation {
            source: KIND.name,
            version,
            is_installed: section.with("version").next().is_some(),
            program: None,
            schedule: started.schedule,
            hooks: Vec::new(),
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        });
    }
}

/// Asks for it.
const ASK: &str = r#"
look "$c/certificates"
set --
for f in "$c"/certificates/*.crt; do
case $f in *.issuer.crt) continue;; *"$NL"*) mark frame state newline "${f%%"$NL"*}"; continue;; esac
[ -e "$f" ] || [ -L "$f" ] || continue
mark frame cert "$f"
want "$f" && set -- "$@" "$Z$f"
[ $# -lt 500 ] || break
done
heads "$@"
K=$(stamps "$c"/certificates/*.key)
mark frame stamps
printf '%s\n' "$K"
if command -v lego >/dev/null; then mark frame version; lego --version; fi
"#;

/// The webroots and hooks of command lines in `$G`, one option a line.
const NEEDS: &str = r#"
X=$(printf '%s\n' "$G" | sed -n -e 's/.*--http[.]webroot[ =]\([^ ]*\).*/p \1/p')
X=$X$NL$(printf '%s\n' "$G" | sed -n -e 's/.*--\(renew\)-hook[ =]\(.*\)/h \2/p' -e 's/.*--\(deploy\)-hook[ =]\(.*\)/h \2/p')
needs
"#;

/// `lego version 4.9.1 linux/amd64`; Debian builds it as `dev`.
fn version(text: &[u8]) -> Option<SafeText> {
    let text = String::from_utf8_lossy(text);
    let version = text.trim().strip_prefix("lego version ")?.split(' ').next()?;
    version.contains('.').then(|| SafeText::capped(version, MAX_VERSION))
}

/// A command line that runs lego.
#[derive(Debug, Default, PartialEq, Eq)]
struct LegoRun {
    /// Whether lego itself is in it, and not a script that runs lego.
    is_plain: bool,
    names: Vec<String>,
    authenticator: Option<String>,
    webroot: Option<String>,
    server: Option<String>,
    hook: Option<String>,
    key_type: Option<String>,
    days: Option<i64>,
}

impl LegoRun {
    fn read(command: &str) -> Self {
        let mut words = words(command).into_iter().peekable();
        let mut run = Self::default();
        while let Some(word) = words.next() {
            if !run.is_plain {
                run.is_plain = word == "lego" || word.ends_with("/lego");
                continue;
            }
            if matches!(word.as_str(), "&&" | "||" | ";" | "|") {
                break;
            }
            let (option, value) = match word.split_once('=') {
                Some((option, value)) if option.starts_with('-') => (option, Some(value)),
                _ => (word.as_str(), None),
            };
            let option = option.trim_start_matches('-').to_owned();
            let mut value =
                || value.map(str::to_owned).or_else(|| words.next_if(|it| !it.starts_with('-')));
            match option.as_str() {
                "d" | "domains" if word.starts_with('-') => run.names.extend(value()),
                "dns" => run.authenticator = value().map(|it| format!("dns-{it}")),
                "http" => run.authenticator = Some("standalone".to_owned()),
                "http.webroot" => run.webroot = value(),
                "tls" => run.authenticator = Some("tls-alpn-01".to_owned()),
                "s" | "server" if word.starts_with('-') => run.server = value(),
                "k" | "key-type" if word.starts_with('-') => run.key_type = value(),
                "renew-hook" | "deploy-hook" => run.hook = value(),
                "days" | "renew-days" => run.days = value().and_then(|it| it.parse().ok()),
                _ => {}
            }
        }
        if run.webroot.is_some() {
            run.authenticator = Some("webroot".to_owned());
        }
        run
    }

    /// Whether it renews the certificate with that file name: lego takes the first of its names
    /// and writes `_` for `*` (lego 4.9, `sanitizedDomain`).
    fn is_for(&self, name: &str) -> bool {
        self.names.first().is_some_and(|it| it.replace('*', "_").eq_ignore_ascii_case(name))
    }
}

/// The words of a command, in quotes or not.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut open = None;
    for c in command.chars().take(MAX_COMMAND) {
        match open {
            Some(quote) if c == quote => open = None,
            None if matches!(c, '"' | '\'') => open = Some(c),
            None if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|it| !it.is_empty());
    words
}

fn renewal(leaf: Option<&Certificate>, name: &str, runs: &[LegoRun], needs: &Needs<'_>) -> Renewal {
    let own = runs.iter().find(|it| it.is_for(name));
    // What a script does, or a line with variables in it, cannot be told from here.
    let is_plain = |it: &LegoRun| {
        it.is_plain && !it.names.is_empty() && it.names.iter().all(|it| !it.contains('$'))
    };
    let is_left_out = own.is_none() && !runs.is_empty() && runs.iter().all(is_plain);
    let none = LegoRun::default();
    let run = own.unwrap_or(&none);
    let text = |it: &Option<String>| it.as_deref().map(SafeText::new);
    let hook = HookStage::Deploy;
    let webroot = run.webroot.as_deref().and_then(|it| needs.path(NeedKind::Webroot, it));
    let program = run.hook.as_deref().and_then(|it| needs.program(NeedKind::Hook(hook), it));
    // 30 days unless said otherwise (lego 4.9, `cmd_renew.go`).
    let days = own.map(|it| it.days.unwrap_or(30)).filter(|it| (0..=3650).contains(it));
    Renewal {
        authenticator: text(&run.authenticator),
        webroot: text(&run.webroot),
        server: text(&run.server),
        key_type: text(&run.key_type),
        is_enabled: !is_left_out,
        is_unattended: run.authenticator.as_deref() != Some("dns-manual"),
        hooks: text(&run.hook)
            .map(|command| ConfHook { stage: hook, command })
            .into_iter()
            .collect(),
        needs: webroot.into_iter().chain(program).collect(),
        planned: leaf.zip(days).map(|(leaf, days)| leaf.not_after.plus(-days * DAY)),
        ..Renewal::default()
    }
}

const MAX_VERSION: usize = 32;

/// Longer than a command line that people write.
const MAX_COMMAND: usize = 8192;

/// Reads a command line for [`super::PARSERS`].
pub(super) fn read_command(bytes: &[u8]) {
    let run = LegoRun::read(&String::from_utf8_lossy(bytes));
    drop(renewal(None, "a", &[run], &Needs::default()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Command lines as its documentation and units of distributions have them.
    const COMMANDS: &str = include_str!("../../tests/fixtures/lego/commands-made.txt");

    fn run(line: usize) -> LegoRun {
        LegoRun::read(COMMANDS.lines().nth(line).unwrap())
    }

    #[test]
    fn command_lines_are_read() {
        let dns = run(0);
        assert_eq!(dns.names, ["*.dns.h002.lab.test", "dns.h002.lab.test"]);
        assert_eq!(dns.authenticator.as_deref(), Some("dns-rfc2136"));
        assert_eq!((dns.days, dns.hook.as_deref()), (Some(20), Some("systemctl reload nginx")));
        assert!(dns.is_for("_.dns.h002.lab.test") && !dns.is_for("dns.h002.lab.test"));
        let webroot = run(1);
        assert_eq!(webroot.authenticator.as_deref(), Some("webroot"));
        assert_eq!(webroot.webroot.as_deref(), Some("/var/www/lego"));
        assert_eq!(webroot.server.as_deref(), Some("https://acme.lab.test:14000/dir"));
        assert!(webroot.is_for("h002.lab.test") && webroot.days.is_none());
        assert!(!run(2).is_plain, "a script may do anything");
    }

    #[test]
    fn a_certificate_that_no_line_names_is_left_out() {
        let needs = Needs::default();
        let enabled = |name: &str, lines: &[usize]| {
            let runs: Vec<_> = lines.iter().map(|it| run(*it)).collect();
            renewal(None, name, &runs, &needs).is_enabled
        };
        assert!(enabled("h002.lab.test", &[0, 1]));
        assert!(!enabled("other.test", &[0, 1]));
        assert!(enabled("other.test", &[0, 2]), "the script may name it");
        assert!(enabled("other.test", &[0, 3]), "the variable may");
        assert!(enabled("other.test", &[]), "nothing is known");
    }

    #[test]
    fn versions_are_read() {
        let read = |text: &[u8]| version(text).map(|it| it.to_string());
        assert_eq!(read(b"lego version 4.9.1 linux/amd64\n").as_deref(), Some("4.9.1"));
        assert_eq!(read(b"lego version dev linux/amd64\n"), None);
        assert_eq!(read(b""), None);
    }
}
