//! The configuration file of a connection: what must hold first, then those of the operator's
//! settings that may hold too.
//!
//! What the operator's files say of the terminal, of forwarding, of commands to run or of
//! trusting unknown keys never gets here: only keys on a list do.

use std::fmt::Write as _;
use std::path::Path;

use super::Error;
use super::route::Hop;
use crate::inventory;
use crate::text::SafeText;

/// What `ssh -G` printed: settings with lower-case names, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told(Vec<(String, String)>);

impl Told {
    /// Reads the output of `ssh -G`.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|it| it.split_once(' '));
        Self(lines.map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect())
    }

    /// The same with other values for settings that are given once.
    pub(super) fn with<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, Option<&'a String>)>,
    ) -> Self {
        let mut told = self.clone();
        for (key, value) in values {
            if let Some(value) = value {
                told.0.retain(|it| it.0 != key);
                told.0.push((key.to_owned(), value.clone()));
            }
        }
        told
    }

    /// The value of a setting that is given once.
    pub(super) fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of a setting.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |it| it.0 == key).map(|it| it.1.as_str())
    }

    /// Address and port, as `-W` takes them.
    fn place(&self) -> String {
        let part = |key| self.first(key).unwrap_or_default();
        format!("[{}]:{}", part("hostname"), part("port"))
    }

    /// The name under which its key is known, as `ssh-keygen -R` takes it.
    pub(super) fn known_as(&self) -> String {
        let part = |key| self.first(key).unwrap_or_default();
        match (self.first("hostkeyalias"), part("port")) {
            (Some(alias), _) => alias.to_owned(),
            (None, "22") => part("hostname").to_owned(),
            (None, port) => format!("[{}]:{port}", part("hostname")),
        }
    }

    /// The first of the operator's files of known hosts; ssh prints it with its whole path.
    pub(super) fn known_hosts(&self) -> Option<&Path> {
        let paths = self.first("userknownhostsfile")?;
        let end = paths.match_indices(" /").next().map_or(paths.len(), |it| it.0);
        paths.get(..end).map(Path::new).filter(|it| it.is_absolute())
    }

    /// Address and port, as one string.
    pub(super) fn door(&self) -> String {
        let part = |key| self.first(key).unwrap_or_default();
        format!("{}:{}", part("hostname"), part("port"))
    }
}

/// Writes the configuration of one connection to a host, by way of the jump hosts after it in
/// `hops`. It will be the file `place`, and the ssh of each jump host will write its complaints
/// to the file `said`. `plain` is what ssh does
/// without any configuration: what does not differ from it is left out, because some defaults
/// mean more than their value (without `HostKeyAlgorithms`, ssh prefers the keys it knows).
pub(super) fn write(
    host: &inventory::Host,
    hops: &[Hop],
    plain: &Told,
    place: &Path,
    said: &Path,
) -> Result<String, Error> {
    let mut text = String::from(HARD);
    // Whole seconds, and never 0, which would mean for ever.
    let _ = writeln!(text, "ConnectTimeout {}", host.connect_timeout.as_secs().max(1));
    for (at, hop) in hops.iter().enumerate() {
        let mut block = Block { text: &mut text, hop };
        let _ = writeln!(block.text, "Host {}", alias(at));
        if at + 1 < hops.len() {
            // What ProxyJump would run, but for `-E`: the ssh of a jump host that belongs to a
            // master has no stderr (`ssh_proxy_connect` in sshconnect.c). And why a jump host
            // cannot reach the next is no more than information to ssh.
            let words = [
                "ssh -F".to_owned(),
                shell_word(&place.display().to_string()),
                "-E".to_owned(),
                shell_word(&said.display().to_string()),
                "-o LogLevel=INFO -W".to_owned(),
                shell_word(&hop.told.place()),
                alias(at + 1),
            ];
            let _ = writeln!(block.text, "ProxyCommand {}", words.join(" "));
        }
        block.set("HostName", hop.told.first("hostname").unwrap_or(&hop.name))?;
        for key in ["user", "port"] {
            if let Some(value) = hop.told.first(key) {
                block.set(key, value)?;
            }
        }
        if let Some(file) = &hop.identity_file {
            block.set("IdentityFile", file)?;
            block.set("IdentitiesOnly", "yes")?;
        }
        let is_settled = |key: &str| hop.identity_file.is_some() && key == "identityfile";
        for key in ALLOWED.iter().filter(|it| !is_settled(it)) {
            if !hop.told.all(key).eq(plain.all(key)) {
                for value in hop.told.all(key) {
                    block.set(key, &prefer_known(key, value, plain))?;
                }
            }
        }
        for key in ALLOWED_LISTS {
            if let Some(value) = hop.told.first(key)
                && plain.first(key) != Some(value)
            {
                block.set_list(key, value)?;
            }
        }
    }
    Ok(text)
}

