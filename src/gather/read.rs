//! Answers of the query API into hosts. Nothing in them is believed to be well-formed, and what
//! makes no sense is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::fleet::{
    Certificate, Chain, Fingerprint, Host, HostName, KeyKind, Moment, Place, PlaceName, Reach,
    Severity, Sighting, Told, ToldFinding, Trust, Unreached, Verdict, Why,
};
use crate::source;
use crate::text::SafeText;

/// What is asked for, in the order in which [`hosts`] takes the answers.
pub(super) const METRICS: &[&str] = &[
    "certdeck_host_up",
    "certdeck_host_seen_timestamp_seconds",
    "certdeck_host_info",
    "certdeck_certificate_info",
    "certdeck_certificate_not_before_timestamp_seconds",
    "certdeck_certificate_not_after_timestamp_seconds",
    "certdeck_chain_not_after_timestamp_seconds",
    "certdeck_place_verdict",
    "certdeck_finding",
];

/// The hosts that are told of.
pub(super) fn hosts(by: &SafeText, answers: &[&[u8]]) -> Result<Vec<Host>, SafeText> {
    let mut told = Gathering { by, hosts: BTreeMap::new(), layers: BTreeMap::new() };
    for (metric, answer) in METRICS.iter().zip(answers) {
        for series in series(answer)? {
            told.take_in(metric, &series);
        }
    }
    Ok(told.finished())
}

/// An answer of the query API (Prometheus, "HTTP API", instant queries).
#[derive(Deserialize)]
struct Answer<'a> {
    status: &'a str,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    result: Vec<Series>,
}

/// A series with its value now.
#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

fn series(answer: &[u8]) -> Result<Vec<Series>, SafeText> {
    let no_answer = || SafeText::new("answers with what is no answer of the query API");
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|_| no_answer())?;
    match (answer.status, answer.data) {
        ("success", Some(data)) => Ok(data.result),
        _ => Err(answer.error.map_or_else(no_answer, |it| SafeText::capped(&it, 300))),
    }
}

impl Series {
    fn label(&self, name: &str) -> &str {
        self.metric.get(name).map_or("", String::as_str)
    }

    fn text(&self, name: &str) -> Option<SafeText> {
        Some(self.label(name)).filter(|it| !it.is_empty()).map(SafeText::new)
    }

    fn host(&self) -> Option<HostName> {
        self.text("host").map(|it| HostName::new(it.as_str()))
    }

    fn source(&self) -> Option<&'static str> {
        source::ALL.iter().map(|it| it.name).find(|it| *it == self.label("source"))
    }

    fn verdict(&self) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|it| it.word() == self.label("verdict"))
    }

    /// The number, which may be written as `1.795403564e+09`.
    #[expect(clippy::cast_possible_truncation, reason = "it is looked at before")]
    fn moment(&self) -> Option<Moment> {
        let number: f64 = self.value.1.parse().ok()?;
        (number.abs() < 1e15).then(|| Moment::from_unix(number as i64))
    }

    fn is_one(&self) -> bool {
        self.value.1 == "1"
    }
}

/// Where a layer belongs: host, place, source, layer.
type Spot = (HostName, PlaceName, &'static str, &'static str);

/// What is told of one layer of one place.
#[derive(Default)]
struct Layer {
    info: Option<BTreeMap<String, SafeText>>,
    begins: Option<Moment>,
    ends: Option<Moment>,
    chain_ends: Option<Moment>,
}

struct Gathering<'a> {
    by: &'a SafeText,
    hosts: BTreeMap<HostName, (Host, Told)>,
    layers: BTreeMap<Spot, Layer>,
}

