//! The signature of a notice, by which a webhook knows that it is from here and as it was sent.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// HMAC-SHA256 over the time, a dot and the text, in hex; `None` where the secret is no key, which
/// for an HMAC is never.
pub(super) fn sign(secret: &[u8], timestamp: i64, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let digits = bytes.iter().flat_map(|it| [it >> 4, it & 15]);
    digits.map(|it| char::from_digit(it.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `printf %s '1795403564.{"a":1}' | openssl dgst -sha256 -hmac hunter2`.
    #[test]
    fn openssl_makes_the_same() {
        let made = sign(b"hunter2", 1_795_403_564, r#"{"a":1}"#).unwrap();
        assert_eq!(made, "5c0e602a931c5e3b64c138709a1ce80e8ee399303b7d38dd68aeea7e6ee2e346");
    }
}
