//! Certificates of every odd shape: what is read of them is what openssl says, field by field.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use certdeck::fleet::{Certificate, Moment, Unparsable};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// What openssl says of a certificate, or nothing if it cannot read it.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) serial: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) not_before: Moment,
    pub(crate) not_after: Moment,
    pub(crate) sha256: String,
    pub(crate) key: String,
    pub(crate) names: Vec<String>,
}

/// What openssl says of the first certificate of a file.
pub(crate) fn openssl(path: &Path) -> Option<Told> {
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-serial", "-subject", "-issuer", "-dates", "-sha256"])
        .args(["-fingerprint", "-ext", "subjectAltName", "-text"])
        .args(["-nameopt", "RFC2253,-esc_msb", "-dateopt", "iso_8601", "-in"])
        .arg(path)
        .output()
        .unwrap();
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let field = |key: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(key));
        line.unwrap_or_else(|| panic!("{}: no {key} in {text}", path.display())).to_owned()
    };
    let date = |key| {
        let text = field(key);
        Moment::parse(&text.replace(' ', "T")).or_else(|| year_9999(&text)).unwrap()
    };
    Some(Told {
        serial: field("serial=").to_lowercase(),
        subject: field("subject="),
        issuer: field("issuer="),
        not_before: date("notBefore="),
        not_after: date("notAfter="),
        sha256: field("sha256 Fingerprint=").replace(':', "").to_lowercase(),
        key: key(&text),
        names: names(&text),
    })
}

/// The one date that `jiff::Timestamp` ends before.
fn year_9999(text: &str) -> Option<Moment> {
    (text == "9999-12-31 23:59:59Z").then(|| Moment::from_unix(253_402_300_799))
}

fn key(text: &str) -> String {
    let after = |key: &str| text.lines().find_map(|it| it.trim().strip_prefix(key));
    let algorithm = after("Public Key Algorithm: ").unwrap();
    let bits = after("Public-Key: (").and_then(|it| it.split(' ').next()).unwrap_or_default();
    match algorithm {
        "rsaEncryption" | "rsassaPss" => format!("rsa-{bits}"),
        "id-ecPublicKey" => match after("NIST CURVE: P-") {
            Some(curve) => format!("ecdsa-p{curve}"),
            None => "other".to_owned(),
        },
        "ED25519" => "ed25519".to_owned(),
        _ => "other".to_owned(),
    }
}

pub(crate) fn names(text: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|it| !it.contains("X509v3 Subject Alternative Name:"));
    let line = lines.nth(1).unwrap_or_default().trim();
    line.split(", ")
        .filter_map(|it| {
            let address = || it.strip_prefix("IP Address:").and_then(|it| it.parse().ok());
            it.strip_prefix("DNS:")
                .map(str::to_owned)
                .or_else(|| address().map(|it: std::net::IpAddr| it.to_string()))
        })
        .collect()
}

fn told(it: &Certificate) -> Told {
    Told {
        serial: it.serial.to_string(),
        subject: it.subject.to_string(),
        issuer: it.issuer.to_string(),
        not_before: it.not_before,
        not_after: it.not_after,
        sha256: it.sha256.to_string(),
        key: it.key.to_string(),
        names: it.names.iter().map(ToString::to_string).collect(),
    }
}

/// Reads a PEM file both ways.
#[track_caller]
fn check(path: &Path) -> Certificate {
    let der = CertificateDer::from_pem_file(path).unwrap();
    let certificate = Certificate::read(&der).unwrap();
    assert_eq!(Some(told(&certificate)), openssl(path), "{}", path.display());
    certificate
}

/// A self-signed certificate with whatever is odd about it.
#[track_caller]
fn made(change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    made_with(&KeyPair::generate().unwrap(), change)
}

#[track_caller]
fn made_with(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    change(&mut params);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.pem");
    std::fs::write(&path, params.self_signed(key).unwrap().pem()).unwrap();
    check(&path)
}

/// A certificate that only openssl can make: of a key by these words, signed with these.
#[track_caller]
fn by_openssl(key: &[&str], sign: &[&str]) -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output = Command::new("openssl").current_dir(&folder).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&[&["genpkey", "-out", "key", "-algorithm"], key].concat());
    run(&["req", "-new", "-key", "key", "-subj", "/CN=a.test", "-out", "csr"]);
    run(&[&["x509", "-req", "-in", "csr", "-signkey", "key", "-out", "cert"], sign].concat());
    check(&folder.path().join("cert"))
}

