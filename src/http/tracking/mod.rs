//! The tracking doors. Each reads a request, hands it to one verb of `app`, and prints what comes back.

pub(crate) mod click;
pub(crate) mod pixel;
pub(crate) mod root;
pub(crate) mod server_to_server;
