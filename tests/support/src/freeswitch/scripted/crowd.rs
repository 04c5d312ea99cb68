//! Load without telephones: many calls at once whose callers say silence or a sound, and storms of
//! events for those who have asked for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::JoinHandle;

use super::leg::{Birth, Direction, Doing, Leg};
use super::switch::{Switch, uuid};
use super::{Scripted, application, recorded};
use crate::tone::RATE;

const FRAME: Duration = Duration::from_millis(20);

/// Calls without telephones; dropping it hangs them up.
#[derive(Debug)]
pub struct Crowd {
    switch: Arc<Switch>,
    legs: Vec<Arc<Leg>>,
}

/// Events on their way; dropping it ends them.
#[derive(Debug)]
pub struct Storm {
    sent: Arc<AtomicU64>,
    blowing: JoinHandle<()>,
}

impl Scripted {
    /// Lets that many callers call a number at once, each with a number of its own beginning at
    /// `first`. They say the samples (8000 a second) again and again, or silence when there are none.
    pub fn crowd(&self, count: usize, first: u64, number: &str, says: &[i16]) -> Result<Crowd> {
        self.crowd_at(RATE, count, first, number, says)
    }

    /// Lets callers call whose codec has another rate, such as 16,000 samples a second.
    pub fn crowd_at(
        &self,
        rate: u32,
        count: usize,
        first: u64,
        number: &str,
        says: &[i16],
    ) -> Result<Crowd> {
        let switch = self.switch()?;
        let says: Arc<[i16]> = says.into();
        let legs = (0..count).map(|at| {
            let caller = format!("+{}", first + at as u64);
            let leg = switch.add_leg(Birth {
                id: uuid(),
                direction: Direction::Inbound,
                channel: format!("sofia/internal/{caller}@127.0.0.1"),
                number: caller.clone(),
                display: caller,
                destination: number.to_owned(),
                context: switch.inbound.clone(),
                call: None,
                rate,
            });
            switch
                .runtime
                .spawn(speak(Arc::clone(&leg), Arc::clone(&says)));
            let context = switch.inbound.clone();
            let life = application::live(Arc::clone(&switch), Arc::clone(&leg), context);
            switch.runtime.spawn(life);
            leg
        });
        let legs = legs.collect();
        Ok(Crowd { switch, legs })
    }

    /// Tells that many events a second for a while: agents who change their state, which all who have
    /// asked for `CUSTOM callcenter::info` are told. Each has its number in `Storm-Number`, from 1.
    pub fn storm(&self, per_second: u32, lasting: Duration) -> Result<Storm> {
        let switch = self.switch()?;
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        let blowing = switch.runtime.clone().spawn(async move {
            let place = ("callcenter-answered", "CUSTOM", "agent-state-change");
            let shape = recorded::shape(place);
            let began = Instant::now();
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            while began.elapsed() < lasting {
                tick.tick().await;
                let due = (began.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
                while counted.load(Ordering::Relaxed) < due {
                    let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
                    let mut event = shape.as_ref().clone();
                    event.push("Storm-Number", number.to_string());
                    switch.pass_on(event);
                }
            }
        });
        Ok(Storm { sent, blowing })
    }
}

impl Crowd {
    /// Returns the ids of the calls' channels.
    pub fn ids(&self) -> Vec<String> {
        self.legs.iter().map(|leg| leg.id.clone()).collect()
    }

    /// Returns how many calls are with the bot.
    pub fn parked(&self) -> usize {
        let parked = |leg: &&Arc<Leg>| leg.is_up() && leg.facts().doing == Doing::Parked;
        self.legs.iter().filter(parked).count()
    }

    /// Returns how many calls are up.
    pub fn up(&self) -> usize {
        self.legs.iter().filter(|leg| leg.is_up()).count()
    }

    /// Returns for each call how many datagrams went to the bot and came from it.
    pub fn datagrams(&self) -> Vec<(u64, u64)> {
        self.legs.iter().map(|leg| leg.flow.counts()).collect()
    }

    /// Returns for each call how many frames the caller heard.
    pub fn heard(&self) -> Vec<u64> {
        self.legs.iter().map(|leg| leg.audio.heard()).collect()
    }

    /// Waits until that many calls are with the bot.
    pub async fn are_parked(&self, count: usize, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while self.parked() < count {
            if Instant::now() >= deadline {
                bail!(
                    "{} of {count} calls are with the bot after {within:?}",
                    self.parked()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Presses a key in one of the calls.
    pub fn press(&self, call: usize, key: char) {
        if let Some(leg) = self.legs.get(call).filter(|leg| leg.is_up()) {
            self.switch.pressed(leg, key);
        }
    }

    /// Hangs one of the calls up, as its caller.
    pub fn hang_up(&self, call: usize) {
        if let Some(leg) = self.legs.get(call) {
            self.switch.hang_up(leg, "NORMAL_CLEARING", "recv_bye");
        }
    }

    /// Hangs all calls up.
    pub fn hang_up_all(&self) {
        for call in 0..self.legs.len() {
            self.hang_up(call);
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.hang_up_all();
    }
}

impl Storm {
    /// Returns how many events there have been.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until the storm is over and returns how many events there were.
    pub async fn over(mut self) -> u64 {
        // Nobody stops it; it ends by itself.
        let _ = (&mut self.blowing).await;
        self.sent()
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.blowing.abort();
    }
}

/// Says a sound again and again, and hears, for as long as the call lasts.
async fn speak(leg: Arc<Leg>, says: Arc<[i16]>) {
    let length = leg.audio.frame();
    let mut tick = tokio::time::interval(FRAME);
    let mut position = 0;
    while leg.is_up() {
        tick.tick().await;
        let frame: Vec<i16> = match says.len() {
            0 => vec![0; length],
            whole => (position..position + length)
                .map(|at| says[at % whole])
                .collect(),
        };
        position += length;
        leg.audio.said(&frame);
        leg.audio.next();
    }
}
