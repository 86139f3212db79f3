//! A dashboard of Grafana for our metrics, to import as it is: which data source it asks is chosen
//! there.

use std::io::{self, Write};

use serde_json::{Value, json};

/// Writes it as JSON.
pub fn write(out: &mut dyn Write) -> io::Result<()> {
    let mut panels = Vec::new();
    for (at, panel) in (1..).zip(PANELS) {
        panels.push(panel.json(at));
    }
    let dashboard = json!({
        "uid": "certdeck",
        "title": "Certificates (certdeck)",
        "description": "What ends when, what is wrong now, and how old that is.",
        "tags": ["certdeck", "tls"],
        "editable": true,
        "graphTooltip": 1,
        "refresh": "1m",
        "schemaVersion": 38,
        "version": 1,
        "timezone": "utc",
        "time": { "from": "now-7d", "to": "now" },
        "templating": { "list": [
            {
                "name": "datasource",
                "label": "Data source",
                "type": "datasource",
                "query": "prometheus",
            },
            {
                "name": "host",
                "label": "Host",
                "type": "query",
                "datasource": source(),
                "query": { "query": "label_values(certdeck_host_up, host)", "refId": "host" },
                "refresh": 2,
                "sort": 1,
                "multi": true,
                "includeAll": true,
                "allValue": ".*",
                "current": { "text": "All", "value": "$__all" },
            },
        ] },
        "panels": panels,
    });
    serde_json::to_writer_pretty(&mut *out, &dashboard)?;
    writeln!(out)
}

/// The data source that is chosen in Grafana.
fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A part of the page.
struct Panel {
    title: &'static str,
    about: &'static str,
    shape: Shape,
    /// Left, top, width and height, of 24 columns.
    at: [u8; 4],
    unit: &'static str,
    /// Where the colour changes: to which, from which number on.
    colors: &'static [(&'static str, Option<f64>)],
    /// Expressions, with what their series are called.
    asks: &'static [(&'static str, &'static str)],
}

/// How a panel is drawn.
enum Shape {
    /// One number for each series.
    Number,
    /// A row for each series of the only expression, with these labels, sorted by its value.
    Table { labels: &'static [(&'static str, &'static str)], value: &'static str, is_falling: bool },
    /// Lines over time, one upon the other where they are parts of a whole.
    Lines { is_stacked: bool },
}

