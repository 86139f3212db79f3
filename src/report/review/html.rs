//! HTML that stands alone: one file, nothing loaded from anywhere, light or dark as the reader has
//! it, and fit to be printed.

use std::io::{self, Write};

use super::Kind;
use super::timeline::{self, class};
use crate::fleet::Weight;
use crate::review::{Review, Row, Section, date};

pub(super) const KIND: Kind =
    Kind { name: "html", about: "a page that stands alone, with a timeline; prints well", write };

fn write(review: &Review, out: &mut dyn Write) -> io::Result<()> {
    let title = format!("Certificate review, {}", date(review.at));
    // Whatever a host has put into a name: nothing is run and nothing is loaded.
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p>{}</p>\n",
        escaped(review.summary().as_str())
    )?;
    out.write_all(b"<ul class=\"verdicts\">\n")?;
    for (verdict, count) in &review.verdicts {
        let weight = verdict.weight();
        let (class, sign) = (class(weight), sign(weight));
        writeln!(out, "<li class=\"{class}\"><b>{count}</b> <i>{sign}</i> {verdict}</li>")?;
    }
    write!(out, "</ul>\n<figure>\n{}{LEGEND}</figure>\n", timeline::svg(review))?;
    for section in review.pages() {
        write_section(&section, out)?;
    }
    let scanned = review.scanned_at.map(|it| format!("; the last host was read {it}"));
    writeln!(
        out,
        "<footer>certdeck {}, {}{}</footer>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION"),
        review.at,
        scanned.unwrap_or_default()
    )
}

fn write_section(section: &Section, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}.</p>",
        section.key,
        section.title,
        escaped(section.about.as_str())
    )?;
    if section.rows.is_empty() {
        if !section.nothing.is_empty() {
            writeln!(out, "<p class=\"nothing\">{}</p>", section.nothing)?;
        }
        return writeln!(out, "</section>");
    }
    let has_dates = section.rows.iter().any(|it| it.when.is_some());
    let when = if has_dates { "<th class=\"when\">When</th>" } else { "" };
    writeln!(
        out,
        "<table>\n<thead><tr>{when}<th class=\"what\">What</th><th class=\"where\">Where</th>\
         <th>Detail</th></tr></thead>\n<tbody>"
    )?;
    for row in &section.rows {
        write_row(row, has_dates, out)?;
    }
    writeln!(out, "</tbody>\n</table>\n</section>")
}

fn write_row(row: &Row, has_dates: bool, out: &mut dyn Write) -> io::Result<()> {
    let class = class(row.weight);
    write!(out, "<tr class=\"{class}\">")?;
    if has_dates {
        write!(out, "<td class=\"when\">{}</td>", row.when.map(date).unwrap_or_default())?;
    }
    write!(
        out,
        "<td class=\"what\"><i>{}</i> {}</td><td>{}</td><td>{}",
        sign(row.weight),
        escaped(row.what.as_str()),
        escaped(&row.places(PLACES)),
        escaped(row.text.as_str())
    )?;
    if let Some(cause) = &row.cause {
        write!(out, "<br>{}", escaped(cause.as_str()))?;
    }
    if let Some(known) = &row.known {
        write!(out, "<br><span class=\"known\">{}</span>", escaped(known.as_str()))?;
    }
    if let Some(id) = &row.finding {
        write!(out, "<br><code>{}</code>", escaped(&id.to_string()))?;
    }
    writeln!(out, "</td></tr>")
}

/// The sign beside every colour.
const fn sign(weight: Weight) -> char {
    match weight {
        Weight::Fine => '●',
        Weight::Due => '▲',
        Weight::Unknown => '?',
        Weight::Wrong => '◆',
        Weight::Expired => '✖',
    }
}

/// Text in which nothing is taken for HTML, between tags and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// The places that are named in a row.
const PLACES: usize = 6;

const LEGEND: &str = "<figcaption>\
<div><span class=\"key due\"></span> renewals due on a day</div> \
<div><span class=\"key spread\"></span> the same, spread over their windows</div> \
<div><span class=\"fine\">●</span> ends, and is renewed before</div> \
<div><span class=\"warn\">▲</span> ends, and nothing has renewed it yet</div> \
<div><span class=\"expired\">✖</span> has ended</div></figcaption>\n";

