//! Output of commands beside the log, by its hash.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::record::Hash;

/// How much is kept of one output.
const LARGEST: usize = 1024 * 1024;

/// Keeps the output, which must be free of secrets, and names it. What is too long loses its
/// middle and says so.
pub(super) fn keep(dir: &Path, output: &[u8]) -> io::Result<String> {
    let output = shortened(output);
    let name = Hash::of(&[&output]).to_string();
    let path = path(dir, &name);
    let blobs = dir.join(FOLDER);
    let folder = path.parent().unwrap_or(&blobs);
    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let draft = folder.join(format!(".{}", Uuid::new_v4()));
        let written = write(&draft, &output).and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            fs::remove_file(&draft).ok();
        }
        written?;
    }
    // Even if it is there already: whoever wrote it may have been killed before this.
    for folder in [folder, &blobs, dir] {
        File::open(folder)?.sync_all()?;
    }
    Ok(name)
}

/// Where an output is.
pub(super) fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(FOLDER).join(name.get(..2).unwrap_or_default()).join(name)
}

/// Reads an output by its name; `None` if it is not there or is not what the name says.
pub(super) fn read(dir: &Path, name: &str) -> Option<Vec<u8>> {
    Hash::parse(name.as_bytes())?;
    fs::read(path(dir, name)).ok().filter(|it| Hash::of(&[it]).to_string() == name)
}

/// The first output that is not what its name says.
pub(super) fn find_changed(dir: &Path) -> Option<PathBuf> {
    let mut folders = entries(&dir.join(FOLDER));
    folders.sort_unstable();
    for folder in folders {
        let mut files = entries(&folder);
        files.sort_unstable();
        for path in files {
            let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
            // Others are drafts of a process that was killed.
            if Hash::parse(name.as_bytes()).is_some() && read(dir, name).is_none() {
                return Some(path);
            }
        }
    }
    None
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|it| it.path()).collect()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Both ends stay: how it began, and how it ended.
fn shortened(output: &[u8]) -> Vec<u8> {
    if output.len() <= LARGEST {
        return output.to_vec();
    }
    let half = LARGEST / 2 - 64;
    let gap = output.len() - 2 * half;
    let head = output.get(..half).unwrap_or_default();
    let tail = output.get(output.len() - half..).unwrap_or_default();
    [head, format!("\n[... {gap} bytes are left out here ...]\n").as_bytes(), tail].concat()
}

const FOLDER: &str = "blobs";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_output_is_found_by_its_hash_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let name = keep(dir.path(), b"Congratulations").unwrap();
        assert_eq!(keep(dir.path(), b"Congratulations").unwrap(), name);
        assert_eq!(read(dir.path(), &name).unwrap(), b"Congratulations");
        let file = path(dir.path(), &name);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(find_changed(dir.path()), None);
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"!").unwrap();
        assert_eq!(find_changed(dir.path()), Some(file));
        assert_eq!(read(dir.path(), &name), None);
        assert_eq!(read(dir.path(), "../../etc/passwd"), None);
    }

    #[test]
    fn a_long_output_loses_its_middle() {
        let mut long = b"begin".to_vec();
        long.resize(3 * LARGEST, b'x');
        long.extend(b"end");
        let short = shortened(&long);
        assert!(short.len() <= LARGEST);
        assert!(short.starts_with(b"begin") && short.ends_with(b"end"));
        let text = String::from_utf8(short).unwrap();
        assert!(text.contains("\n[... 2097283 bytes are left out here ...]\n"), "no mark");
        assert_eq!(shortened(b"short"), b"short");
    }
}
