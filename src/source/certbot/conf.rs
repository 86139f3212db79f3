//! certbot's renewal configurations: the subset of `ConfigObj` that certbot writes. Tolerant where
//! a value is concerned; what makes certbot refuse the whole file is told.

use crate::fleet::{ConfHook, DAY, HOUR, HookStage, Need, NeedKind, Renewal};
use crate::source::need::Needs;
use crate::text::SafeText;

/// A renewal configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conf {
    entries: Vec<Entry>,
    /// Why certbot cannot use it.
    pub(super) fault: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    section: Part,
    key: String,
    value: String,
}

/// The parts of the file that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Top,
    Params,
    /// `[[webroot_map]]`: names and the folders for them.
    Webroots,
    Other,
}

impl Conf {
    /// Reads a file, or as much of it as makes sense.
    pub(super) fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut conf = Self::default();
        let mut part = Part::Top;
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                part = match name.split(']').next().unwrap_or_default().trim() {
                    "renewalparams" => Part::Params,
                    "[webroot_map" => Part::Webroots,
                    _ => Part::Other,
                };
            } else if let Some((key, value)) = line.split_once('=') {
                conf.add(part, unquote(key), value);
            } else if conf.fault.is_none() {
                conf.fault = Some(format!("line {} is neither a setting nor a section", index + 1));
            }
        }
        conf.fault = conf.fault.take().or_else(|| conf.missing());
        conf
    }

    fn add(&mut self, section: Part, key: String, value: &str) {
        if self.find(section, &key).is_some() && matches!(section, Part::Top | Part::Params) {
            // ConfigObj refuses the whole file.
            self.fault.get_or_insert_with(|| format!("`{key}` is set twice"));
        }
        // Far more than certbot writes; a file of 256 KiB cannot make a long list of it.
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(Entry { section, key, value: unquote(value) });
        }
    }

    /// What certbot's own checks say (certbot 2.1.0, `storage.RenewableCert.__init__` and
    /// `renewal.reconstitute`).
    fn missing(&self) -> Option<String> {
        let absent = KINDS.iter().find(|it| self.path(it).is_none());
        if let Some(kind) = absent {
            return Some(format!("it is missing a required file reference: `{kind}`"));
        }
        if !self.entries.iter().any(|it| it.section == Part::Params) {
            return Some("it has no [renewalparams]".to_owned());
        }
        self.param("authenticator").is_none().then(|| "it names no authenticator".to_owned())
    }

    fn find(&self, section: Part, key: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|it| it.section == section && it.key == key)?;
        Some(&entry.value)
    }

    /// A path at the top of the file: `fullchain`, `privkey`, `archive_dir`.
    pub(super) fn path(&self, key: &str) -> Option<&str> {
        self.find(Part::Top, key).filter(|it| it.starts_with('/'))
    }

    fn param(&self, key: &str) -> Option<&str> {
        self.find(Part::Params, key).filter(|it| !it.is_empty() && *it != "None")
    }

    /// What a renewal needs on the host, as far as the way it proves control uses it; a
    /// configuration keeps what an earlier one used.
    pub(super) fn needs(&self, found: &Needs<'_>) -> Vec<Need> {
        let authenticator = self.param("authenticator").unwrap_or_default();
        let mut needs: Vec<Need> = Vec::new();
        if authenticator == "webroot" {
            let map = self.entries.iter().filter(|it| it.section == Part::Webroots);
            let mut folders: Vec<_> = map.map(|it| it.value.as_str()).collect();
            if folders.is_empty() {
                folders.extend(self.param("webroot_path").into_iter().flat_map(|it| it.split(',')));
            }
            folders.sort_unstable();
            folders.dedup();
            let folders = folders.into_iter().map(str::trim).filter(|it| !it.is_empty());
            needs.extend(folders.filter_map(|it| found.path(NeedKind::Webroot, it)));
        } else if authenticator.starts_with("dns-") {
            let key = format!("{}_credentials", authenticator.replace('-', "_"));
            let path = self.param(&key);
            needs.extend(path.and_then(|it| found.path(NeedKind::Credentials, it)));
        } else if authenticator == "manual" {
            let hooks = ["manual_auth_hook", "manual_cleanup_hook"].map(|it| self.param(it));
            let hooks = hooks.into_iter().flatten();
            needs.extend(hooks.filter_map(|it| found.program(NeedKind::ProofHook, it)));
        }
        for (stage, command) in self.hooks() {
            needs.extend(found.program(NeedKind::Hook(stage), command));
        }
        needs.truncate(MAX_NEEDS);
        needs
    }

    /// The commands of its own, with their stages.
    fn hooks(&self) -> impl Iterator<Item = (HookStage, &str)> {
        HOOKS.iter().filter_map(|(stage, key)| Some((*stage, self.param(key)?)))
    }

    /// How long before its end it is renewed, in seconds, if the file says so: a number and a unit,
    /// as in `30 days` (certbot reads more with `parsedatetime`, and writes no more).
    pub(super) fn renews_before(&self) -> Option<i64> {
        let mut words = self.find(Part::Top, "renew_before_expiry")?.split_whitespace();
        let count: i64 = words.next()?.parse().ok()?;
        let unit = match words.next()?.trim_end_matches('s') {
            "hour" => HOUR,
            "day" => DAY,
            "week" => 7 * DAY,
            _ => return None,
        };
        count.checked_mul(unit)
    }

    /// How the certificate would be renewed.
    pub(super) fn renewal(&self) -> Renewal {
        let text = |key| self.param(key).map(SafeText::new);
        let hooks = self
            .hooks()
            .map(|(stage, command)| ConfHook { stage, command: SafeText::new(command) })
            .collect();
        let is_manual = self.param("authenticator") == Some("manual");
        // certbot looked for it at the top of the file before version 2, and in the parameters
        // since.
        let autorenew = self.param("autorenew").or_else(|| self.find(Part::Top, "autorenew"));
        Renewal {
            authenticator: text("authenticator"),
            webroot: text("webroot_path").filter(|it| !it.as_str().contains(',')),
            installer: text("installer"),
            server: text("server"),
            account: text("account"),
            key_type: text("key_type"),
            client_version: self.find(Part::Top, "version").map(SafeText::new),
            is_enabled: !autorenew.is_some_and(is_false),
            is_unattended: !is_manual || self.param("manual_auth_hook").is_some(),
            hooks,
            ..Renewal::default()
        }
    }
}

