//! A certificate and its key from one host for a job on another. Both are in memory only, as text
//! that is wiped when it is dropped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Fingerprint, Nonce, Secret};
use crate::source::{Answer, Incomplete, Script, quote};
use crate::text::SafeText;

/// Asks for the file of a certificate and, if it has to move, for that of its key.
pub fn bring(certificate: &str, key: Option<&str>, nonce: &Nonce) -> String {
    let mut script = Script::new(nonce);
    script.begin_section();
    for (word, path) in [("certificate", Some(certificate)), ("private", key)] {
        let Some(path) = path else { continue };
        let path = quote(path);
        script.push(&format!("want {path} && {{ mark frame {word}; head -c {CAP} {path}; }}\n"));
    }
    script.finish()
}

/// Takes the certificates and the key out of the answer, as PEM and nothing else.
///
/// # Errors
/// In words, where something is missing or is not what was expected.
pub fn read_brought(
    bytes: &[u8],
    leaf: Fingerprint,
    wants_key: bool,
    nonce: &Nonce,
) -> Result<Secret, SafeText> {
    let answer = Answer::read(bytes, nonce).map_err(|it| match it {
        Incomplete::CutShort => SafeText::new("the answer was cut short"),
        Incomplete::NeverOpened => SafeText::new("the answer makes no sense"),
    })?;
    let body = |word: &str| answer.sections.iter().find_map(|it| it.body(word));
    let certificates =
        body("certificate").ok_or_else(|| SafeText::new("the certificate cannot be read there"))?;
    let certificates = blocks(certificates, "CERTIFICATE");
    let first = certificates.lines().skip(1).take_while(|it| !it.starts_with('-'));
    let der = STANDARD.decode(first.collect::<String>()).unwrap_or_default();
    if Fingerprint::of(&der) != leaf {
        return Err(SafeText::new("the certificate there is another one by now"));
    }
    let mut text = certificates;
    if wants_key {
        let key =
            body("private").ok_or_else(|| SafeText::new("the private key cannot be read there"))?;
        let key = blocks(key, "PRIVATE KEY");
        if key.matches("-----BEGIN ").count() != 1 {
            return Err(SafeText::new("there is not one private key in its file"));
        }
        // Once, so that no copy of the key is left where a text grew.
        let mut both = Zeroizing::new(String::with_capacity(text.len() + key.len()));
        both.push_str(&text);
        both.push_str(&key);
        text = both;
    }
    Ok(Secret::new(text))
}

/// The blocks of PEM whose label ends so (RFC 7468): no other line, and no odd character.
fn blocks(bytes: &[u8], label: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() + 1));
    let mut is_inside = false;
    for line in bytes.split(|it| *it == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let is_mark = |mark: &str| {
            let rest = line.strip_prefix(mark).and_then(|it| it.strip_suffix("-----"));
            rest.is_some_and(|it| {
                it == label || it.strip_suffix(label).is_some_and(|it| it.ends_with(' '))
            })
        };
        is_inside |= is_mark("-----BEGIN ");
        let is_plain = line.bytes().all(|it| it.is_ascii_graphic() || it == b' ');
        if is_inside && is_plain && !line.is_empty() {
            text.push_str(line);
            text.push('\n');
        }
        is_inside &= !is_mark("-----END ");
    }
    text
}

/// More than any chain or key has.
const CAP: usize = 262_144;

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([7; 16])
    }

    fn answer(certificate: &str, key: &str) -> Vec<u8> {
        let n = nonce();
        let n = n.as_str();
        format!(
            "\n{n} open\n\n{n} section\n\n{n} frame certificate\n{certificate}\n{n} frame private\n{key}\n{n} done\n"
        )
        .into_bytes()
    }

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nS0VZ\n-----END EC PRIVATE KEY-----\n";

    #[test]
    fn only_blocks_are_taken() {
        assert_eq!(*blocks(format!("x\r\n{KEY}{CERTIFICATE}y").as_bytes(), "PRIVATE KEY"), KEY);
        assert_eq!(*blocks(format!("{KEY}{CERTIFICATE}").as_bytes(), "CERTIFICATE"), CERTIFICATE);
        assert_eq!(*blocks(b"-----BEGIN TRUSTED-CERTIFICATE-----\nAA\n", "CERTIFICATE"), "");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new(Zeroizing::new(KEY.to_owned()));
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn what_is_not_what_was_expected_is_refused() {
        let leaf = Fingerprint::of(&[0, 0, 0]);
        let read = |key: &str, leaf, wants| {
            read_brought(&answer(CERTIFICATE, key), leaf, wants, &nonce())
                .map(|it| it.0.to_string())
        };
        assert_eq!(read(KEY, leaf, true).unwrap(), format!("{CERTIFICATE}{KEY}"));
        assert_eq!(read(KEY, leaf, false).unwrap(), CERTIFICATE);
        assert!(read("", leaf, true).unwrap_err().as_str().contains("not one private key"));
        let other = read(KEY, Fingerprint::of(b"x"), true).unwrap_err();
        assert!(other.as_str().contains("another one"));
    }
}
