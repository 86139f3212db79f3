//! Alert rules as `promtool test rules` sees them: each tier at the moment at which it should fire,
//! and not before.

use std::fmt::Write as _;
use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::lab::are_here;
use crate::serve::Home;

/// Series that are given, and the alerts that fire at some moments.
struct Case {
    /// Each with one value for every hour.
    series: &'static [(&'static str, &'static str)],
    /// When, which alert, and the labels and the summary of the only one that fires; none: none.
    expected: &'static [(&'static str, &'static str, Fires)],
}

type Fires = Option<(&'static [(&'static str, &'static str)], &'static str)>;

/// A certificate of ninety days from the beginning on.
const OF_90_DAYS: &[(&str, &str)] = &[
    (
        concat!(
            "certdeck_certificate_not_before_timestamp_seconds",
            "{host=\"web-01\",place=\"www\",source=\"certbot\",layer=\"wire\"}"
        ),
        "0x2400",
    ),
    (
        concat!(
            "certdeck_certificate_not_after_timestamp_seconds",
            "{host=\"web-01\",place=\"www\",source=\"certbot\",layer=\"wire\"}"
        ),
        "7776000x2400",
    ),
    // What lies on the disk is newer, which helps no client.
    (
        concat!(
            "certdeck_certificate_not_before_timestamp_seconds",
            "{host=\"web-01\",place=\"www\",source=\"certbot\",layer=\"disk\"}"
        ),
        "5184000x2400",
    ),
    (
        concat!(
            "certdeck_certificate_not_after_timestamp_seconds",
            "{host=\"web-01\",place=\"www\",source=\"certbot\",layer=\"disk\"}"
        ),
        "12960000x2400",
    ),
    (
        "certdeck_host_info{host=\"web-01\",groups=\"production\",owner=\"edge team\",runbook=\"https://wiki.example.net/edge\"}",
        "1x2400",
    ),
];

/// One of 160 hours, at a host of which nobody has told whom to ask.
const OF_SIX_DAYS: &[(&str, &str)] = &[
    (
        "certdeck_certificate_not_before_timestamp_seconds{host=\"edge\",place=\"api\",source=\"certdeck\",layer=\"disk\"}",
        "0x200",
    ),
    (
        "certdeck_certificate_not_after_timestamp_seconds{host=\"edge\",place=\"api\",source=\"certdeck\",layer=\"disk\"}",
        "576000x200",
    ),
    ("certdeck_host_info{host=\"edge\",groups=\"\",owner=\"\",runbook=\"\"}", "1x200"),
];

const WWW: &[(&str, &str)] =
    &[("host", "web-01"), ("place", "www"), ("source", "certbot"), ("owner", "edge team")];
const API: &[(&str, &str)] = &[("host", "edge"), ("place", "api"), ("source", "certdeck")];

/// A finding about a place, and what comes of it.
macro_rules! finding {
    ($verdict:literal, $alert:literal, $early:literal, $late:literal, $summary:literal) => {
        Case {
            series: &[
                (
                    concat!(
                        "certdeck_finding{host=\"a\",place=\"p\",verdict=\"",
                        $verdict,
                        "\",severity=\"critical\",rule=\"r\"}"
                    ),
                    "_ 1x48",
                ),
                (
                    concat!(
                        "certdeck_finding{host=\"b\",place=\"\",verdict=\"",
                        $verdict,
                        "\",severity=\"info\",rule=\"r\"}"
                    ),
                    "_ 1x48",
                ),
            ],
            expected: &[
                ($early, $alert, None),
                (
                    $late,
                    $alert,
                    Some((
                        &[
                            ("host", "a"),
                            ("place", "p"),
                            ("verdict", $verdict),
                            ("severity", "critical"),
                            ("rule", "r"),
                        ],
                        $summary,
                    )),
                ),
            ],
        }
    };
}

