//! What is known of issuers, for people and for programs. Changes nothing.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::super::{Exit, Failure, print};
use super::failure;
use crate::acme::{Directory, Error, Office, account};
use crate::inventory::{Inventory, Issuer};
use crate::secret::Secret;
use crate::text::SafeText;

/// An issuer or its staging twin, as it is now.
struct Row<'a> {
    issuer: &'a Issuer,
    is_staging: bool,
    directory: Result<Directory, Error>,
    account: Result<Option<account::Record>, Error>,
    external: External,
}

/// How it is with the customer's key that some CAs want.
enum External {
    /// Nobody asks for one.
    NotNeeded,
    /// The CA wants one, and the inventory names none.
    Missing,
    /// It can be read.
    Ready,
    /// It cannot be read.
    Unreadable(Error),
    /// The account has been bound already.
    Used,
}

pub(super) async fn list(
    inventory: &Inventory,
    office: &Office,
    format: &str,
) -> Result<Exit, Failure> {
    if inventory.issuers.is_empty() {
        return Err(Failure::say(Exit::BadRequest, "the inventory names no issuer")
            .with_hint("an [[issuer]] has a `name` and the URL of its `directory`"));
    }
    let twins = |it| [(it, false), (it, true)];
    let all = inventory.issuers.iter().flat_map(twins);
    let all = all.filter(|(it, is_staging)| !is_staging || it.staging.is_some());
    let rows = join_all(all.map(|(issuer, is_staging)| look(issuer, is_staging, office))).await;
    if format == "json" {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        print(|out| writeln!(out, "{:#}", json!({ "issuers": rows })))?;
    } else {
        let width = rows.iter().map(|it| it.name().chars().count()).max().unwrap_or_default();
        print(|out| {
            for row in &rows {
                for (at, line) in row.lines().iter().enumerate() {
                    let name = if at == 0 { row.name() } else { String::new() };
                    writeln!(out, "{name:width$}  {line}")?;
                }
            }
            Ok(())
        })?;
    }
    let is_away = rows.iter().any(|it| it.directory.is_err());
    Ok(if is_away { Exit::Unknown } else { Exit::Done })
}

pub(super) async fn show(
    issuer: &Issuer,
    is_staging: bool,
    office: &Office,
    format: &str,
) -> Result<Exit, Failure> {
    let row = look(issuer, is_staging, office).await;
    // What is kept is worth something only if the CA knows it.
    let checked = match &row.account {
        Ok(Some(_)) if row.directory.is_ok() => {
            Some(account::check(office, issuer, is_staging).await)
        }
        _ => None,
    };
    if format == "json" {
        let mut json = row.json();
        if let (Some(json), Some(checked)) = (json.as_object_mut(), &checked) {
            json.insert("account-valid".to_owned(), json!(checked.is_ok()));
        }
        print(|out| writeln!(out, "{json:#}"))?;
    } else {
        print(|out| {
            writeln!(out, "{}", row.name())?;
            for (title, text) in row.facts(checked.as_ref()) {
                writeln!(out, "  {title:<10}{text}")?;
            }
            Ok(())
        })?;
    }
    match (&row.directory, &checked) {
        (Err(error), _) | (_, Some(Err(error))) => Err(failure(error)),
        _ => Ok(Exit::Done),
    }
}

async fn look<'a>(issuer: &'a Issuer, is_staging: bool, office: &Office) -> Row<'a> {
    let directory = Directory::ask(office, issuer, is_staging).await;
    let account = account::known(office, issuer, is_staging);
    let is_wanted = directory.as_ref().is_ok_and(|it| it.is_external_required);
    let external = match &issuer.external {
        _ if matches!(account, Ok(Some(_))) => External::Used,
        None if is_wanted => External::Missing,
        None => External::NotNeeded,
        Some(it) => match Secret::read(&it.secret, &format!("issuer {}", issuer.name)).await {
            Ok(_) => External::Ready,
            Err(error) => External::Unreadable(error.into()),
        },
    };
    Row { issuer, is_staging, directory, account, external }
}

