//! `certdeck plan`: exactly what an action would do, and nothing is done.

use std::sync::Arc;

use super::request::{Planned, Request, Targets};
use super::{Context, Exit, Failure, open, print, runtime, survey};
use crate::action::{Find, Review};
use crate::fleet::Fleet;
use crate::inventory::Inventory;
use crate::report::plan::Plans;
use crate::rollout;
use crate::store::Store;

/// Show exactly what an action would do
///
/// The hosts are read first, so that the plan rests on what is there now. Nothing is changed and
/// no CA is asked.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    request: Request,

    /// The format: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        default_value = "text",
        value_parser = FORMATS,
        hide_possible_values = true
    )]
    format: String,
}

const EXAMPLES: &str = "\
Examples:
  certdeck plan renew web-01/www.example.net
  certdeck plan renew 'state:due,overdue group=edge'
  certdeck plan issue web-01/shop --names shop.example.net --authenticator webroot --webroot /srv/www
  certdeck plan rollback web-01/www.example.net --to 3 --format json

A TARGET is HOST/LINEAGE, a host, or a filter as for `scan`; several are taken one by one.

Exit codes: 0 every target has a plan, 2 a target was refused or the request was wrong, 3 a target
was refused because its host could not be read.";

/// The formats of plans and of what became of them.
pub(super) const FORMATS: [&str; 2] = ["text", "json"];

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let inventory = Arc::new(open::inventory(context)?);
    let targets = Targets::read(&args.request, &inventory, context)?;
    let mut fleet = recalled(&inventory, context);
    let hosts = targets.hosts(&fleet, &args.request);
    runtime()?.block_on(survey::visit(context, inventory.clone(), &mut fleet, hosts))?;
    let now = context.clock.now();
    let names = targets.names(&fleet, args.request.kind, now);
    let history = &survey::history(context, &inventory, &fleet);
    let find = Find { inventory: &inventory, fleet: &fleet, history, now };
    let planned = args.request.plan(&names, find)?;
    let exit = planned.exit();
    let Planned { plans, refused } = planned;
    let waves = rollout::waves(&plans, rollout::width(&plans, &inventory));
    let review = (!plans.is_empty()).then(|| Review::new(plans));
    let shown = Plans {
        action: args.request.kind,
        review: review.as_ref(),
        waves: &waves,
        refused: &refused,
    };
    print(|out| match args.format.as_str() {
        "json" => shown.write_json(out),
        _ => shown.write_text(out),
    })?;
    Ok(exit)
}

/// The fleet as it was known the last time.
pub(super) fn recalled(inventory: &Inventory, context: &Context) -> Fleet {
    let mut fleet = inventory.fleet();
    // A snapshot that cannot be used costs nothing but the memory of hosts that are down.
    Store::new(&context.paths.state).recall(&mut fleet).ok();
    fleet
}
