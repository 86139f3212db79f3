//! What is changed elsewhere than on a host, and is on record like everything else: an account at
//! a CA, a record in the DNS. Does nothing of it itself.

use serde_json::json;

use super::Ending;
use super::owner::{self, UnderWay};
use super::record::Body;
use crate::audit::{self, Log, Permit};
use crate::text::SafeText;

/// Something that is on record as begun. Whoever drops it without ending it leaves that to
/// [`settle`].
#[derive(Debug)]
pub struct Errand {
    permit: Permit,
    _at: UnderWay,
}

impl Errand {
    /// Writes down what is about to be done: `action`, and what else there is to say. Its body
    /// names no host, so that nobody goes there to see what became of it.
    pub fn begin(log: &mut Log, mut body: Body) -> Result<Self, audit::Error> {
        owner::sign(&mut body);
        let (permit, at) = UnderWay::begin(|| log.intent(&body))?;
        Ok(Self { permit, _at: at })
    }

    /// The permit to do it.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Writes down what became of it.
    pub fn end(
        self,
        log: &mut Log,
        ending: Ending,
        summary: &SafeText,
    ) -> Result<(), audit::Error> {
        log.outcome(self.permit, &told(ending, summary.as_str()))
    }
}

/// Writes an end below every errand that nobody is at any more: this program was killed, or the
/// machine went down, and nobody knows how far it was. In plain words, for whoever is there.
pub fn settle(log: &mut Log) -> Result<Vec<SafeText>, audit::Error> {
    let mut settled = Vec::new();
    for intent in log.open_intents()? {
        if intent.text("host").is_some() || owner::is_under_way(&intent) {
            continue;
        }
        let action = SafeText::new(intent.text("action").unwrap_or("an action"));
        let text = format!("{action} was cut off at {}; it may be done or not", intent.at);
        log.reconcile(intent.op, &told(Ending::Unknown, &text))?;
        settled.push(SafeText::new(&text));
    }
    Ok(settled)
}

fn told(ending: Ending, summary: &str) -> Body {
    let members = [("ending", json!(ending.name())), ("summary", json!(summary))];
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn what_is_cut_off_is_settled_once_and_what_goes_on_is_not() {
        let state = tempfile::tempdir().unwrap();
        let mut log = Log::open(state.path(), Clock::default()).unwrap();
        let body = || [("action".to_owned(), json!("issuer-register"))].into_iter().collect();
        let going = Errand::begin(&mut log, body()).unwrap();
        drop(Errand::begin(&mut log, body()).unwrap());
        let settled = settle(&mut log).unwrap();
        assert_eq!(settled.len(), 1);
        assert!(settled[0].as_str().starts_with("issuer-register was cut off at"), "{settled:?}");
        assert!(settle(&mut log).unwrap().is_empty());
        assert_eq!(log.open_intents().unwrap().len(), 1);
        going.end(&mut log, Ending::Ok, &SafeText::new("done")).unwrap();
        assert!(log.open_intents().unwrap().is_empty());
    }
}