const CASES: &[Case] = &[
    Case {
        series: OF_90_DAYS,
        expected: &[
            ("60d", "CertdeckRenewalLate", None),
            (
                "70d",
                "CertdeckRenewalLate",
                Some((WWW, "www on web-01: 22.22% of its life is left, and no renewal came")),
            ),
            ("70d", "CertdeckEndsSoon", None),
            ("84d", "CertdeckRenewalLate", None),
            ("84d", "CertdeckEndsSoon", Some((WWW, "www on web-01: 6.667% of its life is left"))),
            ("84d", "CertdeckExpired", None),
            ("90d", "CertdeckExpired", Some((WWW, "www on web-01: the certificate has expired"))),
            ("90d", "CertdeckEndsSoon", None),
            ("59d", "CertdeckEndsWithin30Days", None),
            ("65d", "CertdeckEndsWithin30Days", Some((WWW, "www on web-01: 25d 0h 0m 0s left"))),
            ("78d", "CertdeckEndsWithin14Days", Some((WWW, "www on web-01: 12d 0h 0m 0s left"))),
            ("78d", "CertdeckEndsWithin30Days", None),
            ("85d", "CertdeckEndsWithin7Days", Some((WWW, "www on web-01: 5d 0h 0m 0s left"))),
            ("88d", "CertdeckEndsWithin3Days", Some((WWW, "www on web-01: 2d 0h 0m 0s left"))),
            ("88d", "CertdeckEndsWithin7Days", None),
        ],
    },
    Case {
        series: OF_SIX_DAYS,
        expected: &[
            ("100h", "CertdeckRenewalLate", None),
            (
                "130h",
                "CertdeckRenewalLate",
                Some((API, "api on edge: 18.75% of its life is left, and no renewal came")),
            ),
            ("150h", "CertdeckEndsSoon", Some((API, "api on edge: 6.25% of its life is left"))),
            ("160h", "CertdeckExpired", Some((API, "api on edge: the certificate has expired"))),
        ],
    },
    Case {
        series: &[(
            "certdeck_probe_not_after_timestamp_seconds{host=\"a\",name=\"www.a.test\",vantage=\"public\",address=\"192.0.2.1:443\"}",
            "7200x9",
        )],
        expected: &[
            ("1h", "CertdeckServesExpired", None),
            (
                "2h",
                "CertdeckServesExpired",
                Some((
                    &[
                        ("host", "a"),
                        ("name", "www.a.test"),
                        ("vantage", "public"),
                        ("address", "192.0.2.1:443"),
                    ],
                    "www.a.test at 192.0.2.1:443 (a, public): an expired certificate is served",
                )),
            ),
        ],
    },
    Case {
        series: &[(
            "certdeck_chain_not_after_timestamp_seconds{host=\"a\",place=\"p\",source=\"pem\",layer=\"disk\"}",
            "1728000x400",
        )],
        expected: &[
            ("6d", "CertdeckChainEndsSoon", None),
            (
                "8d",
                "CertdeckChainEndsSoon",
                Some((
                    &[("host", "a"), ("place", "p"), ("source", "pem"), ("layer", "disk")],
                    "p on a: an intermediate ends in 12d 0h 0m 0s",
                )),
            ),
        ],
    },
    Case {
        series: &[("certdeck_other_expiry_timestamp_seconds{name=\"API token\"}", "1728000x400")],
        expected: &[
            ("6d", "CertdeckCredentialEndsSoon", None),
            (
                "8d",
                "CertdeckCredentialEndsSoon",
                Some((&[("name", "API token")], "API token ends in 12d 0h 0m 0s")),
            ),
        ],
    },
    Case {
        series: &[
            (
                "certdeck_finding{host=\"a\",place=\"p\",verdict=\"overdue\",severity=\"critical\",rule=\"overdue\"}",
                "_ 1x48",
            ),
            // Somebody knows of this one.
            (
                "certdeck_finding{host=\"b\",place=\"p\",verdict=\"overdue\",severity=\"critical\",rule=\"overdue\"}",
                "_ 1x48",
            ),
            (
                "certdeck_finding_known_until_timestamp_seconds{host=\"b\",place=\"p\",verdict=\"overdue\",severity=\"critical\",rule=\"overdue\",kind=\"snoozed\"}",
                "_ 999999x48",
            ),
        ],
        expected: &[
            ("1h", "CertdeckRenewalOverdue", None),
            // A page waits until little of its life is left.
            (
                "3h",
                "CertdeckRenewalOverdue",
                Some((
                    &[
                        ("host", "a"),
                        ("place", "p"),
                        ("verdict", "overdue"),
                        ("severity", "warning"),
                        ("rule", "overdue"),
                    ],
                    "p on a: renewal is overdue: automation fails in silence",
                )),
            ),
        ],
    },
    finding!(
        "unloaded",
        "CertdeckUnloaded",
        "1h",
        "2h",
        "p on a: renewed, and the old certificate is still served"
    ),
    finding!(
        "drift",
        "CertdeckDrift",
        "1h",
        "2h",
        "p on a: not the certificate that its siblings have"
    ),
    finding!(
        "chain",
        "CertdeckChain",
        "1h",
        "2h",
        "p on a: an intermediate is missing, wrong or expired"
    ),
    finding!(
        "key",
        "CertdeckKey",
        "1h",
        "2h",
        "p on a: private key and certificate do not match: the next reload fails"
    ),
    finding!(
        "name",
        "CertdeckName",
        "1h",
        "2h",
        "p on a: a name is served that the certificate does not cover"
    ),
    finding!(
        "revoked",
        "CertdeckRevoked",
        "1h",
        "2h",
        "p on a: revoked, or the CA asks for a replacement"
    ),
    finding!(
        "staging",
        "CertdeckStaging",
        "1h",
        "2h",
        "p on a: a test or self-signed certificate where a public one belongs"
    ),
    finding!(
        "clock",
        "CertdeckClock",
        "1h",
        "2h",
        "p on a: the clock is off, or the certificate is not yet valid"
    ),
    finding!(
        "automation",
        "CertdeckAutomation",
        "6h",
        "8h",
        "p on a: fine today, and it will not renew by itself"
    ),
    Case {
        series: &[("certdeck_host_up{host=\"a\"}", "1 0x9")],
        expected: &[
            ("1h", "CertdeckHostUnreachable", None),
            (
                "2h",
                "CertdeckHostUnreachable",
                Some((&[("host", "a")], "a cannot be read: what is told of it grows old")),
            ),
        ],
    },
    Case {
        series: &[(
            "certdeck_probe_up{host=\"a\",name=\"www.a.test\",vantage=\"loopback\",address=\"127.0.0.1:443\"}",
            "1 0x9",
        )],
        expected: &[
            ("1h", "CertdeckNotServed", None),
            (
                "2h",
                "CertdeckNotServed",
                Some((
                    &[
                        ("host", "a"),
                        ("name", "www.a.test"),
                        ("vantage", "loopback"),
                        ("address", "127.0.0.1:443"),
                    ],
                    "www.a.test at 127.0.0.1:443 (a, loopback): no certificate is served",
                )),
            ),
        ],
    },
    Case {
        series: &[
            ("cert_renewal_failure{domain=\"www.a.test\",reason=\"timeout\"}", "_ 1x9"),
            ("cert_renewal_failure{domain=\"www.b.test\",reason=\"none\"}", "0x9"),
        ],
        expected: &[
            ("1h", "CertdeckRenewalFailed", None),
            (
                "3h",
                "CertdeckRenewalFailed",
                Some((
                    &[("domain", "www.a.test"), ("reason", "timeout")],
                    "www.a.test: the last renewal failed (timeout)",
                )),
            ),
        ],
    },
    Case {
        series: &[
            ("certdeck_budget_left{issuer=\"le\",limit=\"orders\"}", "300 60 59x9"),
            ("certdeck_budget_size{issuer=\"le\",limit=\"orders\"}", "300x9"),
        ],
        expected: &[
            ("1h", "CertdeckBudgetLow", None),
            (
                "2h",
                "CertdeckBudgetLow",
                Some((
                    &[("issuer", "le"), ("limit", "orders")],
                    "le: 19.67% of the limit orders is left",
                )),
            ),
        ],
    },
    Case {
        series: &[
            (
                "certdeck_budget_scope_left{ca=\"CA\",limit=\"exact-set\",scope=\"a.test,b.test\",account=\"\"}",
                "1 0 0 1x9",
            ),
            (
                "certdeck_budget_scope_left{ca=\"CA\",limit=\"failures\",scope=\"a.test\",account=\"x\"}",
                "0x9",
            ),
        ],
        expected: &[
            ("0h", "CertdeckBudgetUsedUp", None),
            (
                "2h",
                "CertdeckBudgetUsedUp",
                Some((
                    &[("ca", "CA"), ("limit", "exact-set"), ("scope", "a.test,b.test")],
                    "CA refuses a.test,b.test for now: nothing is left of its limit exact-set",
                )),
            ),
            ("3h", "CertdeckBudgetUsedUp", None),
        ],
    },
    Case {
        series: &[
            ("certdeck_scan_timestamp_seconds{instance=\"i\"}", "0x99"),
            ("certdeck_scan_interval_seconds{instance=\"i\"}", "3600x99"),
        ],
        expected: &[
            ("4h", "CertdeckScanStale", None),
            (
                "6h",
                "CertdeckScanStale",
                Some((
                    &[("instance", "i")],
                    "the last complete scan is 6h 0m 0s old: all of this may have changed",
                )),
            ),
            ("6h", "CertdeckScanMissing", None),
        ],
    },
    // A file that cron writes once a day.
    Case {
        series: &[("certdeck_scan_timestamp_seconds", "0x99")],
        expected: &[
            ("26h", "CertdeckScanStale", None),
            (
                "28h",
                "CertdeckScanStale",
                Some((
                    &[],
                    "the last complete scan is 1d 4h 0m 0s old: all of this may have changed",
                )),
            ),
        ],
    },
    Case {
        series: &[("certdeck_scan_timestamp_seconds", "0x2 _x9")],
        expected: &[
            ("2h", "CertdeckScanMissing", None),
            (
                "6h",
                "CertdeckScanMissing",
                Some((&[], "nobody looks at certificates: there are no metrics of certdeck")),
            ),
        ],
    },
];

