//! `certdeck practice --results`: who practised what, when, and what it was worth.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::survey::note;
use crate::cli::{Context, Exit, Failure, print};
use crate::fleet::human;
use crate::store::{Practised, Store};

pub(super) fn run(format: &str, context: &Context) -> Result<Exit, Failure> {
    let store = Store::new(&context.paths.state);
    let (results, odd) = store.practised().map_err(anyhow::Error::from)?;
    if odd > 0 {
        let path = store.practised_path();
        note(&format!("warning: {odd} lines of {} are no results\n", path.display()));
    }
    print(|out| match format {
        "json" => write_json(&results, out),
        _ => write_text(&results, out),
    })?;
    Ok(Exit::Done)
}

fn write_text(results: &[Practised], out: &mut dyn Write) -> io::Result<()> {
    if results.is_empty() {
        return writeln!(out, "nobody has practised here; `certdeck practice` begins");
    }
    let took = |it: Option<i64>| it.map_or_else(|| "-".to_owned(), human);
    writeln!(
        out,
        "{:20}  {:20}  {:20}  {:>6}  {:>6}  {:>6}  {:>6}  {:>5}  {:>5}",
        "WHEN", "WHO", "DRILL", "POINTS", "CAUSE", "PROOF", "ORDERS", "WRONG", "HINTS"
    )?;
    for it in results {
        let (orders, least) = it.orders;
        writeln!(
            out,
            "{:20}  {:20}  {:20}  {:>6}  {:>6}  {:>6}  {:>6}  {:>5}  {:>5}",
            it.at.to_string(),
            it.who.as_str(),
            it.drill.as_str(),
            it.points,
            took(it.to_cause),
            took(it.to_proof),
            format!("{orders}/{least}"),
            it.wrong.len(),
            it.hints
        )?;
    }
    Ok(())
}

fn write_json(results: &[Practised], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Results { schema: 1, results })?;
    writeln!(out)
}

#[derive(Serialize)]
struct Results<'a> {
    schema: u32,
    results: &'a [Practised],
}