#[test]
fn times_at_the_edges() {
    let at = |from, to| {
        let it = made(|it| (it.not_before, it.not_after) = (from, to));
        // None of these may overflow, whatever the dates are.
        let _ = (it.lifetime(), it.renewal_opens(), it.renewal_closes(), it.left(it.not_before));
        let _ = it.urgency(it.not_after);
        it
    };
    let day = date_time_ymd;
    at(day(1950, 1, 1), day(1970, 1, 1));
    at(day(1999, 12, 31), day(2000, 1, 1));
    at(day(2049, 12, 31), day(2050, 1, 1));
    let backwards = at(day(2030, 1, 1), day(2020, 1, 1));
    assert_eq!(backwards.lifetime(), 1);
    // RFC 5280, section 4.1.2.5: the date for "no end".
    let end = day(9999, 12, 31) + Duration::from_secs(86_399);
    assert_eq!(at(day(2020, 1, 1), end).not_after.to_string(), "9999-12-31T23:59:59Z");
}

#[test]
fn serial_numbers_at_the_edges() {
    for bytes in [vec![0x7f; 20], vec![0x80; 19], vec![1], vec![0x0f, 0xff]] {
        made(|it| it.serial_number = Some(bytes.into()));
    }
    let negative = by_openssl(&["ED25519"], &["-set_serial", "-255"]);
    assert_eq!(negative.serial.as_str(), "-ff");
}

#[test]
fn keys_of_every_kind() {
    let kinds = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "ecdsa-p256"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "ecdsa-p384"),
        (&rcgen::PKCS_ECDSA_P521_SHA512, "ecdsa-p521"),
        (&rcgen::PKCS_ED25519, "ed25519"),
        (&rcgen::PKCS_RSA_SHA256, "rsa-2048"),
    ];
    for (algorithm, expect) in kinds {
        let key = KeyPair::generate_for(algorithm).unwrap();
        assert_eq!(made_with(&key, |_| {}).key.to_string(), expect);
    }
    let pss = by_openssl(&["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], &[]);
    assert_eq!(pss.key.to_string(), "rsa-2048");
    let curve = ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"];
    assert_eq!(by_openssl(&curve, &[]).key.to_string(), "other");
    // Without extensions, openssl makes version 1.
    let old = by_openssl(&["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &[]);
    assert!(old.names.is_empty() && !old.is_ca);
}

#[test]
fn subjects_in_every_alphabet() {
    use rcgen::{DnType, DnValue};
    let named = |value: DnValue| made(|it| it.distinguished_name.push(DnType::CommonName, value));
    for text in ["bücher.test", "証明書", " lead and trail ", "#x", "a,b+c\"d\\e<f>g;h=i", "a\tb"]
    {
        named(DnValue::Utf8String(text.to_owned()));
    }
    named(DnValue::BmpString("証明書".try_into().unwrap()));
    named(DnValue::TeletexString("plain".try_into().unwrap()));
    named(DnValue::PrintableString("plain".try_into().unwrap()));
    named(DnValue::Ia5String("plain".try_into().unwrap()));
    made(|it| {
        it.distinguished_name.push(DnType::CountryName, "NO");
        it.distinguished_name.push(DnType::StateOrProvinceName, "Oslo");
        it.distinguished_name.push(DnType::OrganizationName, "A, B & C");
        it.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 97]), "NTRNO-1");
        it.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 3, 4]), "nobody knows");
    });
}

#[test]
fn hostile_subjects_and_names_are_harmless() {
    use rcgen::{DnType, DnValue};
    let foul = "a\x1b]52;c;AAAA\x07\u{202e}\u{9b}2J\0b";
    let der = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    };
    let read = |der: Vec<u8>| Certificate::read(&der.into());
    let named = |text: &str| {
        let value = DnValue::Utf8String(text.to_owned());
        read(der(&|it| it.distinguished_name.push(DnType::CommonName, value.clone())))
    };
    let subject = named(foul).unwrap().subject;
    let is_safe = |it: &str| it.chars().all(|it| !it.is_control() && it != '\u{202e}');
    assert!(is_safe(subject.as_str()), "{subject}");
    let long = named(&"x".repeat(30_000)).unwrap();
    assert!(long.subject.as_str().len() < 5000);
    assert_eq!(named(&"x".repeat(64 * 1024)), Err(Unparsable::TooLarge));

    let names = |names: &[&str]| {
        let names: Vec<_> =
            names.iter().map(|it| rcgen::SanType::DnsName((*it).try_into().unwrap())).collect();
        read(der(&|it| it.subject_alt_names.clone_from(&names))).unwrap().names
    };
    assert!(names(&["a\0b.test", "\x1b[2J"]).iter().all(|it| is_safe(it.as_str())));
    assert_eq!(names(&vec!["a.b"; 10_000]).len(), Certificate::MAX_NAMES);
}
