//! stub
use super::*;
#[derive(Default)]
pub struct Waits;
impl Waits {
    pub fn note(&mut self, _: &str, _: u32) {}
}
pub fn short(q: &str, _: &str) -> QueueName {
    QueueName::from(q)
}
pub fn full(q: &QueueName, d: &str) -> String {
    format!("{}@{d}", q.0)
}
pub fn names(_: &str) -> BTreeSet<String> {
    BTreeSet::new()
}
impl FreeSwitch {
    pub(super) async fn read_queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        Ok(BTreeMap::new())
    }
}
