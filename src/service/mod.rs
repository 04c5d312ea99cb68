//! What a call can order and what goes on after it: opening hours, messages, cancellations, callbacks.

pub mod hours;

pub struct Services;
pub struct CallbackStub { pub tenant: crate::words::TenantId, pub department: crate::words::DepartmentId, pub reason: String, pub reference: crate::words::Reference, pub number: crate::words::PhoneNumber }
impl Services {
    pub fn notices(&self, _: &crate::words::TenantId) -> Vec<crate::dialog::Notice> { vec![] }
    pub fn callback_for(&self, _: &str) -> Option<CallbackStub> { None }
    pub async fn callback_connected(&self, _: &str) {}
    pub async fn caller_got_through(&self, _: &crate::words::TenantId, _: &crate::words::DepartmentId, _: &crate::words::PhoneNumber) {}
    pub async fn order(&self, _: &crate::words::TenantId, _: crate::words::CallId, _: u32, _: crate::dialog::Order) -> crate::dialog::Done { crate::dialog::Done::Refused { reason: String::new() } }
}
