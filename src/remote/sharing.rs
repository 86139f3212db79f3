//! Which hosts get the same answer from `ssh -G`, so that it need not be asked for each: the
//! question costs about as much as a tenth of a whole connection.
//!
//! Only what is certain is shared. It is certain for two hosts that no `Host` line names, in a
//! configuration in which nothing else depends on the host.

use std::fs;
use std::path::Path;

/// What a configuration says about hosts in particular.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Every answer may be different.
    Never,
    /// Answers differ only for hosts that fit one of these patterns.
    Unless(Vec<String>),
}

impl Sharing {
    /// Reads the files that ssh will read. One that is missing says nothing.
    pub(super) fn of_files<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut patterns = Vec::new();
        for path in paths {
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(_) => return Self::Never,
            };
            match Self::of_text(&String::from_utf8_lossy(&bytes)) {
                Self::Never => return Self::Never,
                Self::Unless(more) => patterns.extend(more),
            }
        }
        Self::Unless(patterns)
    }

    fn of_text(text: &str) -> Self {
        let mut patterns = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            let end = line.find(|it: char| it.is_whitespace() || it == '=').unwrap_or(line.len());
            let (key, value) = line.split_at_checked(end).unwrap_or_default();
            let value = value.trim_start_matches(|it: char| it.is_whitespace() || it == '=');
            match key.to_ascii_lowercase().as_str() {
                "match" | "canonicalizehostname" => return Self::Never,
                "include" if !leads_nowhere(value) => return Self::Never,
                // The one setting whose tokens `ssh -G` replaces.
                "hostname" if value.contains('%') => return Self::Never,
                "host" => patterns.extend(
                    value
                        .split_whitespace()
                        .map(|it| it.trim_matches('"').trim_start_matches('!').to_lowercase())
                        .filter(|it| it != "*"),
                ),
                _ => {}
            }
        }
        Self::Unless(patterns)
    }

    /// Whether this host gets the same answer as every other one that does.
    pub(super) fn covers(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        match self {
            Self::Never => false,
            Self::Unless(patterns) => {
                !patterns.iter().any(|it| fits(it.as_bytes(), host.as_bytes()))
            }
        }
    }
}

/// Whether an `Include` is of the form `FOLDER/*.conf` and there is no such file, as Debian
/// installs it.
fn leads_nowhere(value: &str) -> bool {
    let Some(folder) = value.trim().strip_suffix("/*.conf").map(Path::new) else { return false };
    let is_conf = |it: fs::DirEntry| it.path().extension().is_some_and(|it| it == "conf");
    match fs::read_dir(folder) {
        Ok(entries) => folder.is_absolute() && !entries.flatten().any(is_conf),
        Err(error) => folder.is_absolute() && error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Whether a text fits a pattern with `*` and `?`.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => fits(rest, text),
        (Some((b'*', rest)), Some((_, after))) => fits(rest, text) || fits(pattern, after),
        (Some((b'?', rest)), Some((_, after))) => fits(rest, after),
        (Some((one, rest)), Some((other, after))) => one == other && fits(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, is_shared: bool) {
        assert_eq!(Sharing::of_text(text).covers(host), is_shared, "{text}");
    }

    #[test]
    fn hosts_that_nothing_names_share_an_answer() {
        check("", "web-01", true);
        check("# Host web-01\nHost *\n  User deploy\n", "web-01", true);
        check("Host db-*\n  User dba\n", "web-01", true);
        check("Include /nowhere/at/all/*.conf\n", "web-01", true);
    }

    #[test]
    fn whatever_depends_on_the_host_is_asked_for() {
        check("Host web-??\n  User deploy\n", "WEB-01", false);
        check("host=web-01\n", "web-01", false);
        check("Host \"web-01\" x\n", "web-01", false);
        check("Host * !web-01\n", "web-01", false);
        check("Match host x\n", "web-01", false);
        check("Include other\n", "web-01", false);
        check("HostName %h.example.net\n", "web-01", false);
        check("CanonicalizeHostname yes\n", "web-01", false);
    }
}