/// What a hop is called in the configuration file, and so on ssh's command line.
pub(super) fn alias(at: usize) -> String {
    if at == 0 { "target".to_owned() } else { format!("jump-{at}") }
}

/// A word for the shell that runs a `ProxyCommand`, in which ssh replaces no token.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''").replace('%', "%%"))
}

struct Block<'a> {
    text: &'a mut String,
    hop: &'a Hop,
}

impl Block<'_> {
    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let value = self.value(key, value)?;
        let _ = writeln!(self.text, "{key} {value}");
        Ok(())
    }

    /// `ssh -G` prints lists of paths with nothing but blanks between, and a path may have some.
    fn set_list(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let mut paths: Vec<String> = Vec::new();
        for word in value.split(' ') {
            match paths.last_mut() {
                Some(path) if !word.starts_with(['/', '~', '%']) => {
                    path.push(' ');
                    path.push_str(word);
                }
                _ => paths.push(word.to_owned()),
            }
        }
        let paths: Result<Vec<_>, _> = paths.iter().map(|it| self.value(key, it)).collect();
        let _ = writeln!(self.text, "{key} {}", paths?.join(" "));
        Ok(())
    }

    fn value(&self, key: &str, value: &str) -> Result<String, Error> {
        if value.chars().any(char::is_control) {
            let said = format!("{key} has a control character in it: {value}");
            return Err(Error::Settings { said: SafeText::new(&said) });
        }
        let value = self.expand(value).replace('\\', "\\\\").replace('"', "\\\"");
        Ok(format!("\"{value}\""))
    }

    /// Replaces the tokens that stand for the name ssh was given, since it is given another.
    fn expand(&self, value: &str) -> String {
        let name = &self.hop.name;
        let key_name = self.hop.told.first("hostkeyalias").unwrap_or(name);
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let mut chars = after.chars();
            match chars.next() {
                Some('n') => out.push_str(name),
                Some('k') => out.push_str(key_name),
                Some(other) => out.extend(['%', other]),
                None => out.push('%'),
            }
            rest = chars.as_str();
        }
        out + rest
    }
}

/// A list of host key algorithms that only adds to the default is written as an addition:
/// otherwise ssh no longer prefers the keys it knows, and a known host looks unknown.
fn prefer_known(key: &str, value: &str, plain: &Told) -> String {
    let added = plain
        .first(key)
        .filter(|_| key == "hostkeyalgorithms")
        .and_then(|it| value.strip_prefix(it)?.strip_prefix(','));
    added.map_or_else(|| value.to_owned(), |it| format!("+{it}"))
}

/// What holds for every connection, jump hosts included. The first value counts in ssh.
const HARD: &str = "\
BatchMode yes
StrictHostKeyChecking yes
UpdateHostKeys no
VerifyHostKeyDNS no
AddKeysToAgent no
ForwardAgent no
ForwardX11 no
PermitLocalCommand no
RemoteCommand none
RequestTTY no
EscapeChar none
Tunnel no
PasswordAuthentication no
KbdInteractiveAuthentication no
ControlMaster no
ControlPath none
ControlPersist 60
ConnectionAttempts 1
ServerAliveInterval 5
ServerAliveCountMax 3
LogLevel ERROR
";

/// Settings of the operator that count, each line of them.
const ALLOWED: &[&str] = &[
    "addressfamily",
    "bindaddress",
    "bindinterface",
    "casignaturealgorithms",
    "certificatefile",
    "ciphers",
    "compression",
    "gssapiauthentication",
    "hostkeyalgorithms",
    "hostkeyalias",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "kexalgorithms",
    "macs",
    "pkcs11provider",
    "pubkeyacceptedalgorithms",
    "requiredrsasize",
    "revokedhostkeys",
    "securitykeyprovider",
    "tcpkeepalive",
];

/// Settings of the operator that count and are lists of paths on one line.
const ALLOWED_LISTS: &[&str] = &["globalknownhostsfile", "userknownhostsfile"];
