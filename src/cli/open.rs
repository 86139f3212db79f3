//! Opens the local files that a person names: the only place that does.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{Context, Exit, Failure};
use crate::fleet::Roots;
use crate::inventory::{self, Inventory};
use crate::spanned::Diagnostic;

/// Reads a text file that is at most as large as a person would write; `-` is stdin.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    read(path).map_err(|it| {
        let error = anyhow::Error::new(it).context(format!("cannot read {}", path.display()));
        Failure::new(Exit::BadRequest, error)
    })
}

/// Reads a text file that need not be there.
pub(super) fn text_if_any(path: &Path) -> Result<Option<String>, Failure> {
    match path.try_exists() {
        Ok(false) => Ok(None),
        _ => text(path).map(Some),
    }
}

/// Reads the inventory and says everything that is wrong with it at once.
pub(super) fn inventory(context: &Context) -> Result<Inventory, Failure> {
    trusting(inventory_at(&context.paths.inventory, context.is_colored)?)
}

/// Lets chains end at the authorities that the inventory names, too.
pub(super) fn trusting(mut inventory: Inventory) -> Result<Inventory, Failure> {
    if inventory.defaults.roots.is_empty() {
        return Ok(inventory);
    }
    let mut roots = Roots::public();
    for file in &inventory.defaults.roots {
        add_roots(&mut roots, file).map_err(|it| {
            Failure::say(Exit::BadRequest, format!("`roots` of the inventory: {it}"))
                .with_hint("it must be certificates of authorities in PEM")
        })?;
    }
    inventory.trust(&Arc::new(roots));
    // A CA of one's own is spoken to as clients speak to what it has signed.
    for issuer in &mut inventory.issuers {
        issuer.roots.extend(inventory.defaults.roots.iter().cloned());
    }
    Ok(inventory)
}

fn add_roots(roots: &mut Roots, file: &str) -> Result<(), String> {
    let path = match (file.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(file),
    };
    let text = read(&path).map_err(|it| format!("cannot read {}: {it}", path.display()))?;
    let mut count = 0;
    for der in CertificateDer::pem_slice_iter(text.as_bytes()) {
        count += 1;
        let is_authority = der.is_ok_and(|it| roots.add(&it));
        if !is_authority {
            return Err(format!("certificate {count} in {} is no authority", path.display()));
        }
    }
    if count == 0 {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(())
}

/// Reads the inventory in this file; `-` is stdin.
pub(super) fn inventory_at(path: &Path, is_colored: bool) -> Result<Inventory, Failure> {
    let text = if path == Path::new("-") { Some(text(path)?) } else { text_if_any(path)? };
    let Some(text) = text else { return Err(no_inventory(path)) };
    let (inventory, complaints) = inventory::read(&text);
    draw(&complaints, path, &text, is_colored)?;
    Ok(inventory)
}

/// Fails with the complaints about a file, if there are any.
pub(super) fn draw(
    complaints: &[Diagnostic],
    path: &Path,
    text: &str,
    is_colored: bool,
) -> Result<(), Failure> {
    if complaints.is_empty() {
        return Ok(());
    }
    let path = path.display().to_string();
    let mut drawn = String::new();
    for complaint in complaints.iter().take(MAX_DRAWN) {
        drawn.push_str(&complaint.render(&path, text, is_colored));
        drawn.push_str("\n\n");
    }
    let count = complaints.len();
    if count > MAX_DRAWN {
        let _ = write!(drawn, "… and {} more\n\n", count - MAX_DRAWN);
    }
    let things = if count == 1 { "thing is" } else { "things are" };
    let _ = writeln!(drawn, "{count} {things} wrong in {path}");
    Err(Failure::Complaints(drawn))
}

fn no_inventory(path: &Path) -> Failure {
    Failure::say(Exit::BadRequest, format!("there is no inventory at {}", path.display()))
        .with_hint("`certdeck demo` shows the console on a practice fleet, without any inventory")
        .with_hint("`certdeck inventory import ssh-config ~/.ssh/config` prints one to start from")
        .with_hint("`certdeck --inventory FILE` or CERTDECK_INVENTORY uses another file")
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|it| {
        let at = it.utf8_error().valid_up_to();
        let before = it.as_bytes().get(..at).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        let message = format!("line {line} is not UTF-8 text (byte {at} of the file)");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// A thousand hosts with everything said about each take less than one.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// More complaints than anybody reads at once.
const MAX_DRAWN: usize = 100;
