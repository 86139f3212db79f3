//! `certdeck`: the console.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use super::{Context, Exit, Failure, open, runtime, survey};
use crate::audit::Session;
use crate::drill::Drill;
use crate::inventory::Inventory;
use crate::store::Store;
use crate::text::SafeText;
use crate::tui::theme::{self, Theme};
use crate::tui::{self, Deck};

/// How the console looks and what it may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Options of the console")]
pub struct Options {
    /// The theme: auto, dark, light, mono or high-contrast
    #[arg(long, value_name = "NAME", value_parser = theme_name)]
    pub theme: Option<String>,

    /// Show other names for hosts and certificates, for screen sharing
    #[arg(long)]
    pub privacy: bool,

    /// Refuse every change until the console is closed
    #[arg(long)]
    pub read_only: bool,

    /// Draw nothing that moves by itself
    #[arg(long)]
    pub reduced_motion: bool,
}

impl Options {
    /// What is set in either place: `--privacy demo` and `demo --privacy` are the same.
    #[cfg(feature = "practice")]
    pub(super) fn or(self, before: Self) -> Self {
        Self {
            theme: self.theme.or(before.theme),
            privacy: self.privacy || before.privacy,
            read_only: self.read_only || before.read_only,
            reduced_motion: self.reduced_motion || before.reduced_motion,
        }
    }
}

pub(super) fn run(options: &Options, context: &Context) -> Result<Exit, Failure> {
    check_terminal(context)?;
    let inventory = open::inventory(context)?;
    let left = runtime()?.block_on(open_console(options, context, inventory, With::default()))?;
    Ok(Exit::Code(left.ending.code()))
}

/// What a console begins with beside the fleet.
#[derive(Debug, Default)]
pub(super) struct With {
    /// A guided run to go on with.
    pub(super) guide: Option<tui::Guide>,
    /// A drill.
    pub(super) drill: Option<Drill>,
}

/// Opens the console on an inventory until somebody leaves.
pub(super) async fn open_console(
    options: &Options,
    context: &Context,
    inventory: Inventory,
    With { guide, drill }: With,
) -> Result<tui::Left, Failure> {
    let paths = &context.paths;
    let practice = inventory.defaults.practice;
    let what = match (&drill, practice) {
        (Some(_), _) => "practice",
        (None, true) => "demo",
        (None, false) => "console",
    };
    let sessions = survey::sessions(context, inventory.defaults.keep_warm)?;
    let deck = Deck {
        inventory: Arc::new(inventory),
        inventory_path: paths.inventory.clone(),
        reread: |path| {
            let inventory = open::inventory_at(path, false).and_then(open::trusting);
            inventory.map_err(|it| it.lines().join("\n"))
        },
        sessions,
        store: Store::new(&paths.state),
        state_dir: paths.state.clone(),
        clock: context.clock,
        session: Session { practice, ..context.session(what) },
        guide,
        drill,
        settings: settings(options, context, practice)?,
    };
    let left = tui::run(deck).await?;
    tell(&left);
    Ok(left)
}

/// Says what goes on without the console, once the terminal is its own again.
fn tell(left: &tui::Left) {
    let mut lines = Vec::new();
    if !left.goes_on.is_empty() {
        lines.push("these jobs go on on their hosts:".to_owned());
        lines.extend(left.goes_on.iter().map(|it| format!("  {}", SafeText::new(it))));
        let hint = "hint: `certdeck jobs` shows them, and the next console tells how they ended";
        lines.push(hint.to_owned());
    }
    if let Some(problem) = &left.problem {
        lines.push(format!("the end of this session is not in the audit log: {problem}"));
    }
    let text: String = lines.into_iter().map(|it| it + "\n").collect();
    // Nobody is left to tell if stderr is closed.
    io::stderr().write_all(text.as_bytes()).ok();
}

fn settings(
    options: &Options,
    context: &Context,
    is_practice: bool,
) -> Result<tui::Settings, Failure> {
    let Context { config, environment, .. } = context;
    let fleet_name = if is_practice {
        "practice".to_owned()
    } else {
        let stem = context.paths.inventory.file_stem().unwrap_or_default();
        SafeText::new(&stem.to_string_lossy()).to_string()
    };
    let by_background = if environment.is_light() { "light" } else { "dark" };
    let name = options.theme.as_deref().or_else(|| config.theme()).filter(|it| *it != AUTO);
    let name = name.unwrap_or(by_background);
    let theme = Theme::named(name, context.depth, context.is_ascii)
        .ok_or_else(|| Failure::say(Exit::BadRequest, format!("there is no theme `{name}`")))?;
    Ok(tui::Settings {
        fleet_name,
        who: context.session("console").who(),
        theme,
        depth: context.depth,
        is_ascii: context.is_ascii,
        mask: options.privacy.then(tui::mask::Mask::default),
        is_read_only: options.read_only,
        mouse: config.mouse,
        bell: config.bell().unwrap_or_else(|| environment.bell()),
        keys: config.keys.clone(),
        editor: environment.editor.clone(),
        pager: environment.pager.clone(),
        ssh_config: context.paths.ssh_config.clone(),
    })
}

/// The console starts only where somebody can see it.
pub(super) fn check_terminal(context: &Context) -> Result<(), Failure> {
    let fault = if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        "the console needs a terminal"
    } else if context.environment.is_dumb() {
        "the console needs a terminal that can move its cursor, and TERM is dumb"
    } else {
        return Ok(());
    };
    Err(Failure::say(Exit::BadRequest, fault)
        .with_hint("`certdeck scan` prints the same facts as text, JSON or CSV"))
}

fn theme_name(name: &str) -> Result<String, String> {
    let names: Vec<&str> = theme::ALL.iter().map(|it| it.name).collect();
    if name == AUTO || names.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!("expected one of {AUTO}, {}", names.join(", ")))
    }
}

/// The theme that follows the terminal.
pub(super) const AUTO: &str = "auto";
