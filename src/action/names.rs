//! Names to order a certificate for, as somebody types them.

use super::{Refusal, Why};
use crate::text::SafeText;

/// Reads names with commas or spaces between them, in the order in which they stand.
pub(super) fn read(text: &str) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    for word in text.split([',', ' ']).filter(|it| !it.is_empty()) {
        let name = word.to_ascii_lowercase();
        if let Some(why) = fault(&name) {
            let text = format!("`{}` cannot be ordered: {why}", SafeText::new(word));
            return Err(Refusal::new(Why::BadRequest, text));
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let bad = |text: String| Err(Refusal::new(Why::BadRequest, text));
    if names.is_empty() {
        return bad("there is no name to order for".to_owned());
    }
    if names.len() > MAX_NAMES {
        return bad(format!(
            "{} names are more than a certificate may have ({MAX_NAMES})",
            names.len()
        ));
    }
    let covered = names.iter().find(|name| {
        let parent = name.split_once('.').map_or("", |it| it.1);
        !name.starts_with("*.") && names.iter().any(|it| it.strip_prefix("*.") == Some(parent))
    });
    match covered {
        Some(name) => {
            bad(format!("{name} is covered by a wildcard among them, and the CA refuses both"))
        }
        None => Ok(names),
    }
}

/// Why a CA would not take the name.
fn fault(name: &str) -> Option<&'static str> {
    if !name.is_ascii() {
        return Some("give its ASCII form, which begins with xn--");
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Some("it is an address");
    }
    let base = name.strip_prefix("*.").unwrap_or(name);
    if base.contains('*') {
        return Some("a wildcard stands for the first label alone");
    }
    // RFC 1035, section 2.3.4, and the letters of RFC 1123, section 2.1.
    if name.len() > 253 || base.split('.').any(|it| it.is_empty() || it.len() > 63) {
        return Some("a name has at most 253 characters, and each label 1 to 63");
    }
    if !base.bytes().all(|it| it.is_ascii_alphanumeric() || b"-.".contains(&it)) {
        return Some("names have letters, digits, dashes and dots");
    }
    if base.split('.').any(|it| it.starts_with('-') || it.ends_with('-')) {
        return Some("a label neither begins nor ends with a dash");
    }
    (!base.contains('.')).then_some("it has no dot")
}

/// Let's Encrypt, profile classic (letsencrypt.org/docs/profiles, 2026-07-14).
const MAX_NAMES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        assert_eq!(read(text).unwrap(), expect);
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let told = read(text).unwrap_err().text;
        assert!(told.contains(why), "{told}");
    }

    #[test]
    fn names_are_read_in_their_order() {
        check("www.example.net, example.net", &["www.example.net", "example.net"]);
        check("WWW.Example.NET,www.example.net", &["www.example.net"]);
        check("*.example.net,example.net", &["*.example.net", "example.net"]);
        check("xn--bcher-kva.example", &["xn--bcher-kva.example"]);
    }

    #[test]
    fn what_no_ca_takes_is_refused() {
        refused("", "no name");
        refused(" , ", "no name");
        refused("bücher.example", "xn--");
        refused("-oProxy.example", "begins nor ends");
        refused("--server=x.example", "letters, digits");
        refused("192.0.2.1", "an address");
        refused("localhost", "no dot");
        refused("a..example", "1 to 63");
        refused("a.example.", "1 to 63");
        refused("www.*.example", "first label alone");
        refused("a_b.example", "letters, digits");
        refused(&format!("{}.example", "a".repeat(64)), "1 to 63");
        refused("*.example.net,www.example.net", "covered by a wildcard");
        let many: Vec<_> = (0..101).map(|it| format!("n{it}.example.net")).collect();
        refused(&many.join(","), "101 names");
    }
}
