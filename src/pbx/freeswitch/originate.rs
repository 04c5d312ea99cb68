//! stub
use super::*;
impl FreeSwitch {
    pub(super) async fn originate(&self, _: &Dial) -> Result<Dialled, PbxError> {
        Err(PbxError::NoSuchCall)
    }
}
