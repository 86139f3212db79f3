//! Metrics of what is served: one sample per handshake.

use super::{Metric, Scanned};
use crate::fleet::{NotServed, Probe};

pub(super) const NOT_AFTER: Metric = Metric {
    name: "certdeck_probe_not_after_timestamp_seconds",
    help: "When the certificate ends that is served for a name at an address.",
    labels: LABELS,
    collect: |scanned, samples| {
        for (host, it) in scanned.probes() {
            if let Ok(chain) = &it.served {
                samples.moment(&labels(host, it), chain.leaf.not_after);
            }
        }
    },
};

pub(super) const UP: Metric = Metric {
    name: "certdeck_probe_up",
    help: "Whether a certificate is served for a name at an address.",
    labels: LABELS,
    collect: |scanned, samples| {
        for (host, it) in scanned.probes() {
            // Where no way leads from here, nothing is known of the server.
            if !matches!(&it.served, Err(it) if it.why == NotServed::NoRoute) {
                samples.number(&labels(host, it), i64::from(it.served.is_ok()));
            }
        }
    },
};

impl<'a> Scanned<'a> {
    /// The handshakes that have to do with the places that are shown; of a host of which nothing
    /// was left out, all of them.
    fn probes(&self) -> impl Iterator<Item = (&'a str, &'a Probe)> {
        self.shown.hosts.iter().flat_map(|it| {
            let is_whole = it.places.len() == it.host.places.len();
            let all = is_whole.then_some(&it.host.probes).into_iter().flatten();
            let some =
                it.places.iter().filter(move |_| !is_whole).flat_map(|(place, _)| &place.probes);
            all.chain(some).map(|probe| (it.host.name.as_str(), probe))
        })
    }
}

fn labels<'a>(host: &'a str, it: &'a Probe) -> [&'a str; 4] {
    [host, it.name.as_str(), it.vantage.name(), it.address.as_str()]
}

const LABELS: &[&str] = &["host", "name", "vantage", "address"];

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::Beside;
    use super::super::tests::samples;
    use super::*;
    use crate::fleet::{HostName, Outcome, Unreached, Unserved, Vantage, Visit, Why};
    use crate::text::SafeText;

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
        let (diagnosis, beside) = (sample::diagnosis(), Beside::default());
        let metrics = |filter: &str, metric: &Metric| {
            let all = samples(&fleet, &diagnosis, filter, metric, &beside);
            let short = |it: String| it.split("address=").nth(1).unwrap().to_owned();
            all.into_iter().map(short).collect::<Vec<_>>()
        };
        let both = [r#""192.0.2.1:443"} 1"#, r#""192.0.2.2:443"} 0"#];
        assert_eq!(metrics("", &UP), both);
        assert_eq!(metrics("name:shop*", &UP), both);
        assert!(metrics("name:legacy*", &UP).is_empty());
        assert_eq!(metrics("", &NOT_AFTER), [format!(r#""192.0.2.1:443"}} {end}"#)]);
    }
}
