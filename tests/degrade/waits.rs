//! Waits that are nobody's fault but are told.
