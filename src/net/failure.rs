//! What a failed connection means, told from the chain of causes.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::CertificateError;

/// A connection that failed or broke, in a form that can be kept and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// The causes, from the outermost to the innermost.
    pub detail: String,
}

/// Kinds of failure that have different remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The host name does not resolve.
    HostUnknown,
    /// Nothing listens.
    Refused,
    /// No answer in time.
    Timeout,
    /// The issuer of the certificate is not trusted.
    UntrustedIssuer,
    /// The certificate is for another name, or not valid now.
    InvalidCertificate,
    /// The server does not speak TLS on this port.
    NotTls,
    /// The server speaks TLS, but was asked in plain HTTP.
    NotPlain,
    /// The proxy refused or could not reach the host.
    Proxy,
    /// The connection broke.
    Broken,
    /// The request cannot be made, such as for a malformed URL or too many redirects.
    Request,
}

impl Failure {
    /// Reads a failure from an error of the HTTP client or from one that wraps it.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut kind = None;
        let mut next = Some(error);
        let mut depth = 0;
        while let Some(cause) = next
            && depth < MAX_DEPTH
        {
            // The innermost cause that says something specific wins.
            kind = kind_of(cause).or(kind);
            next = inner(cause);
            depth += 1;
        }
        Self { kind: kind.unwrap_or(FailureKind::Broken), detail: chain(error) }
    }

    /// Whether the same request may succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use FailureKind::{Broken, HostUnknown, Proxy, Refused, Timeout};
        matches!(self.kind, HostUnknown | Refused | Timeout | Proxy | Broken)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// All messages of a chain of errors, each once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = inner(error);
    let mut depth = 0;
    while let Some(cause) = next
        && depth < MAX_DEPTH
    {
        let message = cause.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = inner(cause);
        depth += 1;
    }
    text
}

/// The next cause. `io::Error::source` passes over the error that it wraps, so that one is taken out by hand.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn kind_of(error: &(dyn Error + 'static)) -> Option<FailureKind> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(kind_of_tls(error));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(FailureKind::Refused),
            io::ErrorKind::TimedOut => Some(FailureKind::Timeout),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        if error.is_timeout() {
            return Some(FailureKind::Timeout);
        }
        return (error.is_builder() || error.is_redirect()).then_some(FailureKind::Request);
    }
    // These two have no public type.
    let message = error.to_string();
    if message.starts_with("dns error") || message.starts_with("failed to lookup address") {
        return Some(FailureKind::HostUnknown);
    }
    if message.contains("unsuccessful tunnel") || message.contains("proxy auth") || message.contains("tunnel error") {
        return Some(FailureKind::Proxy);
    }
    None
}

fn kind_of_tls(error: &rustls::Error) -> FailureKind {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::Revoked => FailureKind::InvalidCertificate,
            _ => FailureKind::UntrustedIssuer,
        },
        rustls::Error::InvalidMessage(_) => FailureKind::NotTls,
        _ => FailureKind::Broken,
    }
}

const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_kinds_apart() {
        let certificate = |reason| io::Error::other(rustls::Error::InvalidCertificate(reason));
        let rows = [
            (io::Error::from(io::ErrorKind::ConnectionRefused), FailureKind::Refused, true),
            (io::Error::from(io::ErrorKind::TimedOut), FailureKind::Timeout, true),
            (certificate(CertificateError::UnknownIssuer), FailureKind::UntrustedIssuer, false),
            (certificate(CertificateError::Expired), FailureKind::InvalidCertificate, false),
            (certificate(CertificateError::NotValidForName), FailureKind::InvalidCertificate, false),
            (io::Error::other("dns error"), FailureKind::HostUnknown, true),
            (io::Error::other(io::Error::other("unsuccessful tunnel")), FailureKind::Proxy, true),
            (io::Error::from(io::ErrorKind::ConnectionReset), FailureKind::Broken, true),
        ];
        for (error, kind, transient) in rows {
            let failure = Failure::of(&error);
            assert_eq!((failure.kind, failure.is_transient()), (kind, transient), "{error:?}");
        }
    }
}
