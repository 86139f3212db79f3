//! The text format of Prometheus, for a textfile collector or a push gateway.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Kind, Report, Shown};
use crate::fleet::{Moment, NotServed, Place, Probe, Reach, Sighting};

pub(super) const KIND: Kind = Kind { name: "prometheus", about: "metrics, for monitoring", write };

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let shown = report.shown();
    for family in [
        expiries(&shown, report.now),
        ends(&shown),
        chains_end(&shown),
        served_ends(&shown),
        served(&shown),
        verdicts(&shown),
        hosts(&shown),
        scanned(report.fleet.scanned_at),
    ] {
        family.write(out)?;
    }
    Ok(())
}

/// A metric with its samples, in the order of their labels.
struct Family {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    samples: BTreeMap<Vec<String>, i64>,
}

impl Family {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { name, help, .. } = self;
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")?;
        for (values, number) in &self.samples {
            let labels: Vec<String> = self
                .labels
                .iter()
                .zip(values)
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            match labels.as_slice() {
                [] => writeln!(out, "{name} {number}")?,
                labels => writeln!(out, "{name}{{{}}} {number}", labels.join(","))?,
            }
        }
        Ok(())
    }

    /// Takes in a sample. Of two with the same labels the smaller one stays: of what is seen
    /// twice, what ends first matters.
    fn add(&mut self, labels: &[&str], number: i64) {
        let labels = labels.iter().map(|&it| it.to_owned()).collect();
        self.samples.entry(labels).and_modify(|it| *it = number.min(*it)).or_insert(number);
    }
}

fn expiries(shown: &Shown<'_>, now: Moment) -> Family {
    let mut family = Family {
        name: "cert_expiry_seconds",
        help: "Seconds until the certificate of a name ends; negative once it has.",
        labels: &["domain", "issuer"],
        samples: BTreeMap::new(),
    };
    for leaf in places(shown).filter_map(|(_, it)| it.leaf()) {
        for name in &leaf.names {
            family.add(&[name.as_str(), leaf.authority()], leaf.left(now));
        }
    }
    family
}

fn ends(shown: &Shown<'_>) -> Family {
    let mut family = Family {
        name: "certdeck_certificate_not_after_timestamp_seconds",
        help: "When the certificate ends that a layer of a place shows.",
        labels: &["host", "place", "source", "layer"],
        samples: BTreeMap::new(),
    };
    add_layers(&mut family, shown, |it| Some(it.chain.leaf.not_after));
    family
}

fn chains_end(shown: &Shown<'_>) -> Family {
    let mut family = Family {
        name: "certdeck_chain_not_after_timestamp_seconds",
        help: "When the first certificate between leaf and root ends, on the way that lasts longest.",
        labels: &["host", "place", "source", "layer"],
        samples: BTreeMap::new(),
    };
    add_layers(&mut family, shown, |it| it.chain.trust.until);
    family
}

/// Adds a moment of every layer of every place that has one.
fn add_layers(
    family: &mut Family,
    shown: &Shown<'_>,
    moment: impl Fn(&Sighting) -> Option<Moment>,
) {
    for (host, place) in places(shown) {
        let layers = &place.layers;
        let mut add = |layer, it: &Sighting| {
            let labels = [host, place.name.as_str(), place.source, layer];
            if let Some(it) = moment(it) {
                family.add(&labels, it.unix());
            }
        };
        layers.issued.iter().for_each(|it| add("issued", it));
        layers.disk.iter().for_each(|it| add("disk", it));
        layers.loaded.iter().for_each(|it| add("loaded", it));
        layers.wire.iter().for_each(|it| add("wire", it));
    }
}

fn served_ends(shown: &Shown<'_>) -> Family {
    let mut family = Family {
        name: "certdeck_probe_not_after_timestamp_seconds",
        help: "When the certificate ends that is served for a name at an address.",
        labels: PROBE,
        samples: BTreeMap::new(),
    };
    for (host, it) in probes(shown) {
        if let Ok(chain) = &it.served {
            family.add(&probe_labels(host, it), chain.leaf.not_after.unix());
        }
    }
    family
}

