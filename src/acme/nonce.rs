//! Requests whose nonce was refused: signed and sent again until one is taken.

use super::error::Error;

/// Does what asks a CA, again as long as the CA refuses the nonce: such a request was not looked
/// at (RFC 8555, section 6.5), so nothing is done twice.
///
/// The library tries three times; a CA with many front ends that do not know each other's nonces
/// refuses more.
pub(super) async fn until_taken<T>(
    ca: &str,
    mut ask: impl AsyncFnMut() -> Result<T, instant_acme::Error>,
) -> Result<T, Error> {
    for _ in 1..ROUNDS {
        match ask().await {
            Err(instant_acme::Error::Api(it)) if it.r#type.as_deref() == Some(BAD_NONCE) => {}
            answer => return answer.map_err(|it| Error::of(it, ca)),
        }
    }
    ask().await.map_err(|it| Error::of(it, ca))
}

const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
/// With nine of ten refused, three tries a round fail together once in a hundred thousand times.
const ROUNDS: usize = 36;