#[test]
fn rules_pass_the_check_and_fire_tier_by_tier() {
    if !are_here(&["promtool"]) {
        return;
    }
    let home = Home::new();
    let made = home.certdeck(&["rules", "--days", "--runbook", RUNBOOK]);
    assert!(made.status.success(), "{made:?}");
    fs::write(home.path().join("rules.yml"), &made.stdout).unwrap();
    let promtool = |arguments: &[&str]| home.command("promtool").args(arguments).output().unwrap();
    fine(&promtool(&["check", "rules", "rules.yml"]));

    let rules = String::from_utf8(made.stdout).unwrap();
    let mut fired: Vec<_> = CASES
        .iter()
        .flat_map(|it| it.expected)
        .filter(|it| it.2.is_some())
        .map(|it| it.1)
        .collect();
    fired.sort_unstable();
    for alert in rules.lines().filter_map(|it| it.trim().strip_prefix("- alert: ")) {
        assert!(fired.binary_search(&alert).is_ok(), "nothing here lets {alert} fire");
    }
    let tests: Vec<_> = CASES.iter().map(|it| it.written(&rules)).collect();
    let all = json!({ "rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": tests });
    // JSON is YAML, too.
    fs::write(home.path().join("tests.yml"), all.to_string()).unwrap();
    fine(&promtool(&["test", "rules", "tests.yml"]));
}

