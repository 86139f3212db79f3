//! Whom a URL means. Only read: whether it may be spoken to is for those to say who would.

/// The server of a URL: its host, with the port if one is told. What stands before an `@` is no
/// host, and perhaps a secret.
pub fn server_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next().filter(|it| !it.is_empty())
}

/// The host of a URL, without the port; an address of version 6 in its brackets.
pub fn host_of(url: &str) -> Option<&str> {
    let server = server_of(url)?;
    let end = match server.find(']') {
        Some(bracket) => bracket + 1,
        None => server.find(':').unwrap_or(server.len()),
    };
    server.get(..end).filter(|it| !it.is_empty())
}

/// Whether a URL leads to no server of this world: its host is one for examples, or invalid
/// (RFC 2606, section 2).
pub fn is_example(url: &str) -> bool {
    let host = host_of(url).unwrap_or_default();
    [".example", ".invalid"].iter().any(|it| host.ends_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_from_servers() {
        for url in ["https://acme.practice.example/directory", "https://a.invalid:14000/dir"] {
            assert!(is_example(url), "{url}");
        }
        for url in ["https://example.net/", "https://a.example.net/.example", "no URL", ""] {
            assert!(!is_example(url), "{url}");
        }
    }

    #[test]
    fn hosts_are_read_as_whoever_asks_there_reads_them() {
        for (url, server, host) in [
            ("https://ca.test/dir", "ca.test", "ca.test"),
            ("https://ca.test:14000/dir", "ca.test:14000", "ca.test"),
            ("https://ca.test", "ca.test", "ca.test"),
            ("https://ca.test?x", "ca.test", "ca.test"),
            ("https://ca.test@other.test/", "other.test", "other.test"),
            ("https://user:word@ca.test:1/x@y", "ca.test:1", "ca.test"),
            ("http://[::1]:14000/dir", "[::1]:14000", "[::1]"),
            ("http://[::1]/", "[::1]", "[::1]"),
        ] {
            assert_eq!((server_of(url), host_of(url)), (Some(server), Some(host)), "{url}");
        }
        for url in ["", "ca.test", "https://", "https:///dir", "https://:443/", "x@y"] {
            assert_eq!(host_of(url), None, "{url}");
        }
    }
}
