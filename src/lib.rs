//! Hotline: a voicebot and call-flow companion for the PBX a contact centre already runs.
//!
//! The house, floor by floor; imports only point down:
//!
//! * ground (pure: no sockets, no clock): [`words`], [`language`], [`flow`], [`dialog`], [`understand`],
//!   [`service::hours`], [`speech::turn`];
//! * carriers: [`pbx`], [`speech`], [`send`], [`store`], and [`web`], the HTTP client of them all;
//! * [`service`]: what a call can ask for: messages, callbacks, cancellations;
//! * [`call`]: one task owns one call;
//! * [`http`] and [`cli`]: the doors for people and programs.

pub mod app;
pub mod call;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dialog;
pub mod flow;
pub mod http;
pub mod language;
pub mod lifecycle;
pub mod pbx;
pub mod send;
pub mod service;
pub mod speech;
pub mod store;
pub mod understand;
pub mod web;
pub mod words;
