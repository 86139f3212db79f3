//! PEM text to a chain, and what is wrong with the text. As tolerant as openssl and no more:
//! what a service could not load must not look fine here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;

use super::found::problem;
use super::script::HEAD_BYTES;
use crate::fleet::{Certificate, Chain, Problem, ProblemKind, Roots};

/// Reads what a file holds: the leaf first, then its chain. Problems are added with the path.
pub(super) fn read_chain(
    path: &str,
    text: &[u8],
    roots: &Roots,
    problems: &mut Vec<Problem>,
) -> Option<Arc<Chain>> {
    let mut complain = |kind, what: &str| problems.push(problem(kind, what, path.as_bytes()));
    if text.is_empty() {
        complain(ProblemKind::Empty, "is empty");
        return None;
    }
    if text.starts_with(b"#text\n#full\n") {
        complain(ProblemKind::TooLarge, "is not read: there are too many");
        return None;
    }
    let is_cut = text.len() >= HEAD_BYTES;
    let Pem { mut ders, count, mut bad } = read_pem(text);
    // The last block of a file that was cut is bad because of the cut.
    bad = bad.saturating_sub(usize::from(is_cut));
    let Some(leaf) = ders.first() else {
        complain(ProblemKind::BadCertificate, what_else(text));
        return None;
    };
    if let Err(why) = Certificate::read(leaf) {
        complain(ProblemKind::BadCertificate, &why.to_string());
        return None;
    }
    let whole = ders.len();
    ders.retain(|it| Certificate::read(it).is_ok());
    bad += whole - ders.len();
    if is_cut || count > MAX_CERTIFICATES {
        let read = ders.len();
        complain(
            ProblemKind::TooLarge,
            &format!("is too large: the first {read} certificates were read"),
        );
    }
    if bad > 0 {
        let text = format!("holds {bad} blocks after the first that are no certificates");
        complain(ProblemKind::BadCertificate, &text);
    }
    Chain::read(&ders, roots).ok().map(Arc::new)
}

/// Reads the first certificate alone.
pub(super) fn read_leaf(text: &[u8]) -> Option<Certificate> {
    Certificate::read(read_pem(text).ders.first()?).ok()
}

/// The certificates of a PEM text.
#[derive(Debug, Default)]
pub(super) struct Pem {
    /// The first [`MAX_CERTIFICATES`] that could be decoded.
    pub(super) ders: Vec<CertificateDer<'static>>,
    /// How many blocks there are.
    pub(super) count: usize,
    /// How many of those that were looked at could not be decoded.
    pub(super) bad: usize,
}

/// Finds certificates in a text as openssl does: a line with the label, lines of base64, a line
/// with the label. CRLF, blanks at the end of lines and text between blocks do not matter.
pub(super) fn read_pem(text: &[u8]) -> Pem {
    let mut pem = Pem::default();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for line in text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).split(|it| *it == b'\n') {
        let line = line.trim_ascii();
        if let Some(label) = label(line, b"-----BEGIN ") {
            // A block that is not closed before the next begins is lost, for openssl too.
            if open.take().is_some() {
                pem.bad += 1;
            }
            if LABELS.contains(&label) {
                pem.count += 1;
                open = Some((label, Vec::new()));
            }
        } else if line.starts_with(b"-----") {
            let Some((begun, body)) = open.take() else { continue };
            if pem.count > MAX_CERTIFICATES {
                continue;
            }
            let fits = label(line, b"-----END ") == Some(begun);
            match STANDARD.decode(&body) {
                Ok(der) if fits && !der.is_empty() => pem.ders.push(der.into()),
                _ => pem.bad += 1,
            }
        } else if let Some((_, body)) = &mut open
            && body.len() <= MAX_BASE64
        {
            body.extend(line.iter().filter(|it| !it.is_ascii_whitespace()));
        }
    }
    pem.bad += usize::from(open.is_some());
    pem
}

fn label<'a>(line: &'a [u8], edge: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(edge)?.strip_suffix(b"-----")
}

/// The labels that openssl takes for a certificate (`PEM_read_bio_X509(3)`).
const LABELS: [&[u8]; 3] = [b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"];

/// What a file without certificates holds instead.
fn what_else(text: &[u8]) -> &'static str {
    let has = |words: &[u8]| text.windows(words.len()).any(|it| it == words);
    if text.starts_with(b"\x30\x82") || has(b"#binary") {
        "holds DER or PKCS#12, not PEM"
    } else if has(b"PRIVATE KEY-----") || has(b"#key") {
        "holds a private key and no certificate"
    } else if has(b"-----BEGIN CERTIFICATE-----") {
        "holds a certificate that cannot be decoded"
    } else {
        "holds no certificate"
    }
}

/// The most certificates read of one file: a leaf and 19 more.
pub(super) const MAX_CERTIFICATES: usize = 20;

/// The base64 of the largest certificate that is read, and a little more.
const MAX_BASE64: usize = Certificate::MAX_BYTES / 3 * 4 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[track_caller]
    fn check(text: &str, ders: usize, count: usize, bad: usize) {
        let pem = read_pem(text.as_bytes());
        assert_eq!((pem.ders.len(), pem.count, pem.bad), (ders, count, bad), "{text}");
    }

    #[test]
    fn blocks_are_found_as_openssl_finds_them() {
        check(BLOCK, 1, 1, 0);
        check(&BLOCK.replace('\n', "\r\n"), 1, 1, 0);
        check(&format!("\u{feff}{BLOCK}"), 1, 1, 0);
        check(&format!("subject=x\n{BLOCK}text\n{BLOCK}"), 2, 2, 0);
        check(&BLOCK.replace("CERT", "TRUSTED CERT"), 1, 1, 0);
        check(BLOCK.trim_end(), 1, 1, 0);
        check(&BLOCK.replace("MAA=", "!"), 0, 1, 1);
        check(&BLOCK.replace("MAA=", ""), 0, 1, 1);
        check("-----BEGIN CERTIFICATE-----\nMAA=\n", 0, 1, 1);
        check(&format!("-----BEGIN CERTIFICATE-----\nMAA=\n{BLOCK}"), 1, 2, 1);
        check(&BLOCK.replace("CERTIFICATE", "PRIVATE KEY"), 0, 0, 0);
        check(&BLOCK.repeat(5000), MAX_CERTIFICATES, 5000, 0);
        check("", 0, 0, 0);
    }
}
