//! May.
use pingora::prelude::*;
use pingora_proxy::ProxyHttp;

pub async fn serve() {}
