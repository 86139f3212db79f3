//! A record that is written beside others, seen at every authoritative server, and removed.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::Desk;
use super::trial::Trial;
use crate::acme::desk::{self, Record as Wanted};
use crate::acme::order::Placed;
use crate::perform::Ending;
use crate::perform::solve::Answers;
use crate::preflight::{Found, Proven, Record};
use crate::text::SafeText;

/// Tries every provider that proves a name, with the first of its names.
pub(super) async fn look(desk: &Desk<'_>) -> Found<Vec<Record>> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for proof in &desk.case.proofs {
        if let Proven::Records(dns) = &proof.by {
            first.entry(dns).or_insert(&proof.name);
        }
    }
    if first.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(why) = &desk.case.read_only {
        return Err(SafeText::new(&format!("no record was written: {why}")));
    }
    let mut records = Vec::new();
    for (dns, name) in first {
        let (others, done) = attempt(desk, dns, name).await?;
        records.push(Record { dns: dns.to_owned(), name: name.to_owned(), others, done });
    }
    Ok(records)
}

/// What was seen, in a line, or what went wrong and what to do about it.
type Seen = Result<SafeText, (SafeText, SafeText)>;

/// How many records orders have left there, and what came of one provider; the outer error is that nothing was tried.
async fn attempt(desk: &Desk<'_>, dns: &str, name: &str) -> Found<(usize, Seen)> {
    let tools = &desk.shared.tools;
    let Some(told) = tools.inventory.dns.iter().find(|it| it.name == dns) else {
        return Err(SafeText::new(&format!("there is no [[dns]] `{dns}`")));
    };
    let provider = match desk::Desk::open(told).await {
        Ok(provider) => provider,
        Err(error) => return Ok((0, Err(in_words(&error)))),
    };
    // As long as the digest that a challenge has there, and as random, and seen to be none.
    let random = [Uuid::new_v4(), Uuid::new_v4()].map(|it| it.simple().to_string()).concat();
    let value = format!("certdeck-probe-{}", random.get(..28).unwrap_or_default());
    let spot = match provider.locate(&Wanted::of(name, value)).await {
        Ok(spot) => spot,
        Err(error) => return Ok((0, Err(in_words(&error)))),
    };
    // Whoever lists none may write all the same.
    let others = provider.left_at(&spot).await.map_or(0, |it| it.len());
    let kept = serde_json::to_value(&spot).unwrap_or(Value::Null);
    let placed = vec![Placed::Record { dns: dns.to_owned(), spot: kept }];
    let what = "a record is written, looked for and removed";
    let trial = Trial::begin(&desk.case, tools, what, placed).await?;
    let mut answers = trial.answers(tools);
    answers.give(dns, provider);
    let written = write(&mut answers, &trial, dns, &spot);
    let done = tokio::select! {
        done = written => done,
        () = desk.shared.stopped() => {
            Err((SafeText::new("it was stopped"), SafeText::new("look again")))
        }
    };
    drop(answers);
    let (ending, summary) = match &done {
        Ok(text) => (Ending::Ok, text.clone()),
        Err((text, _)) => (Ending::Failed, text.clone()),
    };
    let left = trial.end(tools, ending, summary).await;
    // Why it could not be written says more than why it could not be removed.
    let seen = match (done, left.first()) {
        (Ok(_), Some(left)) => {
            let hint =
                "it is removed when certdeck starts again; `certdeck dns orphans` lists such";
            Err((left.clone(), SafeText::new(hint)))
        }
        (done, _) => done,
    };
    Ok((others, seen))
}

async fn write(
    answers: &mut Answers<'_>,
    trial: &Trial,
    dns: &str,
    spot: &crate::dns::Spot,
) -> Result<SafeText, (SafeText, SafeText)> {
    answers.record("a record is written to see whether it is seen", trial.placed()).map_err(
        |it| {
            let text = format!("the audit log refused: {it}");
            (SafeText::new(&text), SafeText::new("see `certdeck audit verify`"))
        },
    )?;
    let permit = trial.permit();
    let provider = answers.desk(dns).await.map_err(|it| (it.text, it.hint.unwrap_or_default()))?;
    provider.add(spot, permit).await.map_err(|it| in_words(&it))?;
    let mut last = SafeText::default();
    let spots = std::slice::from_ref(spot);
    provider.wait(spots, |step| last = step.text).await.map_err(|it| in_words(&it))?;
    Ok(SafeText::new(&format!("{}: {last}", spot.owner)))
}

/// What went wrong at a provider, and what to do.
fn in_words(error: &desk::Error) -> (SafeText, SafeText) {
    (SafeText::new(&error.to_string()), SafeText::new(error.hint()))
}
