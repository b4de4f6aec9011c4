//! What a running doorward is called, as it follows from where it listens.

use crate::config::Listen;

/// The scheme and the first address that was bound.
pub(super) fn issuer_at(public: &[Listen], with_tls: bool) -> String {
    let tcp = public.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(address.to_string()),
        Listen::Unix(_) => None,
    });
    let scheme = if with_tls { "https" } else { "http" };
    format!("{scheme}://{}", tcp.as_deref().unwrap_or("localhost"))
}

/// The machine, which is the pod in Kubernetes, and where on it the first listener is: several may run on one.
pub(super) fn instance_name(public: &[Listen]) -> String {
    let system = rustix::system::uname();
    let machine = system.nodename().to_string_lossy();
    match public.first() {
        Some(Listen::Tcp(address)) => format!("{machine}:{}", address.port()),
        Some(Listen::Unix(path)) => format!("{machine}:{}", path.display()),
        None => machine.into_owned(),
    }
}
