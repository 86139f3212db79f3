//! Alert rules of Prometheus for our metrics, in tiers: by the part of its life that a certificate
//! has left, because six days are early for one and late for another. Days only for those who ask.

use std::io::{self, Write};

use serde_json::Value;

/// The sentence of a rule about a place or a host.
macro_rules! at {
    ($text:literal) => {
        concat!("{{ with $labels.place }}{{ . }} on {{ end }}{{ $labels.host }}: ", $text)
    };
}

/// What is found and nobody has said of that it is known.
macro_rules! found {
    ($labels:literal) => {
        concat!(
            "certdeck_finding{",
            $labels,
            "} unless on (host, place, rule) certdeck_finding_known_until_timestamp_seconds"
        )
    };
}

/// Which rules are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alerts<'a> {
    /// Days before the end, the most first, at which to alert besides.
    pub days: &'a [u32],
    /// The runbook of what has none of its own.
    pub runbook: Option<&'a str>,
}

impl Alerts<'_> {
    /// Writes them as a file of rules, in YAML.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(HEAD.as_bytes())?;
        for Group { name, records, alerts } in GROUPS {
            write!(out, "\n  - name: {name}\n    rules:\n")?;
            for record in *records {
                write_record(*record, out)?;
            }
            for it in *alerts {
                self.alert(&it.of_table(), out)?;
            }
        }
        let Some(most) = self.days.first() else { return Ok(()) };
        writeln!(out, "\n  # Certificates of {most} days and less are always late by these.")?;
        write!(out, "  - name: certdeck-days\n    rules:\n")?;
        write_record(LEFT, out)?;
        let next = self.days.iter().skip(1).map(Some).chain([None]);
        for (at, (days, next)) in self.days.iter().zip(next).enumerate() {
            self.alert(&of_days(*days, next.copied(), at), out)?;
        }
        Ok(())
    }

    fn alert(&self, it: &Written<'_>, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "      - alert: {}\n        expr: {}\n", it.name, quoted(&it.expr))?;
        if !it.hold.is_empty() {
            writeln!(out, "        for: {}", it.hold)?;
        }
        let owner = it.is_of_host.then(|| of_host("owner", ""));
        let severity = it.severity.map(str::to_owned);
        let labels = [("owner", owner), ("severity", severity)];
        if labels.iter().any(|it| it.1.is_some()) {
            writeln!(out, "        labels:")?;
        }
        for (name, value) in labels.iter().filter_map(|it| Some((it.0, it.1.as_ref()?))) {
            writeln!(out, "          {name}: {}", quoted(value))?;
        }
        let other = self.runbook.unwrap_or_default();
        let runbook = if it.is_of_host { of_host("runbook", other) } else { other.to_owned() };
        let annotations =
            [("summary", &*it.summary), ("description", it.description), ("runbook_url", &runbook)];
        writeln!(out, "        annotations:")?;
        for (name, value) in annotations.into_iter().filter(|it| !it.1.is_empty()) {
            writeln!(out, "          {name}: {}", quoted(value))?;
        }
        Ok(())
    }

    /// Every expression in them, for tests.
    #[cfg(test)]
    fn expressions() -> impl Iterator<Item = &'static str> {
        let records = GROUPS.iter().flat_map(|it| it.records).map(|it| it.1);
        records.chain(GROUPS.iter().flat_map(|it| it.alerts).map(|it| it.expr))
    }
}

fn write_record((name, expr): (&str, &str), out: &mut dyn Write) -> io::Result<()> {
    write!(out, "      - record: {name}\n        expr: {}\n", quoted(expr))
}

/// Rules that are evaluated together, one after the other.
struct Group {
    name: &'static str,
    /// Series that are kept by a name of their own, with how they come about.
    records: &'static [(&'static str, &'static str)],
    alerts: &'static [Alert],
}

/// A rule of the table.
struct Alert {
    name: &'static str,
    expr: &'static str,
    /// How long it must be true.
    hold: &'static str,
    /// `None` where the series itself says how soon somebody must act.
    severity: Option<&'static str>,
    /// Whether the series has a host, whose groups tell whom to ask.
    is_of_host: bool,
    summary: &'static str,
    /// What to look at first.
    description: &'static str,
}

