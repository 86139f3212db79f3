//! What a plan needs of another host: read there, held in memory, handed to the job. On this
//! machine it is on no disk, in no argument and in no log.

use std::time::Duration;

use zeroize::Zeroizing;

use super::Tools;
use crate::action::Bring;
use crate::audit::Permit;
use crate::job::{self, Secret};
use crate::remote::Limits;
use crate::source::Nonce;
use crate::text::SafeText;
use uuid::Uuid;

/// Reads it. The intent is on record, and says from where and whether a key moves.
pub(super) async fn fetch(
    tools: &Tools,
    bring: &Bring,
    _permit: &Permit,
) -> Result<Secret, SafeText> {
    let Some(host) = tools.inventory.host(bring.host.as_str()) else {
        return Err(SafeText::new(&format!("{} is not in the inventory", bring.host)));
    };
    let nonce = Nonce::new(Uuid::new_v4().into_bytes());
    let script = job::bring(&bring.certificate, bring.key.as_deref(), &nonce);
    let limits = Limits { time: PATIENCE, cap: ANSWER_CAP };
    let answer = tools.sessions.visit(host, &script, limits).await;
    let answer = answer.map_err(|it| it.unreached(host).text)?;
    let bytes = Zeroizing::new(answer.bytes);
    job::read_brought(&bytes, bring.leaf, bring.key.is_some(), &nonce)
        .map_err(|it| SafeText::new(&format!("{}: {it}", bring.host)))
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Two files.
const ANSWER_CAP: usize = 1024 * 1024;
