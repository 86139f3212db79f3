//! The embedded practice fleet.
