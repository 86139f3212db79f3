//! `certdeck rules`: alert rules for the metrics of `export`, printed. Changes nothing.

use super::{Exit, Failure, print};
use crate::report::alerts::Alerts;

/// Print alert rules of Prometheus for the metrics of `export`
///
/// They go by the part of its life that a certificate has left, so that they fit those of six days
/// and those of a year. Whom to ask and where the runbook is come from the groups of the inventory,
/// with the metrics: nothing of it stands in the rules.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Alert so many days before the end besides, whatever the life [default list: 30,14,7,3]
    #[arg(
        long,
        value_name = "DAYS",
        value_delimiter = ',',
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30,14,7,3",
        value_parser = clap::value_parser!(u32).range(1..=3650)
    )]
    days: Vec<u32>,

    /// The runbook of hosts whose groups have none, and of what belongs to no host
    #[arg(long, value_name = "URL", value_parser = url)]
    runbook: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck rules > /etc/prometheus/certdeck.rules.yml
  certdeck rules --days=21,7 --runbook https://wiki.example.net/tls
  certdeck rules --days | promtool check rules /dev/stdin";

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut days = args.days.clone();
    days.sort_unstable_by(|a, b| b.cmp(a));
    days.dedup();
    let alerts = Alerts { days: &days, runbook: args.runbook.as_deref() };
    print(|out| alerts.write(out))?;
    Ok(Exit::Done)
}

fn url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    // In a rule, braces begin a template.
    if is_url && !text.contains(['{', '}']) && text.bytes().all(|it| it.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected a URL, as in https://wiki.example.net/tls".to_owned())
    }
}
