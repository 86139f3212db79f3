//! `certdeck issuer`: the accounts at CAs that certificates are ordered with.

mod show;

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::errand::{self, Errand, say};
use super::{Context, Exit, Failure, open, print, runtime};
use crate::acme::{Directory, Error, Office, account};
use crate::audit;
use crate::inventory::{Inventory, Issuer};
use crate::perform::Ending;
use crate::secret::Secret;
use crate::text::SafeText;

/// List the CAs to order from, and keep the accounts there
///
/// An account is made with the first order, or with `register`. Its key lies in the folder of
/// state, readable by you only. Without a command: list.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck issuer
  certdeck issuer show letsencrypt --format json
  certdeck issuer register letsencrypt --staging
  certdeck issuer backup letsencrypt /mnt/safe/letsencrypt.json

Exit codes: 0 done, 1 the CA refused or nothing was done, 2 no such issuer or the request was
wrong, 3 a CA could not be asked, 74 the audit log refused.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every issuer: whether its CA answers, and whether there is an account
    List {
        /// The format
        #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
        format: String,
    },
    /// Print what a CA offers, the account there, and the CAA record that binds to it
    Show {
        #[command(flatten)]
        which: Which,
        /// The format
        #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
        format: String,
    },
    /// Make an account, and agree to the terms of the CA
    Register {
        #[command(flatten)]
        which: Which,
        /// Where the CA writes to: a mail address [default: the inventory's `contact`]
        #[arg(long, value_name = "MAIL")]
        contact: Option<String>,
        #[command(flatten)]
        sure: Sure,
    },
    /// Give the account a new key; the old one is worth nothing then
    Roll {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
    },
    /// Copy the account into a new file, and see that the CA knows what stands there
    Backup {
        #[command(flatten)]
        which: Which,
        /// The file, which must not be there yet
        file: PathBuf,
        #[command(flatten)]
        sure: Sure,
    },
    /// Take the account out of a backup, if the CA knows it
    Restore {
        #[command(flatten)]
        which: Which,
        /// The file
        file: PathBuf,
        #[command(flatten)]
        sure: Sure,
    },
    /// Close the account at the CA, for good
    Deactivate {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        sure: Sure,
    },
}

/// Whose account.
#[derive(Debug, Clone, clap::Args)]
struct Which {
    /// The issuer, as the inventory names it
    name: String,
    /// At its staging twin
    #[arg(long)]
    staging: bool,
}

/// How it is confirmed.
#[derive(Debug, Clone, clap::Args)]
struct Sure {
    /// Do not ask: the name of the issuer
    #[arg(long, value_name = "NAME")]
    yes: Option<String>,
}

/// What is to be changed.
#[derive(Debug, Clone)]
enum Change {
    Register { contact: Option<String> },
    Roll,
    Backup(PathBuf),
    Restore(PathBuf),
    Deactivate,
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let inventory = open::inventory(context)?;
    let office = Office::new(&context.paths.state, context.clock);
    let run = async {
        let (which, change, sure) = match args.command {
            None => return show::list(&inventory, &office, "text").await,
            Some(Command::List { format }) => {
                return show::list(&inventory, &office, &format).await;
            }
            Some(Command::Show { which, format }) => {
                let issuer = find(&inventory, &which)?;
                return show::show(issuer, which.staging, &office, &format).await;
            }
            Some(Command::Register { which, contact, sure }) => {
                (which, Change::Register { contact }, sure)
            }
            Some(Command::Roll { which, sure }) => (which, Change::Roll, sure),
            Some(Command::Backup { which, file, sure }) => (which, Change::Backup(file), sure),
            Some(Command::Restore { which, file, sure }) => (which, Change::Restore(file), sure),
            Some(Command::Deactivate { which, sure }) => (which, Change::Deactivate, sure),
        };
        let issuer = find(&inventory, &which)?;
        let desk =
            Desk { issuer, is_staging: which.staging, inventory: &inventory, office, context };
        desk.change(&change, sure.yes.as_deref()).await
    };
    runtime()?.block_on(run)
}

/// Where one account is changed.
struct Desk<'a> {
    issuer: &'a Issuer,
    is_staging: bool,
    inventory: &'a Inventory,
    office: Office,
    context: &'a Context,
}

