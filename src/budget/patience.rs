//! `patience`: names that this program could not prove, at whichever CA: a rule of its own, for its
//! own orders, narrower than that of any CA.

use super::failures::{names_of, wanted};
use super::{Account, Kind, Limit, What};
use crate::fleet::HOUR;

pub(super) const KIND: Kind = Kind {
    name: "patience",
    title: "failures of our own",
    about: "validations of one name that failed for an order of certdeck itself, which does not just try again",
    is_own: true,
    // No CA refuses for it.
    refusal: "patience",
    instead: "mend what failed, and let the staging twin look first (dry-run), which has limits of its own",
    limit: |_| Some(LIMIT),
    takes: |it| match it.what {
        What::Failed if it.account == Account::Own => names_of(it),
        _ => Vec::new(),
    },
    resets: |_| Vec::new(),
    wants: |order| if order.account == Account::Own { wanted(order) } else { Vec::new() },
};

/// Let's Encrypt lets five pass in an hour; the third of the same kind has never been of use to
/// anybody.
const LIMIT: Limit = Limit::new(2, HOUR);
