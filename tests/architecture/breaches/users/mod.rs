use std::fmt; // forbidden

pub struct Users;

impl Users {
    pub fn get_user() {} // forbidden
    pub async fn target() {}
}

pub trait Store {
    fn get_family(); // forbidden
}

impl Foreign for Users {
    fn get_theirs() {}
}

fn get_it() {} // forbidden

mod helpers { // forbidden
    use pingora_core::Server; // forbidden
    use pingora::prelude::*; // forbidden
}
