//! Builds the HTTP client.

use std::collections::HashSet;
use std::sync::OnceLock;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use super::NetError;
use crate::context::NetworkSettings;

/// How this program names itself.
pub const USER_AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));

/// Whether servers must prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Certificates are verified.
    Required,
    /// Certificates are not verified if the settings say so (`CS_DOCKER_INSECURE`). For registries only.
    AsConfigured,
}

/// A client that trusts the system's certificate authorities and those of the settings. Build one and share it.
///
/// Where the system has no authorities at all (a `scratch` image) Mozilla's, compiled in, take their place.
///
/// # Errors
/// A configured certificate is not one, or a proxy variable is malformed.
pub fn client(settings: &NetworkSettings, verification: Verification) -> Result<Client, NetError> {
    build(settings, verification, Policy::default())
}

/// The same for registries: a redirect of the first question, `GET /v2/`, is followed only to where that is asked too.
/// Anywhere else is a page for people, such as the one to sign in at; it is given back.
///
/// # Errors
/// See [`client`].
pub fn client_for_registries(settings: &NetworkSettings) -> Result<Client, NetError> {
    let is_question = |url: &reqwest::Url| matches!(url.path(), "/v2/" | "/v2");
    let policy = Policy::custom(move |attempt| {
        let was_asked = attempt.previous().first().is_some_and(is_question);
        if was_asked && !is_question(attempt.url()) { attempt.stop() } else { Policy::default().redirect(attempt) }
    });
    build(settings, Verification::AsConfigured, policy)
}

/// The same, always verified, and it gives redirects back instead of following them: for those who send headers of
/// their own that another host must not get.
///
/// # Errors
/// See [`client`].
pub fn client_without_redirects(settings: &NetworkSettings) -> Result<Client, NetError> {
    build(settings, Verification::Required, Policy::none())
}

fn build(settings: &NetworkSettings, verification: Verification, redirects: Policy) -> Result<Client, NetError> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirects)
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout);
    if verification == Verification::AsConfigured && settings.unverified_tls {
        builder = builder.tls_danger_accept_invalid_certs(true);
    } else {
        builder = trust(builder, settings)?;
    }
    builder.build().map_err(|error| {
        let origins: Vec<_> = settings.certificate_authorities.iter().map(|ca| ca.origin.as_str()).collect();
        let blame = if origins.is_empty() { String::new() } else { format!(" (with {})", origins.join(", ")) };
        NetError::Setup(format!("{}{blame}", super::failure::chain(&error)))
    })
}

/// Whether the system has certificate authorities.
#[must_use]
pub fn has_system_roots() -> bool {
    roots().are_systems
}

/// The certificate authorities that are trusted whatever the settings say, in DER.
pub fn trusted_roots() -> impl Iterator<Item = &'static [u8]> {
    roots().certificates.iter().map(AsRef::as_ref)
}

struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    are_systems: bool,
}

/// Read once for all clients: a system has some three hundred files of them.
fn roots() -> &'static Roots {
    static ROOTS: OnceLock<Roots> = OnceLock::new();
    ROOTS.get_or_init(|| {
        // What cannot be read or parsed is left out, as others do; nobody put it there for us.
        let systems = usable(rustls_native_certs::load_native_certs().certs);
        let are_systems = !systems.is_empty();
        let certificates = if are_systems { systems } else { TLS_SERVER_ROOT_CERTS.to_vec() };
        Roots { certificates, are_systems }
    })
}

/// Each certificate once; a single malformed one would be refused with all others.
fn usable(certificates: Vec<CertificateDer<'static>>) -> Vec<CertificateDer<'static>> {
    let mut known = HashSet::new();
    let is_new = |certificate: &CertificateDer<'static>| known.insert(certificate.clone());
    let certificates: Vec<_> = certificates.into_iter().filter(is_new).collect();
    certificates.into_iter().filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok()).collect()
}

fn trust(builder: ClientBuilder, settings: &NetworkSettings) -> Result<ClientBuilder, NetError> {
    let mut all = Vec::new();
    for authorities in &settings.certificate_authorities {
        for der in &authorities.certificates {
            let certificate = Certificate::from_der(der)
                .map_err(|error| NetError::Setup(format!("{}: {error}", authorities.origin)))?;
            all.push(certificate);
        }
    }
    all.extend(trusted_roots().filter_map(|der| Certificate::from_der(der).ok()));
    Ok(builder.tls_certs_only(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::CertificateAuthorities;

    #[test]
    fn certificates_of_the_system_that_are_none_are_left_out() {
        let real = TLS_SERVER_ROOT_CERTS[0].clone();
        let broken = CertificateDer::from(vec![0x30, 0x82, 0, 1, 0]);
        assert_eq!(usable(vec![broken, real.clone(), real.clone()]), [real]);
        assert!(trusted_roots().count() > 10);
    }

    #[test]
    fn a_certificate_that_is_none_is_named() {
        let authorities =
            CertificateAuthorities { origin: "SOME_VARIABLE".into(), certificates: vec![vec![0x30, 0x82, 0, 1, 0]] };
        let settings = NetworkSettings { certificate_authorities: vec![authorities], ..NetworkSettings::default() };
        let error = client(&settings, Verification::Required).unwrap_err().to_string();
        assert!(error.contains("SOME_VARIABLE"), "{error}");
        let unverified = NetworkSettings { unverified_tls: true, ..settings };
        assert!(client(&unverified, Verification::AsConfigured).is_ok());
        assert!(client(&unverified, Verification::Required).is_err(), "feeds are always verified");
    }
}
