//! What a call can order and what goes on after it: opening hours, messages, cancellations, callbacks.

pub mod hours;