impl Gathering<'_> {
    fn take_in(&mut self, metric: &str, series: &Series) {
        let Some(host) = series.host() else { return };
        if metric == "certdeck_host_up" {
            self.begin(host, series.is_one());
            return;
        }
        // Whatever else is told of a host, it is told whether it could be read.
        let Some((known, told)) = self.hosts.get_mut(&host) else { return };
        match metric {
            "certdeck_host_seen_timestamp_seconds" => known.seen_at = series.moment(),
            "certdeck_host_info" => {
                let groups = series.label("groups").split(',').filter(|it| !it.is_empty());
                known.groups = groups.map(|it| SafeText::new(it).to_string()).collect();
                told.owner = series.text("owner");
                told.runbook = series.text("runbook");
            }
            "certdeck_place_verdict" => {
                let Some((place, source, verdict)) = place_verdict(series) else { return };
                known.places.push(Place::new(source, place.clone()));
                told.verdicts.push((place, source, verdict));
            }
            "certdeck_finding" => told.findings.extend(finding(series)),
            _ => self.add_layer(metric, host, series),
        }
    }

    fn begin(&mut self, name: HostName, is_up: bool) {
        let by = self.by;
        let mut host = Host::new(name.clone(), name.as_str(), &[]);
        host.reach = if is_up {
            Reach::Up
        } else {
            let text = SafeText::new(&format!("{name}: {by} tells that it could not be read"));
            Reach::Down(Unreached { why: Why::Other, text, hint: None })
        };
        let told = Told { by: by.clone(), ..Told::default() };
        // Of two exporters that tell of one host, one is enough that could read it.
        let is_better = self.hosts.get(&name).is_none_or(|it| it.0.reach != Reach::Up);
        if is_better {
            self.hosts.insert(name, (host, told));
        }
    }

    fn add_layer(&mut self, metric: &str, host: HostName, series: &Series) {
        let source = series.source();
        let layer = LAYERS.iter().copied().find(|it| *it == series.label("layer"));
        let (Some(source), Some(layer), Some(place)) = (source, layer, series.text("place")) else {
            return;
        };
        let layer = self.layers.entry((host, place, source, layer)).or_default();
        let at = series.moment();
        match metric {
            "certdeck_certificate_info" => {
                let texts = series.metric.iter().map(|(k, v)| (k.clone(), SafeText::new(v)));
                layer.info = Some(texts.collect());
            }
            "certdeck_certificate_not_before_timestamp_seconds" => layer.begins = at,
            "certdeck_certificate_not_after_timestamp_seconds" => layer.ends = at,
            "certdeck_chain_not_after_timestamp_seconds" => layer.chain_ends = at,
            _ => {}
        }
    }

    fn finished(mut self) -> Vec<Host> {
        for ((name, place, source, kind), layer) in self.layers {
            let Some((host, _)) = self.hosts.get_mut(&name) else { continue };
            let at = host.seen_at.unwrap_or_default();
            let Some(sighting) = sighting(&layer, kind, self.by, at) else { continue };
            let Some(it) =
                host.places.iter_mut().find(|it| it.name == place && it.source == source)
            else {
                continue;
            };
            match kind {
                "issued" => it.layers.issued = Some(sighting),
                "disk" => it.layers.disk = Some(sighting),
                "loaded" => it.layers.loaded = Some(sighting),
                _ => it.layers.wire.push(sighting),
            }
        }
        let finish = |(mut host, told): (Host, Told)| {
            host.tried_at = host.seen_at;
            // Two exporters may tell of one host.
            host.places.sort_by(|a, b| (&a.name, a.source).cmp(&(&b.name, b.source)));
            host.places.dedup_by(|a, b| (&a.name, a.source) == (&b.name, b.source));
            host.told = Some(Arc::new(told));
            host
        };
        self.hosts.into_values().map(finish).collect()
    }
}

fn place_verdict(series: &Series) -> Option<(PlaceName, &'static str, Verdict)> {
    Some((series.text("place")?, series.source()?, series.verdict()?))
}

fn finding(series: &Series) -> Option<ToldFinding> {
    let severities = [Severity::Info, Severity::Warning, Severity::Critical];
    Some(ToldFinding {
        place: series.text("place"),
        verdict: series.verdict()?,
        severity: severities.into_iter().find(|it| it.word() == series.label("severity"))?,
        rule: series.text("rule").unwrap_or_default(),
    })
}

/// A certificate of which no more is known than metrics tell: of its names, the first.
fn sighting(layer: &Layer, kind: &str, by: &SafeText, at: Moment) -> Option<Sighting> {
    let info = layer.info.as_ref()?;
    let text = |name: &str| info.get(name).cloned().unwrap_or_default();
    let sha256 = Fingerprint::parse(text("sha256").as_str())?;
    let domain = text("domain");
    let leaf = Certificate {
        sha256,
        // The key is not told; one that nothing else has says the least.
        spki_sha256: sha256,
        serial: text("serial"),
        subject: SafeText::new(&format!("CN={domain}")),
        issuer: SafeText::new(&format!("CN={}", text("issuer"))),
        names: vec![domain],
        not_before: layer.begins?,
        not_after: layer.ends?,
        key: key(text("key").as_str()),
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    };
    let trust = Trust { anchor: None, until: layer.chain_ends };
    let chain = Chain { leaf: Arc::new(leaf), rest: Vec::new(), fault: None, trust };
    let location = SafeText::new(&format!("{kind}, told by {by}"));
    Some(Sighting { chain: Arc::new(chain), location, at })
}

fn key(text: &str) -> KeyKind {
    let bits = |prefix| text.strip_prefix(prefix).and_then(|it| it.parse().ok());
    match (bits("ecdsa-p"), bits("rsa-")) {
        (Some(bits), _) => KeyKind::Ecdsa(bits),
        (None, Some(bits)) => KeyKind::Rsa(bits),
        (None, None) if text == "ed25519" => KeyKind::Ed25519,
        (None, None) => KeyKind::Other,
    }
}