impl Alert {
    fn of_table(&self) -> Written<'_> {
        Written {
            name: self.name.to_owned(),
            expr: self.expr.to_owned(),
            hold: self.hold,
            severity: self.severity,
            is_of_host: self.is_of_host,
            summary: self.summary.to_owned(),
            description: self.description,
        }
    }
}

/// A rule as it is written.
struct Written<'a> {
    name: String,
    expr: String,
    hold: &'a str,
    severity: Option<&'a str>,
    is_of_host: bool,
    summary: String,
    description: &'a str,
}

/// The rule for what ends within so many days, and not within the next smaller number of them.
fn of_days(days: u32, next: Option<u32>, at: usize) -> Written<'static> {
    let next = next.map(|it| format!(" >= {it} * 86400")).unwrap_or_default();
    Written {
        name: format!("CertdeckEndsWithin{days}Days"),
        expr: format!("certdeck:certificate_left:seconds < {days} * 86400{next}"),
        hold: "15m",
        severity: Some(match at {
            0 => "info",
            1 => "warning",
            _ => "critical",
        }),
        is_of_host: true,
        summary: at!("{{ $value | humanizeDuration }} left").to_owned(),
        description: LOOK,
    }
}

/// What the groups of the host say. A template, because an owner changes more often than rules do;
/// and not a join, because a host of which nobody has told anything must not silence an alert.
fn of_host(label: &str, other: &str) -> String {
    let found = "{{ with printf \"certdeck_host_info{host=%q}\" $labels.host | query }}";
    if other.is_empty() {
        return format!("{found}{{{{ . | first | label \"{label}\" }}}}{{{{ end }}}}");
    }
    // An owner or a runbook that nobody has told is an empty label.
    format!(
        "{found}{{{{ with . | first | label \"{label}\" }}}}{{{{ . }}}}{{{{ else }}}}{other}\
         {{{{ end }}}}{{{{ else }}}}{other}{{{{ end }}}}"
    )
}

/// A string of JSON is one of YAML (YAML 1.2, section 1.3).
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

const HEAD: &str = "\
# Alert rules for the metrics of certdeck. Check them with `promtool check rules`.
#
# Tiers go by life, not by days: info where a renewal is late, warning where it is overdue,
# critical where a twelfth of the life is left or clients are turned away already. Labels `owner`
# and `runbook_url` come from the groups of the inventory.
groups:";

/// How long the worst of what clients get, what is loaded and what lies on the disk is still valid.
const LEFT: (&str, &str) = (
    "certdeck:certificate_left:seconds",
    "min by (host, place, source) (certdeck_certificate_not_after_timestamp_seconds{layer!=\"issued\"}) - time()",
);

/// What to look at first: everything that is known of the place, or of the host.
const LOOK: &str = "certdeck scan '{{ with $labels.place }}{{ $labels.host }}/{{ . }}{{ else }}host:{{ $labels.host }}{{ end }}'";

