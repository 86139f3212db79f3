//! The log of what went on with hosts: files in the folder of state, one per day, the last five
//! of them. Nothing goes to the terminal, and no secret is ever logged.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;

use tracing::Level;
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::Context;

/// Starts the log. Without a folder to write to there is none: that is no reason to leave a host
/// unread.
pub(super) fn start(context: &Context) {
    let Some(level) = level(context.environment.log.as_deref()) else { return };
    let folder = context.paths.state.join("log");
    let appender =
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok().and_then(|()| {
            RollingFileAppender::builder()
                .rotation(Rotation::DAILY)
                .filename_prefix("certdeck")
                .filename_suffix("log")
                .max_log_files(5)
                .build(&folder)
                .ok()
        });
    if let Some(appender) = appender {
        let log = tracing_subscriber::fmt().with_writer(appender).with_ansi(false);
        // A second start in one process changes nothing.
        log.with_max_level(level).try_init().ok();
    }
}

/// The level that `CERTDECK_LOG` names; `None` for `off`.
fn level(name: Option<&str>) -> Option<Level> {
    match name {
        Some("off") => None,
        Some(name) => Some(name.parse().unwrap_or(Level::INFO)),
        None => Some(Level::INFO),
    }
}
