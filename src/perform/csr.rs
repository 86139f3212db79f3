//! Key and request of an order, made on its host. The key stays there; the request comes back.

use std::time::Duration;

use uuid::Uuid;

use super::Tools;
use crate::action::{KeyPlan, KeyType, Order};
use crate::audit::Permit;
use crate::inventory::Host;
use crate::job::{self, Csr, CsrDer, Key};
use crate::remote::Limits;
use crate::source::Nonce;
use crate::text::SafeText;

/// Lets the host make them, or find them where it has made them for this action before. The
/// intent is on record, and says that a key is made.
pub(super) async fn fetch(
    tools: &Tools,
    told: &Host,
    order: &Order,
    permit: &Permit,
) -> Result<CsrDer, SafeText> {
    let nonce = Nonce::new(Uuid::new_v4().into_bytes());
    let wanted = Csr {
        op: permit.op(),
        folder: &order.folder,
        lineage: &order.lineage,
        names: &order.names,
        key: key(order.key),
    };
    let script = job::csr(&wanted, &nonce);
    let limits = Limits { time: PATIENCE, cap: ANSWER_CAP };
    let answer = tools.sessions.visit(told, &script, limits).await;
    let answer = answer.map_err(|it| it.unreached(told).text)?;
    job::read_csr(&answer.bytes, &order.names, &nonce)
        .map_err(|it| SafeText::new(&format!("{}: {it}", told.name)))
}

/// Lets the host forget them: nothing came of the order.
pub(super) async fn forget(tools: &Tools, told: &Host, folder: &str, permit: &Permit) {
    let nonce = Nonce::new(Uuid::new_v4().into_bytes());
    let script = job::drop_csr(permit.op(), folder, &nonce);
    let limits = Limits { time: PATIENCE, cap: ANSWER_CAP };
    // A host that is away keeps a key that nobody will ever use.
    tools.sessions.visit(told, &script, limits).await.ok();
}

fn key(plan: KeyPlan) -> Key {
    match plan {
        KeyPlan::Keep => Key::Live,
        KeyPlan::New(KeyType::Ecdsa256) => Key::Ec("P-256"),
        KeyPlan::New(KeyType::Ecdsa384) => Key::Ec("P-384"),
        KeyPlan::New(KeyType::Rsa2048) => Key::Rsa(2048),
        KeyPlan::New(KeyType::Rsa4096) => Key::Rsa(4096),
    }
}

/// A small machine takes so long for an RSA key of 4096 bits at the worst.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request.
const ANSWER_CAP: usize = 512 * 1024;
