//! The key and the request of an order. The host makes both; the request alone comes back.
//!
//! ```text
//! <folder>/orders/           0700
//!   <op>/                    0700, as long as the order goes on
//!     privkey.pem            0600, made once
//!     request.pem            made once
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer as _;

use super::{Nonce, Uuid};
use crate::fleet::Fingerprint;
use crate::source::{Answer, Incomplete, Script, quote};
use crate::text::SafeText;

/// What the host should make.
#[derive(Debug, Clone, Copy)]
pub struct Csr<'a> {
    /// The identity of the action.
    pub op: Uuid,
    /// The folder of the store, as `/etc/certdeck`.
    pub folder: &'a str,
    /// The lineage in it.
    pub lineage: &'a str,
    /// The names: letters, digits, dots, dashes, a star at the beginning.
    pub names: &'a [String],
    /// The key.
    pub key: Key,
}

/// The private key of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The one of the live version is copied.
    Live,
    /// A new one on this curve of NIST: `P-256`, `P-384`.
    Ec(&'static str),
    /// A new one with so many bits.
    Rsa(u16),
}

/// A request in DER (RFC 2986) whose signature and names were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsrDer {
    /// The request.
    pub der: Vec<u8>,
    /// SHA-256 of the public key in it, as `SubjectPublicKeyInfo`.
    pub spki: Fingerprint,
}

/// Makes key and request, or finds them where this was sent before, and asks for the request. Can
/// be sent again and again: there is one key for one order.
pub fn csr(wanted: &Csr<'_>, nonce: &Nonce) -> String {
    let names: Vec<_> = wanted.names.iter().filter(|it| is_plain(it)).cloned().collect();
    let mut alternatives = String::new();
    for name in &names {
        let comma = if alternatives.is_empty() { "" } else { "," };
        let _ = write!(alternatives, "{comma}DNS:{name}");
    }
    let mut script = Script::new(nonce);
    script.begin_section();
    let (kind, size) = match wanted.key {
        Key::Live => ("live", String::new()),
        Key::Ec(curve) => ("ec", curve.to_owned()),
        Key::Rsa(bits) => ("rsa", bits.to_string()),
    };
    for (name, value) in [
        ("folder", wanted.folder),
        ("lineage", wanted.lineage),
        ("op", &wanted.op.to_string()),
        ("names", &alternatives),
        ("kind", kind),
        ("size", &size),
    ] {
        script.push(&format!("{name}={}", quote(value)));
    }
    script.push(CSR);
    script.finish()
}

/// Removes key and request of an order that came to nothing. Can be sent again and again.
pub fn drop_csr(op: Uuid, folder: &str, nonce: &Nonce) -> String {
    let mut script = Script::new(nonce);
    script.begin_section();
    script.push(&format!("folder={} op={op}", quote(folder)));
    script.push(DROP);
    script.finish()
}

/// Takes the request out of the answer.
///
/// # Errors
/// In words: what the host lacks, or what is wrong with its request.
pub fn read_csr(bytes: &[u8], names: &[String], nonce: &Nonce) -> Result<CsrDer, SafeText> {
    let answer = Answer::read(bytes, nonce).map_err(|it| match it {
        Incomplete::CutShort => SafeText::new("the answer was cut short"),
        Incomplete::NeverOpened => SafeText::new("the answer makes no sense"),
    })?;
    let section = answer.sections.first();
    if let Some(why) = section.and_then(|it| it.key("refused")) {
        return Err(SafeText::from_bytes(why));
    }
    let text = section.and_then(|it| it.body("request"));
    check(text.unwrap_or_default(), names).map_err(SafeText::new)
}

fn check(text: &[u8], names: &[String]) -> Result<CsrDer, &'static str> {
    let (_, pem) = parse_x509_pem(text).map_err(|_| "the host made no request")?;
    let is_request =
        matches!(pem.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
    if !is_request {
        return Err("what the host made is no request");
    }
    let (rest, request) = X509CertificationRequest::from_der(&pem.contents)
        .map_err(|_| "the request of the host cannot be read")?;
    if !rest.is_empty() || request.verify_signature().is_err() {
        return Err("the request of the host is not signed with its key");
    }
    let mut found = BTreeSet::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(all) = extension else { continue };
        for name in &all.general_names {
            let GeneralName::DNSName(name) = name else {
                return Err("the request of the host asks for something that is no name");
            };
            found.insert(name.to_ascii_lowercase());
        }
    }
    if found != names.iter().map(|it| it.to_ascii_lowercase()).collect() {
        return Err("the request of the host is for other names");
    }
    let spki = Fingerprint::of(request.certification_request_info.subject_pki.raw);
    Ok(CsrDer { der: pem.contents, spki })
}

/// Whether a name means nothing but itself in a configuration of openssl.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|it| it.is_ascii_alphanumeric() || b".-*_".contains(&it))
}

