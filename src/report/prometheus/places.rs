//! Metrics of places: what ends when, what is due, what is wrong.

use super::{Metric, Samples, Scanned, Value};
use crate::fleet::{Certificate, Moment, Place, PlaceName, Sighting};

pub(super) const EXPIRY: Metric = Metric {
    name: "cert_expiry_seconds",
    help: "Seconds until the certificate of a name ends; negative once it has.",
    labels: &["domain", "issuer"],
    collect: |scanned, samples| {
        for leaf in scanned.places().filter_map(|(_, it)| it.leaf()) {
            for name in &leaf.names {
                samples.add(&[name.as_str(), leaf.authority()], Value::Left(leaf.not_after));
            }
        }
    },
};

pub(super) const NOT_AFTER: Metric = Metric {
    name: "certdeck_certificate_not_after_timestamp_seconds",
    help: "When the certificate ends that a layer of a place shows.",
    labels: LAYER,
    collect: |scanned, samples| {
        add_leaves(scanned, samples, |it| it.not_after);
    },
};

pub(super) const NOT_BEFORE: Metric = Metric {
    name: "certdeck_certificate_not_before_timestamp_seconds",
    help: "When the certificate began that a layer of a place shows.",
    labels: LAYER,
    collect: |scanned, samples| {
        add_leaves(scanned, samples, |it| it.not_before);
    },
};

pub(super) const INFO: Metric = Metric {
    name: "certdeck_certificate_info",
    help: "Which certificate a layer of a place shows, and the first name in it; always 1.",
    labels: &["host", "place", "source", "layer", "domain", "issuer", "key", "serial", "sha256"],
    collect: |scanned, samples| {
        for (host, place) in scanned.places() {
            for (layer, it) in layers(place) {
                let leaf = &it.chain.leaf;
                let domain = leaf.names.first().map_or("", |it| it.as_str());
                let (key, sha256) = (leaf.key.to_string(), leaf.sha256.to_string());
                let [name, issuer] = [place.name.as_str(), leaf.authority()];
                let serial = leaf.serial.as_str();
                let labels =
                    [host, name, place.source, layer, domain, issuer, &key, serial, &sha256];
                samples.number(&labels, 1);
            }
        }
    },
};

pub(super) const LIVED: Metric = Metric {
    name: "certdeck_certificate_lifetime_elapsed_ratio",
    help: "Which part of its life has passed of the certificate that clients get: 1 at its end.",
    labels: PLACE,
    collect: |scanned, samples| {
        for (host, place) in scanned.places() {
            if let Some(leaf) = place.leaf() {
                let lived = Value::Lived(leaf.not_before, leaf.not_after);
                samples.add(&labels(host, place), lived);
            }
        }
    },
};

pub(super) const CHAIN_NOT_AFTER: Metric = Metric {
    name: "certdeck_chain_not_after_timestamp_seconds",
    help: "When the first certificate between leaf and root ends, on the way that lasts longest.",
    labels: LAYER,
    collect: |scanned, samples| {
        for (host, place) in scanned.places() {
            // Of several addresses, the chain that ends first is perhaps not that of this leaf.
            let wire = place.layers.wire.iter().map(|it| ("wire", it));
            for (layer, it) in layers(place).chain(wire) {
                if let Some(until) = it.chain.trust.until {
                    samples.moment(&[host, place.name.as_str(), place.source, layer], until);
                }
            }
        }
    },
};

pub(super) const RENEWAL_DUE: Metric = Metric {
    name: "certdeck_renewal_due_timestamp_seconds",
    help: "When the renewal window opens: by the CA if it tells, or by the length of the life.",
    labels: PLACE,
    collect: |scanned, samples| {
        add_moments(scanned, samples, |it| Some(it.renewal_opens(it.leaf()?)));
    },
};

pub(super) const RENEWAL_OVERDUE: Metric = Metric {
    name: "certdeck_renewal_overdue_timestamp_seconds",
    help: "When half of the time for renewal will be gone.",
    labels: PLACE,
    collect: |scanned, samples| {
        add_moments(scanned, samples, |it| Some(it.leaf()?.renewal_closes()));
    },
};

pub(super) const DRY_RUN: Metric = Metric {
    name: "certdeck_dry_run_timestamp_seconds",
    help: "When a renewal was last tried without effect, by the log of the client.",
    labels: PLACE,
    collect: |scanned, samples| {
        add_moments(scanned, samples, |it| Some(it.renewal.as_ref()?.last_dry_run?.at));
    },
};

pub(super) const DRY_RUN_SUCCESS: Metric = Metric {
    name: "certdeck_dry_run_success",
    help: "Whether that went well.",
    labels: PLACE,
    collect: |scanned, samples| {
        for (host, place) in scanned.places() {
            if let Some(run) = place.renewal.as_ref().and_then(|it| it.last_dry_run) {
                samples.number(&labels(host, place), i64::from(run.is_ok));
            }
        }
    },
};

