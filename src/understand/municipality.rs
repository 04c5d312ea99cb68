//! A sample municipality.
