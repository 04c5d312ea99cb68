//! stub
use super::*;
pub fn clean(t: &str) -> String {
    t.to_owned()
}
pub fn extension(_: &str, t: &str) -> Result<String, PbxError> {
    Ok(t.to_owned())
}
