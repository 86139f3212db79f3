//! PEM files.
use super::Kind;
pub(super) const KIND: Kind = Kind {
    name: "pem",
    about: "PEM files found by globs",
    schema: |_| schemars::json_schema!({}),
    build: |_| todo!(),
};