/// The settings that hold hooks; certbot writes the second for `--deploy-hook`.
const HOOKS: [(HookStage, &str); 4] = [
    (HookStage::Pre, "pre_hook"),
    (HookStage::Deploy, "renew_hook"),
    (HookStage::Deploy, "deploy_hook"),
    (HookStage::Post, "post_hook"),
];

/// The four files of a lineage, by the names of their settings.
pub(super) const KINDS: [&str; 4] = ["cert", "privkey", "chain", "fullchain"];

/// What `ConfigObj.as_bool` takes for no.
fn is_false(value: &str) -> bool {
    ["false", "no", "off", "0"].iter().any(|it| value.eq_ignore_ascii_case(it))
}

/// A value without the quotes around it, or a list without the comma at its end; a comment after
/// a value in quotes is dropped.
fn unquote(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|it| it.split_once(quote)) {
            return inner.to_owned();
        }
    }
    value.split(" #").next().unwrap_or(value).trim_end().trim_end_matches(',').to_owned()
}

const MAX_ENTRIES: usize = 500;

/// A certificate of 100 names may have as many webroots.
const MAX_NEEDS: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_before_the_end_is_read() {
        let check = |line: &str, expect| {
            let conf = Conf::read(format!("{line}\n[renewalparams]\n").as_bytes());
            assert_eq!(conf.renews_before(), expect, "{line}");
        };
        check("renew_before_expiry = 2 days", Some(2 * DAY));
        check("renew_before_expiry = 36 hours", Some(36 * HOUR));
        check("renew_before_expiry = 1 week", Some(7 * DAY));
        check("# renew_before_expiry = 30 days", None);
        check("renew_before_expiry = soon", None);
        check("renew_before_expiry = 9223372036854775807 days", None);
    }

    const WEBROOT: &[u8] =
        include_bytes!("../../../tests/fixtures/certbot/renewal-webroot-2.1.0-debian12.conf");
    const STANDALONE: &[u8] =
        include_bytes!("../../../tests/fixtures/certbot/renewal-standalone-2.1.0-debian12.conf");

    #[test]
    fn what_certbot_wrote_is_read() {
        let conf = Conf::read(WEBROOT);
        assert_eq!(conf.fault, None);
        assert_eq!(
            conf.path("fullchain"),
            Some("/etc/letsencrypt/live/shop.h001.lab.test/fullchain.pem")
        );
        let renewal = conf.renewal();
        let text = |it: &Option<SafeText>| it.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(text(&renewal.authenticator), "webroot");
        assert_eq!(text(&renewal.server), "https://acme.lab.test:14000/dir");
        assert_eq!(text(&renewal.client_version), "2.1.0");
        assert_eq!(renewal.hooks[0].command, "echo issued $RENEWED_LINEAGE");
        assert_eq!(renewal.hooks[0].stage, HookStage::Deploy);
        assert!(renewal.is_enabled && renewal.is_unattended);
        assert_eq!(Conf::read(STANDALONE).fault, None);
    }

    #[track_caller]
    fn check_fault(change: impl Fn(&str) -> String, expect: &str) {
        let text = change(std::str::from_utf8(STANDALONE).unwrap());
        let fault = Conf::read(text.as_bytes()).fault.unwrap_or_default();
        assert!(fault.contains(expect), "{fault}");
    }

    #[test]
    fn what_certbot_refuses_is_told() {
        check_fault(|_| String::new(), "`cert`");
        check_fault(|it| it.replace("privkey =", "# privkey ="), "`privkey`");
        check_fault(|it| it.replace("[renewalparams]", "[other]"), "no [renewalparams]");
        check_fault(|it| it.replace("authenticator = standalone", ""), "no authenticator");
        check_fault(|it| format!("{it}\ngarbage\n"), "neither a setting nor a section");
        check_fault(|it| format!("{it}\nserver = x\n"), "set twice");
    }

    #[track_caller]
    fn check(line: &str, expect: impl Fn(&Renewal) -> bool) {
        let text = String::from_utf8_lossy(STANDALONE).replace("key_type = ecdsa", line);
        let renewal = Conf::read(text.as_bytes()).renewal();
        assert!(expect(&renewal), "{renewal:?}");
    }

    #[test]
    fn settings_mean_what_they_mean_to_certbot() {
        check("autorenew = False", |it| !it.is_enabled);
        check("autorenew = True", |it| it.is_enabled);
        check("key_type = 'rsa'  # comment", |it| *it.key_type.as_ref().unwrap() == "rsa");
        check("webroot_path = /var/www/html,", |it| {
            *it.webroot.as_ref().unwrap() == "/var/www/html"
        });
        check("webroot_path = /var/www/html, /srv/www", |it| it.webroot.is_none());
        check("key_type = \"ecdsa\"", |it| *it.key_type.as_ref().unwrap() == "ecdsa");
        check("installer = None", |it| it.installer.is_none());
        check("post_hook = \"a, b = c\"", |it| it.hooks[0].command == "a, b = c");
        let is_unattended = |extra: &str| {
            let text = String::from_utf8_lossy(STANDALONE).replace("= standalone", "= manual");
            Conf::read(format!("{text}\n{extra}\n").as_bytes()).renewal().is_unattended
        };
        assert!(!is_unattended(""));
        assert!(is_unattended("manual_auth_hook = /etc/hook"));
    }
}
