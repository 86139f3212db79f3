//! Where things are kept on the operator's machine.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::{Environment, Exit, Failure};

/// The folders and files of this program; nothing is created by asking for them.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The inventory.
    pub inventory: PathBuf,
    /// Folder of settings.
    pub config: PathBuf,
    /// Folder of the audit log, the snapshot and the logs.
    pub state: PathBuf,
    /// Folder of control sockets, 0700.
    pub runtime: PathBuf,
    /// The `ssh_config` to use instead of ssh's own files (`ssh -F`).
    pub ssh_config: Option<PathBuf>,
}

impl Paths {
    /// Finds them by the XDG rules, the environment and the inventory that was asked for.
    pub fn find(environment: &Environment, inventory: Option<&Path>) -> Result<Self, Failure> {
        let folders = ProjectDirs::from("", "", "certdeck").ok_or_else(|| {
            Failure::say(Exit::BadRequest, "this user has no home folder").with_hint("set HOME")
        })?;
        let chosen = |it: &Option<_>| it.as_ref().map(PathBuf::from);
        let config =
            chosen(&environment.config_dir).unwrap_or_else(|| folders.config_dir().to_owned());
        let state = chosen(&environment.state_dir).unwrap_or_else(|| {
            folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned()
        });
        Ok(Self {
            inventory: inventory
                .filter(|it| !it.as_os_str().is_empty())
                .map_or_else(|| config.join("inventory.toml"), Path::to_owned),
            config,
            state,
            runtime: folders.runtime_dir().map_or_else(fallback, Path::to_owned),
            ssh_config: chosen(&environment.ssh_config),
        })
    }
}

/// What makes a folder of control sockets unsafe.
pub(super) fn intruder(found: &Metadata) -> Option<&'static str> {
    if !found.is_dir() {
        Some("not a folder")
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        Some("belongs to somebody else")
    } else if found.mode() & 0o077 != 0 {
        Some("others may enter this folder")
    } else {
        None
    }
}

/// Where the sockets go without `XDG_RUNTIME_DIR`, as over `su` or in containers.
fn fallback() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    std::env::temp_dir().join(format!("certdeck-{user}"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_of_sockets_must_be_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let look = |path: &Path| intruder(&path.symlink_metadata().unwrap());
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(look(folder.path()), None);

        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert_eq!(look(&link), Some("not a folder"));

        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(look(folder.path()), Some("others may enter this folder"));
    }
}
