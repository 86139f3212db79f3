//! Programs that serve TLS, as their own configuration says, and what listens.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Kind, Reading, Script, Section, Source};
use crate::fleet::{Host, Seen};

pub(super) const KIND: Kind = Kind {
    name: "servers",
    about: "what nginx, Apache and haproxy are configured to load, and what listens",
    schema: |generator| generator.subschema_for::<Servers>(),
    build: |table| Ok(Arc::new(table.read::<Servers>()?)),
};

/// Where servers have their configuration, if it cannot be found out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Servers {}

impl Source for Servers {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn ask(&self, _script: &mut Script, _known: &Host) {}

    fn read(&self, _section: &Section<'_>, _reading: &Reading<'_>, _seen: &mut Seen) {}
}
