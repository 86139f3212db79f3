//! Distinguished names as text, in the form of RFC 4514 and letter by letter as openssl's
//! `-nameopt RFC2253,-esc_msb` prints them, so that the two can be compared.

use std::fmt::Write as _;

use rustls_pki_types::TrustAnchor;
use x509_parser::der_parser::asn1_rs::{Any, Tag, ToDer as _};
use x509_parser::prelude::{FromDer as _, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

use crate::text::SafeText;

/// The name as text, most specific part first.
pub(super) fn distinguished_name(name: &X509Name<'_>) -> SafeText {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().take(MAX_PARTS).collect();
    for part in parts.into_iter().rev() {
        let attributes: Vec<_> = part.iter().take(MAX_PARTS).collect();
        for (index, attribute) in attributes.into_iter().rev().enumerate() {
            if !text.is_empty() {
                text.push(if index == 0 { ',' } else { '+' });
            }
            push_attribute(&mut text, attribute);
        }
    }
    SafeText::new(&text)
}

/// The name of an authority, of which webpki keeps no more than what is inside of the outermost
/// sequence; empty if it is no name.
pub(super) fn of_anchor(anchor: &TrustAnchor<'_>) -> SafeText {
    let inside = anchor.subject.as_ref();
    let length = inside.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|it| *it == 0).collect();
    // X.690, section 8.1.3: lengths over 127 are told after how many bytes they take.
    let mut der = vec![0x30];
    match (length.as_slice(), u8::try_from(length.len())) {
        ([short @ 0..0x80], _) => der.push(*short),
        (_, Ok(count)) => {
            der.push(0x80 | count);
            der.extend(&length);
        }
        _ => return SafeText::default(),
    }
    der.extend(inside);
    X509Name::from_der(&der).map_or_else(|_| SafeText::default(), |it| distinguished_name(&it.1))
}

fn push_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let oid = attribute.attr_type().to_id_string();
    let short = SHORT_NAMES.iter().find(|(it, _)| *it == oid).map(|(_, name)| *name);
    let _ = write!(text, "{}=", short.unwrap_or(&oid));
    let value = attribute.attr_value();
    match short.and_then(|_| string(value)) {
        Some(value) => push_escaped(text, &value),
        // What is no string, or of a type that nobody knows, stands as its DER.
        None => push_hex(text, value),
    }
}

/// The characters of a string, as openssl takes them: T61 for Latin-1.
fn string(value: &Any<'_>) -> Option<String> {
    let bytes = value.data.get(..MAX_BYTES).unwrap_or(value.data);
    Some(match value.header.tag() {
        Tag::Utf8String => String::from_utf8_lossy(bytes).into_owned(),
        Tag::NumericString
        | Tag::PrintableString
        | Tag::T61String
        | Tag::Ia5String
        | Tag::VisibleString => bytes.iter().copied().map(char::from).collect(),
        Tag::BmpString => {
            let units: Vec<_> =
                bytes.as_chunks().0.iter().map(|it| u16::from_be_bytes(*it)).collect();
            String::from_utf16_lossy(&units)
        }
        Tag::UniversalString => bytes
            .as_chunks()
            .0
            .iter()
            .map(|it| u32::from_be_bytes(*it))
            .map(|it| char::from_u32(it).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        _ => return None,
    })
}

/// Escapes what RFC 4514, section 2.4, wants escaped, and controls as openssl does.
fn push_escaped(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', c]),
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(text, "\\{:02X}", c as u32);
            }
            _ => text.push(c),
        }
    }
}

fn push_hex(text: &mut String, value: &Any<'_>) {
    text.push('#');
    for byte in value.to_der_vec().unwrap_or_default().iter().take(MAX_BYTES) {
        let _ = write!(text, "{byte:02X}");
    }
}

/// The most parts of a name that are read; real names have fewer than ten.
const MAX_PARTS: usize = 32;

/// More than is ever shown.
const MAX_BYTES: usize = 4 * SafeText::MAX_CHARS;

/// openssl's short names for the attributes that certificates have (crypto/objects/objects.txt).
const SHORT_NAMES: [(&str, &str); 34] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.643.3.131.1.1", "INN"),
    ("1.2.643.100.1", "OGRN"),
    ("1.2.643.100.3", "SNILS"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];