const GROUPS: &[Group] = &[
    Group {
        name: "certdeck-lifetime",
        records: &[
            // The worst of what clients get, what is loaded and what lies on the disk.
            (
                "certdeck:certificate_life_left:ratio",
                "min by (host, place, source) ((certdeck_certificate_not_after_timestamp_seconds{layer!=\"issued\"} - time()) / (certdeck_certificate_not_after_timestamp_seconds - certdeck_certificate_not_before_timestamp_seconds))",
            ),
        ],
        alerts: &[
            Alert {
                name: "CertdeckRenewalLate",
                // A third is where clients begin, or a half of less than ten days.
                expr: "certdeck:certificate_life_left:ratio < 1 / 4 > 1 / 12",
                hold: "1h",
                severity: Some("info"),
                is_of_host: true,
                summary: at!(
                    "{{ $value | humanizePercentage }} of its life is left, and no renewal came"
                ),
                description: LOOK,
            },
            Alert {
                name: "CertdeckRenewalOverdue",
                expr: found!("verdict=\"overdue\""),
                hold: "1h",
                severity: Some("warning"),
                is_of_host: true,
                summary: at!("renewal is overdue: automation fails in silence"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckEndsSoon",
                expr: "certdeck:certificate_life_left:ratio <= 1 / 12 > 0",
                hold: "15m",
                severity: Some("critical"),
                is_of_host: true,
                summary: at!("{{ $value | humanizePercentage }} of its life is left"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckExpired",
                expr: "certdeck:certificate_life_left:ratio <= 0",
                hold: "",
                severity: Some("critical"),
                is_of_host: true,
                summary: at!("the certificate has expired"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckServesExpired",
                expr: "certdeck_probe_not_after_timestamp_seconds <= time()",
                hold: "",
                severity: Some("critical"),
                is_of_host: true,
                summary: "{{ $labels.name }} at {{ $labels.address }} ({{ $labels.host }}, {{ $labels.vantage }}): an expired certificate is served",
                description: LOOK,
            },
            Alert {
                name: "CertdeckChainEndsSoon",
                expr: "certdeck_chain_not_after_timestamp_seconds{layer!=\"issued\"} - time() < 14 * 86400",
                hold: "1h",
                severity: Some("warning"),
                is_of_host: true,
                summary: at!("an intermediate ends in {{ $value | humanizeDuration }}"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckCredentialEndsSoon",
                expr: "certdeck_other_expiry_timestamp_seconds - time() < 14 * 86400",
                hold: "1h",
                severity: Some("warning"),
                is_of_host: false,
                summary: "{{ $labels.name }} ends in {{ $value | humanizeDuration }}",
                description: "see [[expiry]] of the inventory: make a new one before it ends",
            },
        ],
    },
    Group {
        name: "certdeck-state",
        records: &[],
        alerts: &[
            Alert {
                name: "CertdeckUnloaded",
                expr: found!("verdict=\"unloaded\",severity!=\"info\""),
                hold: "15m",
                severity: None,
                is_of_host: true,
                summary: at!("renewed, and the old certificate is still served"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckDrift",
                expr: found!("verdict=\"drift\",severity!=\"info\""),
                hold: "30m",
                severity: None,
                is_of_host: true,
                summary: at!("not the certificate that its siblings have"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckChain",
                expr: found!("verdict=\"chain\",severity!=\"info\""),
                hold: "5m",
                severity: None,
                is_of_host: true,
                summary: at!("an intermediate is missing, wrong or expired"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckKey",
                expr: found!("verdict=\"key\",severity!=\"info\""),
                hold: "5m",
                severity: None,
                is_of_host: true,
                summary: at!("private key and certificate do not match: the next reload fails"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckName",
                expr: found!("verdict=\"name\",severity!=\"info\""),
                hold: "5m",
                severity: None,
                is_of_host: true,
                summary: at!("a name is served that the certificate does not cover"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckRevoked",
                expr: found!("verdict=\"revoked\",severity!=\"info\""),
                hold: "5m",
                severity: None,
                is_of_host: true,
                summary: at!("revoked, or the CA asks for a replacement"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckStaging",
                expr: found!("verdict=\"staging\",severity!=\"info\""),
                hold: "15m",
                severity: None,
                is_of_host: true,
                summary: at!("a test or self-signed certificate where a public one belongs"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckClock",
                expr: found!("verdict=\"clock\",severity!=\"info\""),
                hold: "30m",
                severity: None,
                is_of_host: true,
                summary: at!("the clock is off, or the certificate is not yet valid"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckHostUnreachable",
                expr: "certdeck_host_up == 0",
                hold: "30m",
                severity: Some("warning"),
                is_of_host: true,
                summary: "{{ $labels.host }} cannot be read: what is told of it grows old",
                description: LOOK,
            },
            Alert {
                name: "CertdeckNotServed",
                expr: "certdeck_probe_up == 0",
                hold: "10m",
                severity: Some("warning"),
                is_of_host: true,
                summary: "{{ $labels.name }} at {{ $labels.address }} ({{ $labels.host }}, {{ $labels.vantage }}): no certificate is served",
                description: LOOK,
            },
        ],
    },
    Group {
        name: "certdeck-automation",
        records: &[],
        alerts: &[
            Alert {
                name: "CertdeckAutomation",
                expr: found!("verdict=\"automation\",severity!=\"info\""),
                hold: "6h",
                severity: None,
                is_of_host: true,
                summary: at!("fine today, and it will not renew by itself"),
                description: LOOK,
            },
            Alert {
                name: "CertdeckRenewalFailed",
                expr: "cert_renewal_failure == 1",
                hold: "1h",
                severity: Some("warning"),
                is_of_host: false,
                summary: "{{ $labels.domain }}: the last renewal failed ({{ $labels.reason }})",
                description: "certdeck scan 'name:{{ $labels.domain }}'",
            },
            Alert {
                name: "CertdeckBudgetLow",
                expr: "certdeck_budget_left / certdeck_budget_size < 1 / 5",
                hold: "",
                severity: Some("warning"),
                is_of_host: false,
                summary: "{{ $labels.issuer }}: {{ $value | humanizePercentage }} of the limit {{ $labels.limit }} is left",
                description: "order nothing that can wait; find what orders so often",
            },
            Alert {
                name: "CertdeckBudgetUsedUp",
                // Failures come back within the hour, and what failed is told by another alert.
                expr: "certdeck_budget_scope_left{limit!~\"failures|patience\"} == 0",
                hold: "",
                severity: Some("warning"),
                is_of_host: false,
                summary: "{{ $labels.ca }} refuses {{ if $labels.scope }}{{ $labels.scope }}{{ else }}orders{{ end }} for now: nothing is left of its limit {{ $labels.limit }}",
                description: "certdeck budget",
            },
        ],
    },
    Group {
        name: "certdeck-scan",
        records: &[],
        alerts: &[
            Alert {
                name: "CertdeckScanStale",
                // A file that is written by cron tells no interval: a day, and two hours for it.
                expr: "time() - certdeck_scan_timestamp_seconds > 4 * certdeck_scan_interval_seconds or time() - certdeck_scan_timestamp_seconds > 26 * 3600",
                hold: "5m",
                severity: Some("warning"),
                is_of_host: false,
                summary: "the last complete scan is {{ $value | humanizeDuration }} old: all of this may have changed",
                description: "journalctl -u certdeck-export",
            },
            Alert {
                name: "CertdeckScanMissing",
                expr: "absent(certdeck_scan_timestamp_seconds)",
                hold: "15m",
                severity: Some("critical"),
                is_of_host: false,
                summary: "nobody looks at certificates: there are no metrics of certdeck",
                description: "systemctl status certdeck-export",
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::super::prometheus;
    use super::*;
    use crate::fleet::Verdict;

    fn written(alerts: Alerts<'_>) -> String {
        let mut out = Vec::new();
        alerts.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rules_are_written_in_tiers() {
        let runbook = Some("https://wiki.example.net/tls");
        insta::assert_snapshot!(written(Alerts { days: &[30, 3], runbook }));
    }

    #[test]
    fn days_are_only_for_those_who_ask() {
        let text = written(Alerts::default());
        assert!(!text.contains("Days") && !text.contains("86400 >="), "{text}");
        assert!(text.contains("runbook_url"), "the groups tell one all the same");
    }

    #[test]
    fn every_metric_and_verdict_in_them_is_one() {
        let mut metrics = 0;
        for expr in Alerts::expressions() {
            for name in names(expr).filter(|it| it.starts_with("cert") && !it.contains(':')) {
                metrics += 1;
                assert!(prometheus::ALL.iter().any(|it| it.name == name), "{name} in {expr}");
            }
            if let Some(word) = expr.split("verdict=\"").nth(1).and_then(|it| it.split('"').next())
            {
                assert!(Verdict::ALL.iter().any(|it| it.word() == word), "{word}");
            }
        }
        assert!(metrics > 20, "{metrics}");
    }

    /// The words of an expression.
    fn names(expr: &str) -> impl Iterator<Item = &str> {
        expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
    }
}
