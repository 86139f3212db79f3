//! JSON: one object with a schema number. Keys are added, never renamed, within a schema; every
//! key is always there, `null` or empty where nothing is known. README, "Review", explains them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Kind;
use crate::diagnose::Finding;
use crate::fleet::{ExpiryKind, HostName};
use crate::review::{Busy, Change, Crowd, LIFETIMES, Lifetime, Review, date};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind { name: "json", about: "one object, for programs", write };

fn write(review: &Review, out: &mut dyn Write) -> io::Result<()> {
    let verdicts: BTreeMap<_, _> =
        review.verdicts.iter().map(|(verdict, count)| (verdict.word(), count)).collect();
    let endings = review.endings.iter().map(|it| {
        json!({
            "on": it.on.to_string(),
            "kind": it.kind.word(),
            "what": it.what.map(ExpiryKind::word),
            "name": it.name.as_str(),
            "places": it.places,
            "renews": it.renews.map(|it| it.to_string()),
        })
    });
    let unowned = review.neglect.unowned.iter();
    let dry_runs = review.neglect.dry_runs.iter().map(|it| {
        json!({
            "host": it.host.as_str(),
            "place": it.place.as_str(),
            "last": it.last.map(|it| it.to_string()),
        })
    });
    let untold = review
        .untold
        .iter()
        .map(|it| json!({ "host": it.host.as_str(), "client": it.client, "why": it.why.as_str() }));
    let object = json!({
        "schema": 1,
        "certdeck": env!("CARGO_PKG_VERSION"),
        "at": review.at.to_string(),
        "scanned-at": review.scanned_at.map(|it| it.to_string()),
        "hosts": review.hosts,
        "places": review.places,
        "verdicts": verdicts,
        "since": {
            "text": review.changes.since.as_str(),
            "from": review.changes.from.map(|it| it.to_string()),
        },
        "changes": review.changes.changes.iter().map(change).collect::<Vec<_>>(),
        "unread": review.changes.unread.iter().map(HostName::as_str).collect::<Vec<_>>(),
        "findings": review.findings.iter().map(finding).collect::<Vec<_>>(),
        "endings": endings.collect::<Vec<_>>(),
        "unowned": unowned
            .map(|(host, places)| json!({ "host": host.as_str(), "places": places }))
            .collect::<Vec<_>>(),
        "dry-runs": dry_runs.collect::<Vec<_>>(),
        "herd": herd(review),
        "lifetimes": LIFETIMES.iter().map(|it| lifetime(it, review)).collect::<Vec<_>>(),
        "untold": untold.collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &object)?;
    out.write_all(b"\n")
}

fn change(it: &Change) -> Value {
    let what = it.what.iter();
    json!({
        "host": it.spot.host.as_str(),
        "place": it.spot.place.as_str(),
        "source": it.spot.source.as_str(),
        "what": what
            .map(|(aspect, text)| json!({ "aspect": aspect.word(), "text": text.as_str() }))
            .collect::<Vec<_>>(),
    })
}

fn finding(it: &Finding) -> Value {
    json!({
        "finding": it.id().to_string(),
        "host": it.host.as_str(),
        "place": it.place.as_ref().map(SafeText::as_str),
        "rule": it.rule,
        "verdict": it.verdict.word(),
        "severity": it.severity.word(),
        "summary": it.summary.as_str(),
        "owner": it.owner.as_ref().map(SafeText::as_str),
        "known": it.ack.as_ref().map(super::super::json::known),
    })
}

fn herd(review: &Review) -> Value {
    let herd = &review.herd;
    let (expected, spread) = (herd.expected(), herd.spread());
    let days = expected.iter().zip(&spread).enumerate();
    let crowd = |it: &Crowd| {
        let (day, count) = it.peak();
        json!({
            "server": Some(it.server.as_str()).filter(|it| !it.is_empty()),
            "certificates": it.certificates,
            "peak": { "day": date(herd.day(day)), "renewals": count },
            "limit": it.limit.map(|it| json!({
                "orders": it.burst,
                "seconds": it.burst * it.refill(),
            })),
            "is-too-many": it.is_too_many(),
            "expected": it.expected,
            "spread": it.spread,
        })
    };
    let sets = herd.sets.iter().map(|(name, count, from)| {
        json!({ "names": name.as_str(), "certificates": count, "from": date(*from) })
    });
    let domain = |it: &Busy| {
        let limit = it.limit;
        json!({
            "domain": it.domain.as_str(),
            "ca": it.ca,
            "renewals": it.renewals,
            "new": it.new,
            "from": date(it.from),
            "limit": { "certificates": limit.burst, "seconds": limit.burst * limit.refill() },
            "is-too-many": it.is_too_many(),
        })
    };
    json!({
        "from": date(herd.from),
        "days": days
            .map(|(day, (expected, spread))| json!({
                "day": date(herd.day(day)),
                "expected": expected,
                "spread": spread,
            }))
            .collect::<Vec<_>>(),
        "cas": herd.crowds.iter().map(crowd).collect::<Vec<_>>(),
        "same-names": sets.collect::<Vec<_>>(),
        "same-domain": herd.domains.iter().map(domain).collect::<Vec<_>>(),
        "unknown": herd.unknown,
    })
}

fn lifetime(it: &Lifetime, review: &Review) -> Value {
    let slow = review.slow.iter().filter(|slow| slow.lifetime == it).map(|it| {
        json!({
            "host": it.host.as_str(),
            "client": it.client,
            "places": it.places,
            "grade": it.grade.word(),
            "why": it.why.as_str(),
        })
    });
    json!({
        "name": it.name,
        "seconds": it.seconds,
        "from": it.from,
        "whose": it.whose,
        "source": it.source,
        "slow": slow.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_key_is_there() {
        let text = sample::write(&KIND, &sample::review());
        let mut value: Value = serde_json::from_str(&text).unwrap();
        // A hundred days are not worth reading; three are.
        value["herd"]["days"].as_array_mut().unwrap().truncate(3);
        for it in value["herd"]["cas"].as_array_mut().unwrap() {
            for key in ["expected", "spread"] {
                assert_eq!(it[key].as_array().unwrap().len(), 100);
                it[key].as_array_mut().unwrap().truncate(3);
            }
        }
        value["certdeck"] = json!("0.0.0");
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
        let first: Value = serde_json::from_str(&sample::write(&KIND, &sample::first())).unwrap();
        let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&first), keys(&value));
        assert_eq!(first["since"]["from"], Value::Null);
    }
}