impl Desk<'_> {
    async fn change(&self, change: &Change, yes: Option<&str>) -> Result<Exit, Failure> {
        let known = account::known(&self.office, self.issuer, self.is_staging);
        let known = known.map_err(|it| self.failure(&it))?;
        if let (Change::Register { .. }, Some(known)) = (change, &known) {
            say(&format!("{}: there is an account already: {}", self.issuer.name, known.url));
            return Ok(Exit::Done);
        }
        let directory = Directory::ask(&self.office, self.issuer, self.is_staging).await;
        let directory = directory.map_err(|it| self.failure(&it))?;
        let warning = match change {
            Change::Register { .. } => {
                let terms = directory.terms.as_ref();
                let terms = terms.map(|it| format!(" You agree to its terms: {it}"));
                format!("{} makes an account.{}", directory.ca, terms.unwrap_or_default())
            }
            Change::Roll => {
                "The key in other copies and backups of the account is worth nothing then.".into()
            }
            Change::Backup(file) => {
                format!("Whoever can read {} can order certificates in this name.", file.display())
            }
            Change::Restore(_) => {
                "The account that is here is kept beside it as .prev, if there is one.".into()
            }
            Change::Deactivate => {
                "No certificate can be ordered with it any more, by nobody, and that is final."
                    .into()
            }
        };
        let name = &self.issuer.name;
        let twin = if self.is_staging { " (staging)" } else { "" };
        let warning = format!("{}: {name}{twin}. {warning}", change.name());
        let Some(confirmed) = errand::confirm(&warning, ("issuer", name), yes)? else {
            say("nothing was changed");
            return Ok(Exit::Failed);
        };
        let secret = match (change, &self.issuer.external) {
            // Read twice, so that the log knows what it must never hold.
            (Change::Register { .. }, Some(external)) => {
                let whose = format!("issuer {}", self.issuer.name);
                let secret = Secret::read(&external.secret, &whose).await;
                Some(secret.map_err(|it| self.failure(&it.into()))?.guard())
            }
            _ => None,
        };
        let body = self.body(change, known.as_ref(), confirmed);
        let errand = Errand::begin(body, secret.as_ref(), self.context)?;
        let done = self.act(change, errand.permit()).await;
        let (ending, summary) = match &done {
            Ok(said) => (Ending::Ok, said.clone()),
            // The request may have come to the CA, and the answer not to us.
            Err(it @ Error::Unreached { .. }) => (Ending::Unknown, SafeText::new(&it.to_string())),
            Err(it) => (Ending::Failed, SafeText::new(&it.to_string())),
        };
        errand.end(ending, &summary)?;
        let said = done.map_err(|it| self.failure(&it))?;
        print(|out| writeln!(out, "{}: {said}", self.issuer.name))?;
        Ok(Exit::Done)
    }

    async fn act(&self, change: &Change, permit: &audit::Permit) -> Result<SafeText, Error> {
        let (office, issuer, is_staging) = (&self.office, self.issuer, self.is_staging);
        let said = match change {
            Change::Register { contact } => {
                let contact = contact.as_deref();
                let account = account::open(office, issuer, is_staging, contact, permit).await?;
                format!("the account is {}", account.url())
            }
            Change::Roll => {
                let record = account::roll(office, issuer, is_staging, permit).await?;
                format!("{} has a new key; its thumbprint is {}", record.url, record.thumbprint)
            }
            Change::Backup(file) => {
                let url = account::backup(office, issuer, is_staging, file, permit).await?;
                format!("{url} is in {}, and the CA knows it", file.display())
            }
            Change::Restore(file) => {
                let record = account::restore(office, issuer, is_staging, file, permit).await?;
                format!("{} is here again, and the CA knows it", record.url)
            }
            Change::Deactivate => {
                let file = account::deactivate(office, issuer, is_staging, permit).await?;
                format!("the account is closed; its file is now {}", file.display())
            }
        };
        Ok(SafeText::new(&said))
    }

    fn body(
        &self,
        change: &Change,
        known: Option<&account::Record>,
        confirmed: &str,
    ) -> Map<String, Value> {
        let issuer = self.issuer;
        let mut body: Map<_, _> = [
            ("action", json!(change.name())),
            ("issuer", json!(issuer.name)),
            ("directory", json!(issuer.url(self.is_staging))),
            ("staging", json!(self.is_staging)),
            ("who", json!(self.context.session("issuer").who())),
            ("confirmed", json!(confirmed)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if let Some(known) = known {
            add("account", json!(known.url.as_str()));
            add("thumbprint", json!(known.thumbprint.as_str()));
        }
        match change {
            Change::Register { contact } => {
                add("contact", json!(contact.as_ref().or(issuer.contact.as_ref())));
            }
            Change::Backup(file) | Change::Restore(file) => {
                add("file", json!(file.display().to_string()));
            }
            Change::Roll | Change::Deactivate => {}
        }
        body
    }

    /// What the CA or this machine refused, with the other issuers, which are one key away.
    fn failure(&self, error: &Error) -> Failure {
        let failure = failure(error);
        let others = self.inventory.issuers.iter().filter(|it| it.name != self.issuer.name);
        let others: Vec<_> = others.map(|it| it.name.as_str()).collect();
        let is_away =
            matches!(error, Error::Unreached { .. } | Error::Busy { .. } | Error::Answer { .. });
        if is_away && !others.is_empty() {
            return failure.with_hint(format!("other issuers: {}", others.join(", ")));
        }
        failure
    }
}

impl Change {
    const fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "issuer-register",
            Self::Roll => "issuer-roll",
            Self::Backup(_) => "issuer-backup",
            Self::Restore(_) => "issuer-restore",
            Self::Deactivate => "issuer-deactivate",
        }
    }
}

/// An error of a CA as the way this program ends.
fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Unreached { .. } => Exit::Unknown,
        Error::Impossible { .. } | Error::External { .. } | Error::Moved { .. } => Exit::BadRequest,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, error.clone());
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn find<'a>(inventory: &'a Inventory, which: &Which) -> Result<&'a Issuer, Failure> {
    let Some(issuer) = inventory.issuers.iter().find(|it| it.name == which.name) else {
        let text = format!("no issuer `{}` in the inventory", SafeText::new(&which.name));
        let names: Vec<_> = inventory.issuers.iter().map(|it| it.name.as_str()).collect();
        let hint = if names.is_empty() {
            "an [[issuer]] has a `name` and the URL of its `directory`".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        return Err(Failure::say(Exit::BadRequest, text).with_hint(hint));
    };
    if which.staging && issuer.staging.is_none() {
        let text = format!("{}: has no `staging` in the inventory", issuer.name);
        return Err(Failure::say(Exit::BadRequest, text));
    }
    Ok(issuer)
}
