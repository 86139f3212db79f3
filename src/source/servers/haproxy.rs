//! haproxy's configuration.

use super::files::Files;
use super::{Program, Told};
use crate::fleet::Site;

pub(super) const PROGRAM: Program = Program { name: "haproxy", read };

fn read(_files: &mut Files<'_>, _told: &Told) -> Vec<Site> {
    Vec::new()
}