impl Panel {
    fn json(&self, id: usize) -> Value {
        let [x, y, w, h] = self.at;
        let steps: Vec<_> = self
            .colors
            .iter()
            .map(|(color, from)| json!({ "color": color, "value": from }))
            .collect();
        let targets: Vec<_> = ('A'..='Z')
            .zip(self.asks)
            .map(|(id, (expr, legend))| self.target(id, expr, legend))
            .collect();
        json!({
            "id": id,
            "title": self.title,
            "description": self.about,
            "type": self.kind(),
            "datasource": source(),
            "gridPos": { "x": x, "y": y, "w": w, "h": h },
            "targets": targets,
            "transformations": self.transformations(),
            "options": self.options(),
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "thresholds": { "mode": "absolute", "steps": steps },
                    "color": { "mode": self.color_mode() },
                    "custom": self.custom(),
                },
                "overrides": self.overrides(),
            },
        })
    }

    fn target(&self, id: char, expr: &str, legend: &str) -> Value {
        let is_table = matches!(self.shape, Shape::Table { .. });
        let is_now = is_table || matches!(self.shape, Shape::Number);
        json!({
            "refId": id,
            "datasource": source(),
            "expr": expr,
            "legendFormat": legend,
            "instant": is_now,
            "range": !is_now,
            "format": if is_table { "table" } else { "time_series" },
        })
    }

    const fn kind(&self) -> &'static str {
        match self.shape {
            Shape::Number => "stat",
            Shape::Table { .. } => "table",
            Shape::Lines { .. } => "timeseries",
        }
    }

    const fn color_mode(&self) -> &'static str {
        match self.shape {
            Shape::Lines { .. } => "palette-classic",
            _ => "thresholds",
        }
    }

    fn options(&self) -> Value {
        match self.shape {
            Shape::Number => json!({
                "colorMode": "value",
                "graphMode": "none",
                "reduceOptions": { "calcs": ["lastNotNull"] },
            }),
            Shape::Table { .. } => json!({ "showHeader": true, "cellHeight": "sm" }),
            Shape::Lines { .. } => json!({
                "legend": { "displayMode": "list", "placement": "bottom" },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
        }
    }

    /// Which columns a table has, in which order, by which names and sorted by what.
    fn transformations(&self) -> Value {
        let Shape::Table { labels, value, is_falling } = &self.shape else { return json!([]) };
        let names = labels.iter().copied().chain([("Value", *value)]);
        let by_name: Value =
            names.clone().map(|(label, name)| (label.to_owned(), Value::from(name))).collect();
        let by_index: Value =
            names.clone().zip(0..).map(|((label, _), at)| (label.to_owned(), json!(at))).collect();
        let kept = format!("^({})$", names.map(|it| it.0).collect::<Vec<_>>().join("|"));
        json!([
            { "id": "filterFieldsByName", "options": { "include": { "pattern": kept } } },
            { "id": "organize", "options": { "renameByName": by_name, "indexByName": by_index } },
            { "id": "sortBy", "options": { "sort": [{ "field": value, "desc": is_falling }] } },
        ])
    }

    /// The value of a table is coloured.
    fn overrides(&self) -> Value {
        let Shape::Table { value, .. } = &self.shape else { return json!([]) };
        let color = json!({ "id": "custom.cellOptions", "value": { "type": "color-text" } });
        json!([{ "matcher": { "id": "byName", "options": value }, "properties": [color] }])
    }

    fn custom(&self) -> Value {
        match self.shape {
            Shape::Lines { is_stacked: true } => json!({
                "fillOpacity": 40,
                "lineWidth": 1,
                "stacking": { "mode": "normal", "group": "A" },
            }),
            Shape::Lines { is_stacked: false } => json!({ "fillOpacity": 0, "lineWidth": 1 }),
            _ => json!({}),
        }
    }
}

const PLACE: &[(&str, &str)] = &[("host", "Host"), ("place", "Certificate"), ("source", "Source")];

/// From nothing left on.
const LEFT: &[(&str, Option<f64>)] =
    &[("red", None), ("orange", Some(0.083)), ("yellow", Some(0.25)), ("blue", Some(0.5))];
/// More than none is wrong.
const NONE: &[(&str, Option<f64>)] = &[("blue", None), ("red", Some(1.0))];
const CALM: &[(&str, Option<f64>)] = &[("blue", None)];

const PANELS: &[Panel] = &[
    Panel {
        title: "Critical",
        about: "Findings that cannot wait.",
        shape: Shape::Number,
        at: [0, 0, 4, 4],
        unit: "none",
        colors: NONE,
        asks: &[(
            "count(certdeck_finding{severity=\"critical\",host=~\"$host\"}) or vector(0)",
            "critical",
        )],
    },
    Panel {
        title: "Expired",
        about: "Certificates that have ended, by whatever layer.",
        shape: Shape::Number,
        at: [4, 0, 4, 4],
        unit: "none",
        colors: NONE,
        asks: &[(
            "count(count by (host, place) (certdeck_certificate_not_after_timestamp_seconds{layer!=\"issued\",host=~\"$host\"} <= time())) or vector(0)",
            "expired",
        )],
    },
    Panel {
        title: "Ends next",
        about: "Until the next certificate ends that has not ended yet.",
        shape: Shape::Number,
        at: [8, 0, 4, 4],
        unit: "s",
        colors: &[("red", None), ("yellow", Some(259_200.0)), ("blue", Some(1_209_600.0))],
        asks: &[(
            "min((certdeck_certificate_not_after_timestamp_seconds{layer!=\"issued\",host=~\"$host\"} - time()) > 0)",
            "left",
        )],
    },
    Panel {
        title: "Hosts that cannot be read",
        about: "What is told of them grows old.",
        shape: Shape::Number,
        at: [12, 0, 4, 4],
        unit: "none",
        colors: &[("blue", None), ("yellow", Some(1.0))],
        asks: &[("count(certdeck_host_up{host=~\"$host\"} == 0) or vector(0)", "down")],
    },
    Panel {
        title: "Age of the last scan",
        about: "Everything here is as old as that.",
        shape: Shape::Number,
        at: [16, 0, 4, 4],
        unit: "s",
        colors: &[("blue", None), ("yellow", Some(3600.0)), ("red", Some(93_600.0))],
        asks: &[("max(time() - certdeck_scan_timestamp_seconds)", "age")],
    },
    Panel {
        title: "Failed renewals",
        about: "Names that could not be renewed the last time.",
        shape: Shape::Number,
        at: [20, 0, 4, 4],
        unit: "none",
        colors: &[("blue", None), ("orange", Some(1.0))],
        asks: &[("count(count by (domain) (cert_renewal_failure == 1)) or vector(0)", "failed")],
    },
    Panel {
        title: "What is worst now",
        about: "Findings that somebody has to act on. `certdeck scan` tells causes and remedies.",
        shape: Shape::Table {
            labels: &[
                ("severity", "Severity"),
                ("verdict", "Verdict"),
                ("host", "Host"),
                ("place", "Certificate"),
                ("rule", "Rule"),
            ],
            value: "Weight",
            is_falling: true,
        },
        at: [0, 4, 12, 10],
        unit: "none",
        colors: &[("yellow", None), ("red", Some(2.0))],
        asks: &[(
            "2 * certdeck_finding{severity=\"critical\",host=~\"$host\"} or certdeck_finding{severity=\"warning\",host=~\"$host\"}",
            "",
        )],
    },
    Panel {
        title: "Timeline: what ends next",
        about: "The worst of what clients get, what is loaded and what lies on the disk.",
        shape: Shape::Table { labels: PLACE, value: "Left", is_falling: false },
        at: [12, 4, 12, 10],
        unit: "s",
        colors: &[("red", None), ("yellow", Some(259_200.0)), ("blue", Some(1_209_600.0))],
        asks: &[(
            "sort(bottomk(100, min by (host, place, source) (certdeck_certificate_not_after_timestamp_seconds{layer!=\"issued\",host=~\"$host\"}) - time()))",
            "",
        )],
    },
    Panel {
        title: "Life that is left",
        about: "As a part of the whole life: a third is where renewal begins, a twelfth is late.",
        shape: Shape::Table { labels: PLACE, value: "Life left", is_falling: false },
        at: [0, 14, 12, 9],
        unit: "percentunit",
        colors: LEFT,
        asks: &[(
            "bottomk(100, 1 - max by (host, place, source) (certdeck_certificate_lifetime_elapsed_ratio{host=~\"$host\"}))",
            "",
        )],
    },
    Panel {
        title: "Verdicts",
        about: "How many places have which verdict.",
        shape: Shape::Lines { is_stacked: true },
        at: [12, 14, 12, 9],
        unit: "none",
        colors: CALM,
        asks: &[("sum by (verdict) (certdeck_place_verdict{host=~\"$host\"})", "{{verdict}}")],
    },
    Panel {
        title: "Reachability",
        about: "Hosts that could be read, and endpoints at which a certificate is served.",
        shape: Shape::Lines { is_stacked: false },
        at: [0, 23, 12, 8],
        unit: "percentunit",
        colors: CALM,
        asks: &[
            ("avg(certdeck_host_up{host=~\"$host\"})", "hosts"),
            ("avg by (vantage) (certdeck_probe_up{host=~\"$host\"})", "endpoints, {{vantage}}"),
        ],
    },
    Panel {
        title: "Why renewals fail",
        about: "Names by the reason for which they could not be renewed.",
        shape: Shape::Lines { is_stacked: true },
        at: [12, 23, 12, 8],
        unit: "none",
        colors: CALM,
        asks: &[("sum by (reason) (cert_renewal_failure == 1)", "{{reason}}")],
    },
    Panel {
        title: "Scans",
        about: "How old the last one is, and how long it took.",
        shape: Shape::Lines { is_stacked: false },
        at: [0, 31, 12, 8],
        unit: "s",
        colors: CALM,
        asks: &[
            ("time() - certdeck_scan_timestamp_seconds", "age, {{instance}}"),
            ("certdeck_scan_duration_seconds", "duration, {{instance}}"),
        ],
    },
    Panel {
        title: "What CAs still allow",
        about: "The part of each limit that is left, as far as it is known where metrics are made.",
        shape: Shape::Lines { is_stacked: false },
        at: [12, 31, 12, 8],
        unit: "percentunit",
        colors: CALM,
        asks: &[
            ("certdeck_budget_left / certdeck_budget_size", "{{issuer}}, {{limit}}"),
            (
                "bottomk(10, certdeck_budget_scope_left / certdeck_budget_scope_size)",
                "{{ca}}, {{limit}}, {{scope}} {{account}}",
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::prometheus;
    use super::*;

    #[test]
    fn a_dashboard_asks_for_what_there_is_through_the_chosen_source() {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        let made: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(made["uid"], "certdeck");
        let panels = made["panels"].as_array().unwrap();
        assert_eq!(panels.len(), PANELS.len());
        for panel in panels {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
            for target in panel["targets"].as_array().unwrap() {
                let expr = target["expr"].as_str().unwrap();
                let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let mut metrics = words.filter(|it| it.starts_with("cert")).peekable();
                assert!(metrics.peek().is_some(), "{expr}");
                for name in metrics {
                    assert!(prometheus::ALL.iter().any(|it| it.name == name), "{name} in {expr}");
                }
            }
        }
    }

    #[test]
    fn panels_lie_beside_each_other() {
        let mut cells = HashSet::new();
        for Panel { title, at: [x, y, w, h], .. } in PANELS {
            assert!(x + w <= 24, "{title}");
            for column in *x..x + w {
                for row in *y..y + h {
                    assert!(cells.insert((column, row)), "{title} lies upon another");
                }
            }
        }
    }
}