pub(super) const VERDICT: Metric = Metric {
    name: "certdeck_place_verdict",
    help: "The verdict of a place; always 1.",
    labels: &["host", "place", "source", "verdict"],
    collect: |scanned, samples| {
        for it in &scanned.shown.hosts {
            for (place, verdict) in &it.places {
                let [host, name, source] = labels(it.host.name.as_str(), place);
                samples.number(&[host, name, source, verdict.word()], 1);
            }
        }
    },
};

pub(super) const FINDING: Metric = Metric {
    name: "certdeck_finding",
    help: "What is found about a place, or about a host as a whole; always 1.",
    labels: &["host", "place", "verdict", "severity", "rule"],
    collect: |scanned, samples| {
        for it in &scanned.shown.findings {
            let place = it.place.as_ref().map_or("", PlaceName::as_str);
            let [verdict, severity] = [it.verdict.word(), it.severity.word()];
            samples.number(&[it.host.as_str(), place, verdict, severity, it.rule], 1);
        }
    },
};

pub(super) const KNOWN: Metric = Metric {
    name: "certdeck_finding_known_until_timestamp_seconds",
    help: "Until when a finding is acknowledged or snoozed, as the kind says.",
    labels: &["host", "place", "verdict", "severity", "rule", "kind"],
    collect: |scanned, samples| {
        for it in &scanned.shown.findings {
            let Some(ack) = &it.ack else { continue };
            let place = it.place.as_ref().map_or("", PlaceName::as_str);
            let [verdict, severity] = [it.verdict.word(), it.severity.word()];
            let labels = [it.host.as_str(), place, verdict, severity, it.rule, ack.kind.word()];
            samples.moment(&labels, ack.until);
        }
    },
};

impl<'a> Scanned<'a> {
    /// Every place that is shown, with the name of its host.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'a str, &'a Place)> {
        self.shown.hosts.iter().flat_map(|it| {
            let host = it.host.name.as_str();
            it.places.iter().map(move |(place, _)| (host, *place))
        })
    }
}

/// Adds a moment of the leaf of every layer of every place.
fn add_leaves(
    scanned: &Scanned<'_>,
    samples: &mut Samples<'_>,
    moment: fn(&Certificate) -> Moment,
) {
    for (host, place) in scanned.places() {
        for (layer, it) in layers(place) {
            let labels = [host, place.name.as_str(), place.source, layer];
            samples.moment(&labels, moment(&it.chain.leaf));
        }
    }
}

/// Adds a moment of every place that has one.
fn add_moments(
    scanned: &Scanned<'_>,
    samples: &mut Samples<'_>,
    moment: fn(&Place) -> Option<Moment>,
) {
    for (host, place) in scanned.places() {
        if let Some(moment) = moment(place) {
            samples.moment(&labels(host, place), moment);
        }
    }
}

/// What is seen of a place, layer by layer; where several addresses show something else, what ends
/// first, so that all that is told of a layer is told of one certificate.
fn layers(place: &Place) -> impl Iterator<Item = (&'static str, &Sighting)> {
    let layers = &place.layers;
    let one = |layer, it| Option::into_iter(it).map(move |it| (layer, it));
    one("issued", layers.issued.as_ref())
        .chain(one("disk", layers.disk.as_ref()))
        .chain(one("loaded", layers.loaded.as_ref()))
        .chain(one("wire", layers.wire.iter().min_by_key(|it| it.chain.leaf.not_after)))
}

fn labels<'a>(host: &'a str, place: &'a Place) -> [&'a str; 3] {
    [host, place.name.as_str(), place.source]
}

const PLACE: &[&str] = &["host", "place", "source"];
const LAYER: &[&str] = &["host", "place", "source", "layer"];

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::Beside;
    use super::super::tests::samples;
    use super::*;
    use crate::fleet::{DAY, DryRun, Renewal};

    #[test]
    fn dry_runs_are_told_with_how_they_went() {
        let mut fleet = sample::fleet();
        let mut host = fleet.hosts().next().unwrap().clone();
        let run = DryRun { at: sample::NOW.plus(-DAY), is_ok: false };
        host.places[0].renewal = Some(Renewal { last_dry_run: Some(run), ..Renewal::default() });
        fleet.recall(host);
        let (diagnosis, beside) = (sample::diagnosis(), Beside::default());
        let of = |metric| samples(&fleet, &diagnosis, "", metric, &beside);
        let labels = r#"{host="edge-ams-1",place="legacy.example.org",source="certbot"}"#;
        assert_eq!(of(&DRY_RUN), [format!("{labels} {}", run.at.unix())]);
        assert_eq!(of(&DRY_RUN_SUCCESS), [format!("{labels} 0")]);
    }
}