/// The colours are those of the console, in light and dark; on paper they are the light ones.
const STYLE: &str = "\
:root{--paper:#fff;--ink:#1b1f24;--dim:#57606a;--rule:#d0d7de;--fine:#0d3c4b;--warn:#595207;\
--wrong:#481f04;--expired:#c01030;--unknown:#8a1a9e;--bar:#7fb2d6;--spread:#0d3c4b}
@media (prefers-color-scheme:dark){:root{--paper:#16191f;--ink:#d8dde6;--dim:#9aa4b2;\
--rule:#39414d;--fine:#56b4e9;--warn:#f0e442;--wrong:#e68c14;--expired:#ff5f50;--unknown:#cdcdcd;\
--bar:#3f6f92;--spread:#f0e442}}
@media print{:root{--paper:#fff;--ink:#000;--dim:#444;--rule:#bbb;--fine:#0d3c4b;--warn:#595207;\
--wrong:#481f04;--expired:#c01030;--unknown:#8a1a9e;--bar:#9cc;--spread:#000}}
body{background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif;margin:2rem auto;\
max-width:66rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .5rem}
h2{font-size:1.1rem;margin:2rem 0 .3rem;border-bottom:1px solid var(--rule);padding-bottom:.2rem}
p{margin:.3rem 0}
table{border-collapse:collapse;width:100%;margin-top:.6rem;table-layout:fixed}
th.when{width:6.2em}
th.what{width:8.6em}
th.where{width:30%}
th{text-align:left;color:var(--dim);font-weight:600}
th,td{padding:.25rem .6rem .25rem 0;vertical-align:top;border-bottom:1px solid var(--rule);\
overflow-wrap:anywhere}
td.when{white-space:nowrap}
i{font-style:normal}
code{font-size:.8rem;color:var(--dim)}
.known{color:var(--dim);font-style:italic}
.nothing,footer,figcaption{color:var(--dim)}
figcaption{font-size:.85rem}
footer{margin-top:2rem;font-size:.85rem}
.verdicts{list-style:none;display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;padding:0;margin:.6rem 0}
.verdicts b{font-size:1.2rem}
tr.fine .what,li.fine,span.fine{color:var(--fine)}
tr.warn .what,li.warn,span.warn{color:var(--warn)}
tr.wrong .what,li.wrong{color:var(--wrong);font-weight:600}
tr.expired .what,li.expired,span.expired{color:var(--expired);font-weight:600}
tr.unknown .what,li.unknown{color:var(--unknown)}
figure{margin:.6rem 0}
.timeline{width:100%;height:auto}
.timeline text{font-size:14px;fill:var(--dim)}
.timeline .grid{stroke:var(--rule);fill:none}
.timeline .axis{stroke:var(--dim);fill:none}
.timeline .due{fill:var(--bar)}
.timeline .spread{stroke:var(--spread);fill:none;stroke-width:1.6}
.timeline .fine{fill:var(--fine)}
.timeline .warn{fill:var(--warn)}
.timeline .expired{stroke:var(--expired);stroke-width:2.5;fill:none}
figcaption div{display:inline-block;margin-right:1rem}
.key{display:inline-block;width:1rem;height:.7rem}
.key.due{background:var(--bar)}
.key.spread{border-top:2px solid var(--spread);height:.2rem}
@media print{body{margin:0;max-width:none;font-size:10pt}*{print-color-adjust:exact;\
-webkit-print-color-adjust:exact}tr,figure,h2{break-inside:avoid}h2{break-after:avoid}\
thead{display:table-header-group}@page{margin:1.5cm}}
";

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn nothing_is_loaded_and_nothing_runs() {
        for review in [sample::review(), sample::first(), sample::hostile()] {
            let text = sample::write(&KIND, &review);
            for wrong in ["<script", "<link", "src=", "url(", "@import", "href=", "onload=\""] {
                assert!(!text.contains(wrong), "{wrong} in\n{text}");
            }
        }
    }

    #[test]
    fn every_tag_is_closed() {
        let text = sample::write(&KIND, &sample::hostile());
        for tag in ["html", "body", "section", "table", "tr", "td", "svg", "figure", "code", "ul"] {
            let opened = text.matches(&format!("<{tag}>")).count()
                + text.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag}");
            assert!(opened > 0, "{tag}");
        }
    }

    #[test]
    fn every_section_is_there() {
        let review = sample::review();
        let text = sample::write(&KIND, &review);
        for section in review.sections() {
            assert!(text.contains(&format!("<section id=\"{}\">", section.key)));
        }
        assert!(text.contains("acknowledged by anna@laptop until"), "{text}");
        assert!(text.contains("prefers-color-scheme:dark"));
    }
}