/// Every expression of the dashboard is one: as rules, they are read by the same parser.
#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    if !are_here(&["promtool"]) {
        return;
    }
    let home = Home::new();
    let made: Value = serde_json::from_slice(&home.certdeck(&["dashboard"]).stdout).unwrap();
    let mut rules = String::from("groups: [{name: all, rules: [\n");
    let panels = made["panels"].as_array().unwrap();
    for target in panels.iter().flat_map(|it| it["targets"].as_array().unwrap()) {
        let at = rules.len();
        writeln!(rules, "{{record: 'r:{at}', expr: {}}},", target["expr"]).unwrap();
    }
    rules.push_str("]}]\n");
    fs::write(home.path().join("rules.yml"), rules).unwrap();
    fine(&home.command("promtool").args(["check", "rules", "rules.yml"]).output().unwrap());
}

impl Case {
    /// As promtool wants it. Descriptions and severities are those of the rules.
    fn written(&self, rules: &str) -> Value {
        let series: Vec<_> = self
            .series
            .iter()
            .map(|(series, values)| json!({ "series": series, "values": values }))
            .collect();
        let alerts: Vec<_> = self
            .expected
            .iter()
            .map(|(at, alert, fires)| {
                let fires = fires.map(|(labels, summary)| firing(rules, alert, labels, summary));
                let fires: Vec<_> = fires.into_iter().collect();
                json!({ "eval_time": at, "alertname": alert, "exp_alerts": fires })
            })
            .collect();
        json!({ "interval": "1h", "input_series": series, "alert_rule_test": alerts })
    }
}

fn firing(rules: &str, alert: &str, labels: &[(&str, &str)], summary: &str) -> Value {
    let label = |name: &str| labels.iter().find(|it| it.0 == name).map(|it| it.1);
    let mut all: Value = labels.iter().map(|(name, it)| (*name, Value::from(*it))).collect();
    let rule = rules.split("- alert: ").find(|it| it.starts_with(&format!("{alert}\n"))).unwrap();
    let of_rule = |key: &str| {
        let line = rule.lines().find_map(|it| it.trim().strip_prefix(key));
        line.map(|it| serde_json::from_str::<String>(it).unwrap())
    };
    if let Some(severity) = of_rule("severity: ") {
        all["severity"] = severity.into();
    }
    let is_known = label("owner").is_some();
    let description = match (label("host"), label("place")) {
        (Some(host), Some(place)) => format!("certdeck scan '{host}/{place}'"),
        (Some(host), None) => format!("certdeck scan 'host:{host}'"),
        (None, _) => {
            let domain = label("domain").unwrap_or_default();
            of_rule("description: ").unwrap().replace("{{ $labels.domain }}", domain)
        }
    };
    let runbook = if is_known { "https://wiki.example.net/edge" } else { RUNBOOK };
    json!({
        "exp_labels": all,
        "exp_annotations":
            { "summary": summary, "description": description, "runbook_url": runbook },
    })
}

#[track_caller]
fn fine(output: &Output) {
    let said = [&*output.stdout, &*output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

const RUNBOOK: &str = "https://wiki.example.net/tls";
