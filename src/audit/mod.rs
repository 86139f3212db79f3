//! The audit log: what was done, by whom, in a chain that shows every change to it.
