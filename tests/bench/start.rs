//! How long Hotline takes from its start until it can serve calls, with the sample tenants.

use std::time::Instant;

use anyhow::Result;
use street::Hotline;
use street::hotline::Settings;

use crate::manager::Manager;
use crate::report::{Reach, Row, quantile};

/// Starts that are measured.
const STARTS: usize = 7;

/// Measures starts until `/readyz` says 200; it is asked every 20 ms. The middle one counts.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    eprintln!("bench: start");
    let manager = Manager::open().await?;
    let settings = Settings::new()?.with_manager(manager.port());
    let mut hotline = Hotline::start(crate::program(), settings).await?;
    let mut waits = Vec::new();
    for _ in 0..STARTS {
        hotline.stop();
        let began = Instant::now();
        hotline.start_again().await?;
        waits.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let value = quantile(&mut waits, 0.5);
    Ok(vec![Row::new(
        "start.ready",
        value,
        "ms",
        Reach::AtMost(1500.0),
    )])
}
