//! `certdeck scan`: every host read once, printed for people or programs.

use std::io::{self, IsTerminal as _};

use clap::builder::PossibleValue;
use clap::builder::PossibleValuesParser;

use super::survey::Survey;
use super::{Context, Exit, Failure, notice, print, survey};
use crate::diagnose;
use crate::fleet::{Reach, Severity, Verdict};
use crate::report::{self, Page, Report};
use crate::tui::theme::Depth;

/// Read every host once and print what was found
///
/// With a filter, only what it keeps is printed, and hosts that it cannot keep are not visited.
/// The line that shows how far the scan is goes to stderr, if that is a terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to print, as in the console: fra, state:due,overdue, left<7d, group=prod
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// The format
    #[arg(long, value_name = "FORMAT", default_value = DEFAULT, value_parser = formats())]
    format: String,
}

const EXAMPLES: &str = "\
Examples:
  certdeck scan
  certdeck scan --format json | jq '.findings[] | select(.severity == \"critical\")'
  certdeck scan group=production 'left<14d'
  certdeck scan --format prometheus > /var/lib/node_exporter/certdeck.prom

Exit codes: 0 nothing critical, 1 a finding is critical, 2 the request or the inventory was wrong,
3 nothing critical, but a host could not be read. Interrupted: 130.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let filter = survey::filter(&args.filter, context)?;
    let kind = report::ALL.iter().find(|it| it.name == args.format).ok_or_else(|| {
        Failure::say(Exit::BadRequest, format!("there is no format `{}`", args.format))
    })?;
    let Survey { inventory, fleet, visited } = survey::survey(context, &filter)?;
    let now = context.clock.now();
    let mut diagnosis = diagnose::diagnose(&fleet, now);
    survey::acknowledge(context, &mut diagnosis, now);
    let page = Page {
        columns: columns(),
        is_colored: context.depth != Depth::None,
        is_ascii: context.is_ascii,
    };
    let report = Report { fleet: &fleet, diagnosis: &diagnosis, now, filter: &filter, page };
    let printed = print(|out| (kind.write)(&report, out));
    notice::critical(&diagnosis, &visited, &inventory, context);
    printed?;
    Ok(exit(&report))
}

fn exit(report: &Report<'_>) -> Exit {
    let shown = report.shown();
    if shown.findings.iter().any(|it| it.severity == Severity::Critical) {
        Exit::Failed
    } else if shown.hosts.iter().any(|it| it.host.reach != Reach::Up)
        || shown.findings.iter().any(|it| it.verdict == Verdict::Unknown)
    {
        Exit::Unknown
    } else {
        Exit::Done
    }
}

/// How wide a line may be; `None` if it goes into a file or a pipe.
fn columns() -> Option<usize> {
    let out = io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

fn formats() -> PossibleValuesParser {
    report::ALL
        .iter()
        .map(|it| PossibleValue::new(it.name).help(it.about))
        .collect::<Vec<_>>()
        .into()
}

const DEFAULT: &str = "text";