impl Row<'_> {
    fn name(&self) -> String {
        let twin = if self.is_staging { " (staging)" } else { "" };
        format!("{}{twin}", self.issuer.name)
    }

    fn url(&self) -> &str {
        self.issuer.url(self.is_staging).unwrap_or(&self.issuer.directory)
    }

    /// The row of the list.
    fn lines(&self) -> Vec<String> {
        let account = match &self.account {
            Ok(Some(it)) => format!("account {}", it.url),
            Ok(None) => "no account yet".to_owned(),
            Err(it) => it.to_string(),
        };
        let reached = match &self.directory {
            Ok(it) => format!("{} answers", it.ca),
            Err(it) => it.to_string(),
        };
        let mut lines = vec![format!("{account}; {reached}")];
        match &self.external {
            External::Missing => {
                lines.push("wants an external account: set `eab-kid` and its secret".to_owned());
            }
            External::Ready => lines.push("external account: ready".to_owned()),
            External::Unreadable(it) => lines.push(format!("external account: {it}")),
            External::NotNeeded | External::Used => {}
        }
        lines
    }

    /// Everything, with titles.
    fn facts(&self, checked: Option<&Result<SafeText, Error>>) -> Vec<(&'static str, String)> {
        let mut facts = vec![("directory", self.url().to_owned())];
        match &self.directory {
            Err(it) => facts.push(("", it.to_string())),
            Ok(it) => {
                let text = |it: &Option<SafeText>| it.as_ref().map(SafeText::to_string);
                facts.extend(text(&it.website).map(|it| ("website", it)));
                facts.extend(text(&it.terms).map(|it| ("terms", it)));
                let windows = if it.has_renewal_windows() { "yes (RFC 9773)" } else { "no" };
                facts.push(("windows", windows.to_owned()));
                if it.profiles.is_empty() {
                    facts.push(("profiles", "none".to_owned()));
                }
                for (at, (name, about)) in it.profiles.iter().enumerate() {
                    let title = if at == 0 { "profiles" } else { "" };
                    facts.push((title, format!("{name}: {about}")));
                }
                if let Some(wanted) = &self.issuer.profile {
                    let is_there = it.check_profile(wanted);
                    facts.extend(is_there.err().map(|it| ("", format!("but {it}"))));
                }
            }
        }
        let external = match &self.external {
            External::NotNeeded => "not wanted".to_owned(),
            External::Missing => "wanted: set `eab-kid` and its secret".to_owned(),
            External::Ready => "ready".to_owned(),
            External::Unreadable(it) => it.to_string(),
            External::Used => "not needed any more".to_owned(),
        };
        facts.push(("external", external));
        match &self.account {
            Err(it) => facts.push(("account", it.to_string())),
            Ok(None) => facts.push(("account", "none yet".to_owned())),
            Ok(Some(it)) => {
                let known = match checked {
                    Some(Ok(_)) => "the CA knows it",
                    Some(Err(_)) => "the CA does not confirm it",
                    None => "the CA was not asked",
                };
                facts.push(("account", format!("{}; {known}", it.url)));
                facts.push(("key", format!("thumbprint {}", it.thumbprint)));
                let contact: Vec<_> = it.contact.iter().map(SafeText::as_str).collect();
                if !contact.is_empty() {
                    facts.push(("contact", contact.join(", ")));
                }
                facts.push(("made", it.made.to_string()));
                facts.push(("kept in", it.path.display().to_string()));
            }
        }
        facts.extend(self.caa().into_iter().map(|it| ("CAA", it)));
        facts
    }

    /// The records that let only this account order (RFC 8657, section 3).
    fn caa(&self) -> Vec<String> {
        let (Ok(directory), Ok(Some(account))) = (&self.directory, &self.account) else {
            return Vec::new();
        };
        let url = &account.url;
        let record = |it: &SafeText| format!("NAME. IN CAA 0 issue \"{it}; accounturi={url}\"");
        directory.caa.iter().map(record).collect()
    }

    fn json(&self) -> Value {
        let text = |it: &Option<SafeText>| it.as_ref().map(SafeText::to_string);
        let directory = self.directory.as_ref().ok();
        let account = self.account.as_ref().ok().and_then(Option::as_ref);
        let profiles = directory.map(|it| {
            let pairs = it.profiles.iter();
            pairs.map(|(name, about)| (name.to_string(), json!(about.as_str()))).collect::<Value>()
        });
        let caa = directory.map(|it| it.caa.iter().map(SafeText::to_string).collect::<Vec<_>>());
        json!({
            "name": self.issuer.name,
            "staging": self.is_staging,
            "directory": self.url(),
            "reached": directory.is_some(),
            "error": self.directory.as_ref().err().map(ToString::to_string),
            "website": directory.and_then(|it| text(&it.website)),
            "terms": directory.and_then(|it| text(&it.terms)),
            "caa-identities": caa,
            "profiles": profiles,
            "renewal-windows": directory.map(Directory::has_renewal_windows),
            "external-account": match &self.external {
                External::NotNeeded => "not-needed",
                External::Missing => "missing",
                External::Ready => "ready",
                External::Unreadable(_) => "unreadable",
                External::Used => "used",
            },
            "account": account.map(|it| it.url.as_str()),
            "account-error": self.account.as_ref().err().map(ToString::to_string),
            "thumbprint": account.map(|it| it.thumbprint.as_str()),
            "contact": account.map(|it| it.contact.iter().map(SafeText::as_str).collect::<Vec<_>>()),
            "made": account.map(|it| it.made.as_str()),
            "caa-records": self.caa(),
        })
    }
}