const LAYERS: [&str; 4] = ["issued", "disk", "loaded", "wire"];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::prometheus;

    /// Reads what these metrics say, each with its labels and its value.
    fn read(samples: &[(&str, Value, &str)]) -> Result<Vec<Host>, SafeText> {
        let answers: Vec<_> = METRICS
            .iter()
            .map(|metric| {
                let of_it = samples.iter().filter(|it| it.0 == *metric);
                let result: Vec<_> = of_it
                    .map(|it| json!({ "metric": it.1, "value": [1_795_403_564.5, it.2] }))
                    .collect();
                let data = json!({ "resultType": "vector", "result": result });
                json!({ "status": "success", "data": data }).to_string().into_bytes()
            })
            .collect();
        let answers: Vec<_> = answers.iter().map(Vec::as_slice).collect();
        hosts(&SafeText::new("asia"), &answers)
    }

    #[test]
    fn everything_that_is_asked_for_is_exported() {
        for name in METRICS {
            assert!(prometheus::ALL.iter().any(|it| it.name == *name), "{name}");
        }
    }

    #[test]
    fn a_host_is_put_together_again() {
        let layer = json!({ "host": "a", "place": "www", "source": "certbot", "layer": "disk" });
        let mut info = layer.clone();
        let sha256 = "ab".repeat(32);
        for (name, value) in
            [("sha256", &*sha256), ("domain", "www.a.test"), ("issuer", "R10"), ("key", "rsa-2048")]
        {
            info[name] = value.into();
        }
        let found = json!({ "host": "a", "place": "www", "verdict": "due", "severity": "info",
            "rule": "due" });
        let verdict = json!({ "host": "a", "place": "www", "source": "certbot", "verdict": "due" });
        let groups = json!({ "host": "a", "groups": "production,edge", "owner": "me" });
        let hosts = read(&[
            ("certdeck_host_up", json!({ "host": "a" }), "1"),
            ("certdeck_host_up", json!({ "host": "b\u{1b}[2J" }), "0"),
            ("certdeck_host_seen_timestamp_seconds", json!({ "host": "a" }), "1.795403564e+09"),
            ("certdeck_host_info", groups, "1"),
            ("certdeck_certificate_info", info, "1"),
            ("certdeck_certificate_not_before_timestamp_seconds", layer.clone(), "1795000000"),
            ("certdeck_certificate_not_after_timestamp_seconds", layer, "1796000000"),
            ("certdeck_place_verdict", verdict, "1"),
            ("certdeck_finding", found, "1"),
        ]);
        let hosts = hosts.unwrap();
        let [a, b] = &*hosts else { panic!("{hosts:?}") };
        assert_eq!((a.seen_at, &a.reach), (Some(Moment::from_unix(1_795_403_564)), &Reach::Up));
        assert_eq!(a.groups, ["production", "edge"]);
        let leaf = a.places[0].leaf().unwrap();
        assert_eq!((leaf.not_after.unix(), leaf.authority()), (1_796_000_000, "R10"));
        assert_eq!((leaf.names[0].as_str(), leaf.key), ("www.a.test", KeyKind::Rsa(2048)));
        let told = a.told.as_ref().unwrap();
        assert!(told.owner.as_ref().is_some_and(|it| *it == "me") && told.findings.len() == 1);
        assert_eq!(b.name.as_str(), "b^[[2J");
        assert!(matches!(b.reach, Reach::Down(_)));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let layer = json!({ "host": "a", "place": "x", "source": "future", "layer": "disk" });
        let hosts = read(&[
            ("certdeck_host_up", json!({}), "1"),
            ("certdeck_host_up", json!({ "host": "a" }), "NaN"),
            ("certdeck_host_seen_timestamp_seconds", json!({ "host": "a" }), "+Inf"),
            ("certdeck_certificate_not_after_timestamp_seconds", layer, "7"),
            ("certdeck_finding", json!({ "host": "a", "verdict": "?", "severity": "!" }), "1"),
            ("certdeck_finding", json!({ "host": "nobody", "verdict": "due" }), "1"),
        ]);
        let [host] = &*hosts.unwrap() else { panic!("one host is told of") };
        assert!(host.places.is_empty() && host.seen_at.is_none());
        assert!(host.told.as_ref().unwrap().findings.is_empty());
    }

    #[test]
    fn an_answer_that_is_none_is_told() {
        let read = |answer: &str| hosts(&SafeText::new("asia"), &[answer.as_bytes()]).unwrap_err();
        let error = r#"{"status":"error","errorType":"bad_data","error":"no\u001b such query"}"#;
        assert_eq!(read(error), "no^[ such query");
        for answer in ["", "<html>", "[]", "{}", r#"{"status":"success"}"#] {
            assert!(read(answer).as_str().contains("no answer of the query API"), "{answer}");
        }
    }
}
