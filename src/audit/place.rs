//! The folder of the log: whether it is a safe one, whether it has room, and whether what was
//! made in it outlasts a power cut.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use super::Error;
use super::record::LONGEST;

/// Makes the folder if it is not there, and refuses an unsafe one.
pub(super) fn make(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::write(dir))?;
    let refuse = |why| Err(Error::Place { path: dir.to_owned(), why });
    let found = fs::symlink_metadata(dir).map_err(Error::write(dir))?;
    if !found.is_dir() {
        return refuse("it is not a folder");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return refuse("it belongs to somebody else");
    }
    if found.mode() & 0o022 != 0 {
        return refuse("others can write there");
    }
    if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_err() {
        return refuse("it cannot be written");
    }
    #[cfg(target_os = "linux")]
    if rustix::fs::statfs(dir).is_ok_and(|it| NETWORK.contains(&(it.f_type & 0xffff_ffff))) {
        return refuse("locks do not hold on a network file system");
    }
    Ok(())
}

/// Refuses to begin what could not be ended on record: there must be room for the outcome of
/// everything that is open.
pub(super) fn check_space(dir: &Path, open: u64) -> Result<(), Error> {
    let disk = rustix::io::retry_on_intr(|| rustix::fs::statvfs(dir))
        .map_err(|it| Error::write(dir)(it.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let whole = disk.f_blocks.saturating_mul(disk.f_frsize);
    let outcomes = open.saturating_add(2).saturating_mul(LONGEST as u64);
    let needed = HEADROOM.min(whole / 100).saturating_add(outcomes);
    if free < needed { Err(Error::Full(dir.to_owned())) } else { Ok(()) }
}

/// Makes the names in the folder, and the folder itself, outlast a power cut.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()?;
    // The folders above are somebody else's, or as old as the state: they may not be readable.
    for above in dir.ancestors().skip(1).take(2).filter_map(|it| File::open(it).ok()) {
        above.sync_all().ok();
    }
    Ok(())
}

/// Does it again as long as signals interrupt it.
pub(super) fn uninterrupted<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(it) if it.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// How much must be free, or one part in a hundred of the disk if that is less.
const HEADROOM: u64 = 64 * 1024 * 1024;

/// NFS, SMB, CIFS, SMB2 in statfs(2).
#[cfg(target_os = "linux")]
const NETWORK: &[i64] = &[0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42];
