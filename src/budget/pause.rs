//! `pause`: names that one account could not prove so often in a row that the CA does not try any
//! more, until somebody says on its page that it is mended.

use super::failures::{names_of, scope, wanted};
use super::{Kind, What};

pub(super) const KIND: Kind = Kind {
    name: "pause",
    title: "failures in a row",
    about: "validations of one name that failed in a row, until its account is paused for it",
    is_own: false,
    refusal: "paused",
    instead: "somebody has to visit the page that the CA names, after the cause is mended",
    limit: |it| it.pause,
    takes: |it| match it.what {
        What::Failed | What::Refused { .. } => names_of(it),
        _ => Vec::new(),
    },
    resets: |it| match it.what {
        What::Issued(_) => it.names.iter().map(|name| scope(name, &it.account)).collect(),
        _ => Vec::new(),
    },
    wants: wanted,
};
