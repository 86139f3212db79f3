//! The hosts of an `ssh_config(5)`. ssh reads that file itself, so the name is all that is taken:
//! as the address, it brings host name, port, user, key and jump hosts with it.

use super::{Imported, ImportedHost, Kind, MAX_HOSTS};
use crate::inventory::grammar::{Grammar as _, HostText};

pub(super) const KIND: Kind =
    Kind { name: "ssh-config", about: "hosts of an ssh_config file", read };

fn read(text: &str) -> Imported {
    let mut imported = Imported::default();
    let mut block: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let Some((keyword, rest)) = keyword(line) else { continue };
        match keyword.to_ascii_lowercase().as_str() {
            "host" => {
                finish(block.take(), &mut imported);
                match words(rest) {
                    Some(names) => block = Some(Block { line: number, names, is_one: false }),
                    None => imported.skip(Some(number), "a quote is never closed"),
                }
            }
            "match" => {
                finish(block.take(), &mut imported);
                imported.skip(Some(number), "`Match` names conditions, not hosts");
            }
            "include" => {
                let text = format!("`Include {rest}` is not followed: import that file too");
                imported.skip(Some(number), &text);
            }
            "hostname" => {
                if let Some(block) = &mut block {
                    // `%h` is the name itself: one setting for several machines.
                    block.is_one |= !rest.contains("%h");
                }
            }
            _ => {}
        }
    }
    finish(block, &mut imported);
    imported
}

/// One `Host` line and what follows it.
struct Block {
    line: usize,
    names: Vec<String>,
    /// Whether all names are for one machine.
    is_one: bool,
}

fn finish(block: Option<Block>, imported: &mut Imported) {
    let Some(Block { line, names, is_one }) = block else { return };
    let mut taken: Option<String> = None;
    for name in names {
        if name.contains(['*', '?', '!']) {
            imported.skip(Some(line), &format!("`{name}` is a pattern, not a host"));
        } else if let Some(fault) = HostText::fault(&name) {
            imported.skip(Some(line), &format!("`{name}`: {fault}"));
        } else if let Some(first) = taken.as_ref().filter(|_| is_one) {
            let text = format!("`{name}` is the same machine as `{first}`");
            imported.skip(Some(line), &text);
        } else if imported.hosts.iter().any(|it| it.name == name) {
            // Later blocks for the same name only add settings.
        } else if imported.hosts.len() >= MAX_HOSTS {
            imported.skip(Some(line), &format!("`{name}` is one host too many"));
            return;
        } else {
            taken = Some(name.clone());
            imported.hosts.push(ImportedHost { name, ..ImportedHost::default() });
        }
    }
}

/// The keyword of a line and the rest, which may follow a `=`.
fn keyword(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let (keyword, rest) = line.split_at_checked(end)?;
    if keyword.starts_with('#') {
        return None;
    }
    let rest = rest.trim_start();
    Some((keyword, rest.strip_prefix('=').unwrap_or(rest).trim()))
}

/// The words of a line, without their quotes; a `#` at the beginning of a word ends the line.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, names: &[&str], skipped: &[&str]) {
        let imported = read(text);
        let found: Vec<_> = imported.hosts.iter().map(|it| it.name.as_str()).collect();
        let notes: Vec<_> = imported.skipped.iter().map(ToString::to_string).collect();
        assert_eq!(
            (found.as_slice(), notes),
            (names, skipped.iter().map(|it| (*it).into()).collect())
        );
    }

    #[test]
    fn names_of_hosts_are_taken() {
        check("Host web-01\n  HostName 10.0.0.1\n  Port 2222\n", &["web-01"], &[]);
        check("host=a\nHOST = b\nHost\t\"c\" d # e\n# Host f\n", &["a", "b", "c", "d"], &[]);
        check("Host a\nHost a b\n", &["a", "b"], &[]);
        check("User root\n\nPort\n", &[], &[]);
    }

    #[test]
    fn several_names_with_one_host_name_are_one_machine() {
        check(
            "Host web web.example.net\n  HostName 10.0.0.1\n",
            &["web"],
            &["line 1: `web.example.net` is the same machine as `web`"],
        );
        check("Host a b\n  HostName %h.example.net\n", &["a", "b"], &[]);
        check("Host a b\n  User root\n", &["a", "b"], &[]);
    }

    #[test]
    fn what_is_no_host_is_said() {
        check(
            "Include conf.d/*\nHost * !bastion a\nMatch user root\n  HostName x\nHost \"b\nHost -o",
            &["a"],
            &[
                "line 1: `Include conf.d/*` is not followed: import that file too",
                "line 2: `*` is a pattern, not a host",
                "line 2: `!bastion` is a pattern, not a host",
                "line 3: `Match` names conditions, not hosts",
                "line 5: a quote is never closed",
                "line 6: `-o`: a host name cannot begin with `-`: ssh would take it for an option",
            ],
        );
    }
}