fn served(shown: &Shown<'_>) -> Family {
    let mut family = Family {
        name: "certdeck_probe_up",
        help: "Whether a certificate is served for a name at an address.",
        labels: PROBE,
        samples: BTreeMap::new(),
    };
    for (host, it) in probes(shown) {
        // Where no way leads from here, nothing is known of the server.
        if !matches!(&it.served, Err(it) if it.why == NotServed::NoRoute) {
            family.add(&probe_labels(host, it), i64::from(it.served.is_ok()));
        }
    }
    family
}

/// The labels of what is about one handshake.
const PROBE: &[&str] = &["host", "name", "vantage", "address"];

fn probe_labels<'a>(host: &'a str, it: &'a Probe) -> [&'a str; 4] {
    [host, it.name.as_str(), it.vantage.name(), it.address.as_str()]
}

/// The handshakes that have to do with the places that are shown; of a host of which nothing was
/// left out, all of them.
fn probes<'a>(shown: &'a Shown<'a>) -> impl Iterator<Item = (&'a str, &'a Probe)> {
    shown.hosts.iter().flat_map(|it| {
        let is_whole = it.places.len() == it.host.places.len();
        let all = is_whole.then_some(&it.host.probes).into_iter().flatten();
        let some = it.places.iter().filter(move |_| !is_whole).flat_map(|(place, _)| &place.probes);
        all.chain(some).map(|probe| (it.host.name.as_str(), probe))
    })
}

fn verdicts(shown: &Shown<'_>) -> Family {
    let mut family = Family {
        name: "certdeck_place_verdict",
        help: "The verdict of a place; always 1.",
        labels: &["host", "place", "source", "verdict"],
        samples: BTreeMap::new(),
    };
    for it in &shown.hosts {
        for (place, verdict) in &it.places {
            let name = place.name.as_str();
            family.add(&[it.host.name.as_str(), name, place.source, verdict.word()], 1);
        }
    }
    family
}

fn hosts(shown: &Shown<'_>) -> Family {
    let mut family = Family {
        name: "certdeck_host_up",
        help: "Whether the host could be read by the last scan.",
        labels: &["host"],
        samples: BTreeMap::new(),
    };
    for it in &shown.hosts {
        family.add(&[it.host.name.as_str()], i64::from(it.host.reach == Reach::Up));
    }
    family
}

fn scanned(at: Option<Moment>) -> Family {
    Family {
        name: "certdeck_scan_timestamp_seconds",
        help: "When the scan ended.",
        labels: &[],
        samples: at.map(|it| (Vec::new(), it.unix())).into_iter().collect(),
    }
}

fn places<'a>(shown: &'a Shown<'a>) -> impl Iterator<Item = (&'a str, &'a Place)> {
    shown
        .hosts
        .iter()
        .flat_map(|it| it.places.iter().map(|(place, _)| (it.host.name.as_str(), *place)))
}

