//! The snapshot of the last known fleet. Losing it loses nothing that was audited.
