//! `certdeck dashboard`: a dashboard of Grafana, printed. Changes nothing.

use super::{Exit, Failure, print};
use crate::report::dashboard;

/// Print a dashboard of Grafana for the metrics of `export`
///
/// Import it as it is: it has a uid of its own, and the data source is chosen on its page.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {}

const EXAMPLES: &str = "\
Examples:
  certdeck dashboard > /var/lib/grafana/dashboards/certdeck.json";

pub(super) fn run(_args: &Args) -> Result<Exit, Failure> {
    print(dashboard::write)?;
    Ok(Exit::Done)
}
