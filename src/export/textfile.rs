//! A file for a textfile collector, which may read it at any moment: it is the old one or the new
//! one, never half of one.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Error;
use crate::fleet::Moment;
use crate::report::prometheus::Exposition;

/// Writes the metrics as they are at that moment, readable by everybody.
///
/// # Errors
/// [`Error::Write`] where the folder is not there or may not be written to.
pub fn write(path: &Path, metrics: &Exposition, now: Moment) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    replace(folder, path, metrics, now)
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn replace(folder: &Path, path: &Path, metrics: &Exposition, now: Moment) -> io::Result<()> {
    // The collector of node_exporter reads what ends in `.prom`, so not the draft.
    let mut draft = tempfile::Builder::new().prefix(".certdeck-").tempfile_in(folder)?;
    draft.write_all(&metrics.bytes(now))?;
    // Whatever the umask is: the collector is another user.
    draft.as_file().set_permissions(Permissions::from_mode(0o644))?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    // The new name is on disk once the folder is.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests read what was written")]
mod tests {
    use std::fs;

    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("certdeck.prom");
        fs::write(&path, "what was there").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        write(&path, &Exposition::default(), NOW).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let error = write(&folder.path().join("no/such.prom"), &Exposition::default(), NOW);
        assert!(error.unwrap_err().to_string().ends_with("no/such.prom"));
        // A folder cannot be replaced by a file.
        fs::create_dir(folder.path().join("it.prom")).unwrap();
        assert!(write(&folder.path().join("it.prom"), &Exposition::default(), NOW).is_err());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