/// The subject is empty: names stand in the extension alone (RFC 6125, section 6.4.4), and the
/// first of them may be longer than a common name can be. A configuration of its own, because the
/// system's may add to requests, and because `-addext` came with openssl 1.1.1.
///
/// Where there is no openssl, certtool, which comes with `GnuTLS`, makes the same.
const CSR: &str = r#"
refuse() { mark frame refused "$*"; }
synced() { sync "$1" || sync; }
order() {
umask 077
case $folder in /etc/certdeck) folder=$R$folder;; esac
o=$folder/orders/$op
if command -v openssl >/dev/null; then with=openssl
elif command -v certtool >/dev/null; then with=certtool
else refuse "there is neither openssl nor certtool to make a key with: install openssl"; return; fi
[ -d "$folder" ] || mkdir -m 755 "$folder"
mkdir -p "$o" || { refuse "$o cannot be made"; return; }
[ -s "$o/privkey.pem" ] || { made && mv -f "$o/new" "$o/privkey.pem"; } || {
rm -f "$o/new"
case $kind in
live) refuse "the private key of $lineage cannot be copied into $o";;
*) refuse "$with could not make a private key ($kind $size) in $o";;
esac
return; }
[ -s "$o/request.pem" ] || { asked && mv -f "$o/new" "$o/request.pem"; } || {
rm -f "$o/new"
refuse "$with could not make a request in $o"; return; }
rm -f "$o/request.conf"
synced "$o"
mark frame request
head -c 262144 "$o/request.pem"; }
made() {
case $with,$kind in
*,live) cat "$folder/live/$lineage/privkey.pem" >"$o/new";;
openssl,ec) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$size" -pkeyopt ec_param_enc:named_curve -out "$o/new";;
openssl,rsa) openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$size" -out "$o/new";;
certtool,ec) certtool --generate-privkey --key-type ecdsa --curve "secp${size#P-}r1" --no-text --outfile "$o/new";;
certtool,rsa) certtool --generate-privkey --key-type rsa --bits "$size" --no-text --outfile "$o/new";;
esac >/dev/null && [ -s "$o/new" ] && chmod 600 "$o/new" && synced "$o/new"; }
asked() {
case $with in
openssl)
printf '[req]\ndistinguished_name=dn\nprompt=no\nreq_extensions=ext\n[dn]\n[ext]\nsubjectAltName=%s\n' "$names" >"$o/request.conf" &&
openssl req -new -sha256 -key "$o/privkey.pem" -passin pass: -subj / -config "$o/request.conf" -out "$o/new";;
certtool)
printf '%s\n' "$names" | tr , '\n' | sed 's/^DNS:\(.*\)/dns_name = "\1"/' >"$o/request.conf" &&
certtool --generate-request --load-privkey "$o/privkey.pem" --template "$o/request.conf" --no-text --outfile "$o/new";;
esac >/dev/null && [ -s "$o/new" ] && synced "$o/new"; }
order
"#;

const DROP: &str = r#"
case $folder in /etc/certdeck) folder=$R$folder;; esac
rm -f "$folder/orders/$op/privkey.pem" "$folder/orders/$op/request.pem" "$folder/orders/$op/request.conf" "$folder/orders/$op/new"
rmdir "$folder/orders/$op" "$folder/orders" "$folder"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([7; 16])
    }

    /// Made by openssl 3.0 for `www.example.net`.
    const REQUEST: &str = include_str!("../../tests/fixtures/job/request.pem");

    fn answer(frames: &str) -> Vec<u8> {
        let n = nonce();
        let n = n.as_str();
        format!("\n{n} open\n\n{n} section\n\n{n} {frames}\n{n} done\n").into_bytes()
    }

    fn read(frames: &str, name: &str) -> Result<CsrDer, SafeText> {
        read_csr(&answer(frames), &[name.to_owned()], &nonce())
    }

    #[test]
    fn a_request_for_something_else_is_refused() {
        let frames = format!("frame request\n{REQUEST}");
        assert!(read(&frames, "www.example.net").is_ok());
        let refused = |frames: &str, name: &str| read(frames, name).unwrap_err().to_string();
        assert!(refused(&frames, "example.net").contains("for other names"));
        let forged = frames.replace("VOI=\n-----END", "AAA=\n-----END");
        assert_ne!(forged, frames);
        let told = refused(&forged, "www.example.net");
        assert!(told.contains("not signed") || told.contains("cannot be read"), "{told}");
        assert_eq!(
            refused("frame refused it lacks \u{1b}[31mopenssl", "x"),
            "it lacks ^[[31mopenssl"
        );
        assert_eq!(refused("frame other", "x"), "the host made no request");
        assert_eq!(read_csr(b"", &[], &nonce()).unwrap_err().as_str(), "the answer makes no sense");
    }
}
