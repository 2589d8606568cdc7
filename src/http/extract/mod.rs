//! What a request says, read once into values that cannot be misread later.

pub mod body;
pub mod client_address;
pub(crate) mod origin;
pub(crate) mod tracking_request;