/// Label values escape backslash, quote and line feed (Prometheus, "Exposition formats").
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::Page;
    use super::super::sample;
    use super::*;
    use crate::filter::Filter;
    use crate::fleet::{HostName, Outcome, Unreached, Unserved, Vantage, Visit, Why};
    use crate::text::SafeText;

    #[test]
    fn metrics_stand_in_the_order_of_their_labels() {
        insta::assert_snapshot!(sample::write(&KIND, Page::default()), @r#"
        # HELP cert_expiry_seconds Seconds until the certificate of a name ends; negative once it has.
        # TYPE cert_expiry_seconds gauge
        cert_expiry_seconds{domain="legacy.example.org",issuer="R10"} -18000
        cert_expiry_seconds{domain="shop.example.net",issuer="R10"} 2592000
        cert_expiry_seconds{domain="www.legacy.example.org",issuer="R10"} -18000
        cert_expiry_seconds{domain="www.shop.example.net",issuer="R10"} 2592000
        # HELP certdeck_certificate_not_after_timestamp_seconds When the certificate ends that a layer of a place shows.
        # TYPE certdeck_certificate_not_after_timestamp_seconds gauge
        certdeck_certificate_not_after_timestamp_seconds{host="edge-ams-1",place="legacy.example.org",source="certbot",layer="disk"} 1795385564
        certdeck_certificate_not_after_timestamp_seconds{host="edge-ams-1",place="legacy.example.org",source="certbot",layer="issued"} 1795385564
        certdeck_certificate_not_after_timestamp_seconds{host="edge-ams-1",place="shop.example.net",source="certbot",layer="disk"} 1797995564
        certdeck_certificate_not_after_timestamp_seconds{host="edge-ams-1",place="shop.example.net",source="certbot",layer="issued"} 1797995564
        # HELP certdeck_chain_not_after_timestamp_seconds When the first certificate between leaf and root ends, on the way that lasts longest.
        # TYPE certdeck_chain_not_after_timestamp_seconds gauge
        # HELP certdeck_probe_not_after_timestamp_seconds When the certificate ends that is served for a name at an address.
        # TYPE certdeck_probe_not_after_timestamp_seconds gauge
        # HELP certdeck_probe_up Whether a certificate is served for a name at an address.
        # TYPE certdeck_probe_up gauge
        # HELP certdeck_place_verdict The verdict of a place; always 1.
        # TYPE certdeck_place_verdict gauge
        certdeck_place_verdict{host="edge-ams-1",place="legacy.example.org",source="certbot",verdict="expired"} 1
        certdeck_place_verdict{host="edge-ams-1",place="shop.example.net",source="certbot",verdict="ok"} 1
        # HELP certdeck_host_up Whether the host could be read by the last scan.
        # TYPE certdeck_host_up gauge
        certdeck_host_up{host="edge-ams-1"} 1
        certdeck_host_up{host="edge-syd-2"} 0
        certdeck_host_up{host="spare"} 0
        # HELP certdeck_scan_timestamp_seconds When the scan ended.
        # TYPE certdeck_scan_timestamp_seconds gauge
        certdeck_scan_timestamp_seconds 1795403559
        "#);
    }

    #[test]
    fn what_is_served_is_told_and_silence_too() {
        let mut fleet = sample::fleet();
        let host = HostName::new("edge-ams-1");
        let chain =
            fleet.places().nth(1).and_then(|(_, it)| it.nearest()).map(|it| it.chain.clone());
        let end = chain.as_ref().unwrap().leaf.not_after.unix();
        let probe = |address: &str, served| Probe {
            name: SafeText::new("shop.example.net"),
            vantage: Vantage::Public,
            address: SafeText::new(address),
            is_told: true,
            is_added: false,
            at: sample::NOW,
            served,
        };
        let failed = |why| Err(Unserved { why, text: SafeText::default() });
        let probes = vec![
            probe("192.0.2.1:443", Ok(chain.unwrap())),
            probe("192.0.2.2:443", failed(NotServed::Refused)),
            probe("[2001:db8::1]:443", failed(NotServed::NoRoute)),
        ];
        let text = SafeText::default();
        let down = Outcome::Unreached(Unreached { why: Why::TimedOut, text, hint: None });
        fleet.apply(Visit { host, at: sample::NOW, outcome: down, probes: Some(probes) });
        let diagnosis = sample::diagnosis();
        let metrics = |filter: &str, family: fn(&Shown<'_>) -> Family| {
            let filter = Filter::parse(filter).unwrap();
            let (fleet, diagnosis, page) = (&fleet, &diagnosis, Page::default());
            let report = Report { fleet, diagnosis, now: sample::NOW, filter: &filter, page };
            let samples = family(&report.shown()).samples;
            let mut samples: Vec<_> = samples.iter().map(|(it, n)| (it[3].clone(), *n)).collect();
            samples.sort();
            samples
        };
        let at = |address: &str, number| (address.to_owned(), number);
        let both = [at("192.0.2.1:443", 1), at("192.0.2.2:443", 0)];
        assert_eq!(metrics("", served), both);
        assert_eq!(metrics("name:shop*", served), both);
        assert_eq!(metrics("name:legacy*", served), []);
        assert_eq!(metrics("", served_ends), [at("192.0.2.1:443", end)]);
    }

    #[test]
    fn of_two_certificates_for_a_name_the_first_to_end_counts() {
        let mut family = scanned(None);
        family.add(&["a", "R10"], 900);
        family.add(&["a", "R10"], -5);
        family.add(&["a", "R10"], 7);
        assert_eq!(family.samples.into_values().collect::<Vec<_>>(), [-5]);
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
