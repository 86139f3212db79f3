//! Requests whose nonce was refused: signed and sent again until one is taken.
//!
//! A CA that refuses a nonce has not looked at the request (RFC 8555, section 6.5), so nothing is
//! done twice. The library tries three times; a CA with many front ends that do not know each
//! other's nonces refuses more.

use super::error::Error;

/// How often a request was refused for its nonce.
#[derive(Debug, Default)]
pub(super) struct Refusals(usize);

impl Refusals {
    /// What came of a request; `None` if it has to be sent again.
    pub(super) fn take<T>(
        &mut self,
        ca: &str,
        answer: Result<T, instant_acme::Error>,
    ) -> Option<Result<T, Error>> {
        match answer {
            Err(instant_acme::Error::Api(it)) if it.r#type.as_deref() == Some(BAD_NONCE) => {
                self.0 += 1;
                let last = self.0 >= ROUNDS;
                last.then(|| Err(Error::of(instant_acme::Error::Api(it), ca)))
            }
            answer => Some(answer.map_err(|it| Error::of(it, ca))),
        }
    }
}

/// Asks a CA, again as long as it refuses the nonce. A macro, because what is asked borrows what
/// it asks with, and closures that do so cannot be told to go from thread to thread.
macro_rules! until_taken {
    ($ca:expr, $ask:expr) => {{
        let mut refusals = $crate::acme::nonce::Refusals::default();
        loop {
            let answer = $ask;
            if let Some(taken) = refusals.take($ca, answer) {
                break taken;
            }
        }
    }};
}

pub(super) use until_taken;

const BAD_NONCE: &str = "urn:ietf:params:acme:error:badNonce";
/// With nine of ten refused, three tries a round fail together once in a hundred thousand times.
const ROUNDS: usize = 36;
