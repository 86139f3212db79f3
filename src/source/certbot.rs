//! certbot's lineages.
use super::Kind;
pub(super) const KIND: Kind = Kind {
    name: "certbot",
    about: "certbot's lineages",
    schema: |_| schemars::json_schema!({}),
    build: |_| todo!(),
};
