//! The certificates that a server presents, looked at when they are not trusted, so that people can see whose they are.
//!
//! The handshake is given up as soon as they are there: nothing is sent to a server that is not trusted. Of a certificate
//! (X.509, RFC 5280) only what tells it apart is read: names, issuer, validity. Whatever is malformed reads as nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use base64::Engine as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream};
use sha2::{Digest as _, Sha256};

/// A certificate as people tell it apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presented {
    /// Whose it is: common name and organisation.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The hosts that it is for.
    pub names: Vec<String>,
    /// First and last day, `2026-01-31`.
    pub valid: Option<(String, String)>,
    /// SHA-256 of the whole, in hexadecimal.
    pub fingerprint: String,
    /// The whole, in PEM.
    pub pem: String,
}

/// The chain that a server presents, its own certificate first.
///
/// # Errors
/// It cannot be reached, or does not speak TLS.
pub fn presented(host: &str, port: u16, patience: Duration) -> io::Result<Vec<Presented>> {
    let recorder = Arc::new(Recorder::default());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut socket = TcpStream::connect_timeout(&address, patience)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    // It always ends in an error: the recorder's, if all went well.
    let ended = io::Write::flush(&mut Stream::new(&mut connection, &mut socket));
    let ended = ended.and_then(|()| connection.complete_io(&mut socket).map(drop));
    let chain = recorder.0.lock().unwrap_or_else(PoisonError::into_inner);
    match (chain.is_empty(), ended) {
        (true, Err(error)) => Err(error),
        (true, Ok(())) => Err(io::ErrorKind::InvalidData.into()),
        (false, _) => Ok(chain.iter().map(|der| Presented::of(der)).collect()),
    }
}

impl Presented {
    /// What a certificate says; fields that cannot be read stay empty.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let digest: String = Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut presented = Self { fingerprint: digest, pem: pem(der), ..Self::default() };
        // Where it breaks off, what was read before stands.
        let _ = presented.read(der);
        presented
    }

    fn read(&mut self, der: &[u8]) -> Option<()> {
        let (mut rest, _) = content(content(der, SEQUENCE)?.0, SEQUENCE)?;
        if let Some((_, after)) = content(rest, VERSION) {
            rest = after;
        }
        let (_serial, rest) = content(rest, INTEGER)?;
        let (_algorithm, rest) = content(rest, SEQUENCE)?;
        let (issuer, rest) = content(rest, SEQUENCE)?;
        self.issuer = name(issuer);
        let (validity, rest) = content(rest, SEQUENCE)?;
        let (first, last) = element(validity)?;
        self.valid = day(&first).zip(element(last).and_then(|(last, _)| day(&last)));
        let (subject, rest) = content(rest, SEQUENCE)?;
        self.subject = name(subject);
        let (_key, mut rest) = content(rest, SEQUENCE)?;
        while let Some((field, after)) = element(rest) {
            if field.tag == EXTENSIONS {
                let (mut extensions, _) = content(field.content, SEQUENCE)?;
                while let Some((extension, after)) = content(extensions, SEQUENCE) {
                    extensions = after;
                    self.alternative_names(extension);
                }
            }
            rest = after;
        }
        Some(())
    }

    fn alternative_names(&mut self, extension: &[u8]) -> Option<()> {
        let (id, mut rest) = content(extension, OBJECT_ID)?;
        if id != SUBJECT_ALT_NAME {
            return None;
        }
        if let Some((_critical, after)) = content(rest, BOOLEAN) {
            rest = after;
        }
        let (mut names, _) = content(content(rest, OCTETS)?.0, SEQUENCE)?;
        while let Some((name, after)) = element(names) {
            names = after;
            let text = match (name.tag, name.content.len()) {
                (DNS_NAME, _) => Some(printable(name.content)),
                (IP_ADDRESS, 4) => name.content.first_chunk().map(|ip| IpAddr::from(Ipv4Addr::from(*ip)).to_string()),
                (IP_ADDRESS, 16) => name.content.first_chunk().map(|ip| IpAddr::from(Ipv6Addr::from(*ip)).to_string()),
                _ => None,
            };
            self.names.extend(text.filter(|_| self.names.len() < MOST_NAMES));
        }
        Some(())
    }
}

impl fmt::Display for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, issued by `{}`", self.subject, self.issuer)?;
        if !self.names.is_empty() {
            write!(f, ", for {}", self.names.join(", "))?;
        }
        if let Some((first, last)) = &self.valid {
            write!(f, ", valid {first} to {last}")?;
        }
        write!(f, ", SHA-256 {}", self.fingerprint)
    }
}

/// Keeps what is presented and trusts none of it.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Vec<u8>>>);

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chain.push(end_entity.to_vec());
        chain.extend(intermediates.iter().take(MOST_CERTIFICATES).map(|der| der.to_vec()));
        Err(looked())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(looked())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(looked())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn looked() -> rustls::Error {
    rustls::Error::General("only looked at".into())
}

/// One element of DER: tag and content.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// The first element, and what follows it.
fn element(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, length], rest) = input.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, content }, rest))
}

/// The content of the first element if it has this tag, and what follows it.
fn content(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = element(input)?;
    (found.tag == tag).then_some((found.content, rest))
}

/// Common name and organisation of a distinguished name.
fn name(mut sets: &[u8]) -> String {
    let mut parts = Vec::new();
    while let Some((set, rest)) = element(sets) {
        sets = rest;
        let Some((pair, _)) = content(set.content, SEQUENCE) else { continue };
        let Some((id, value)) = content(pair, OBJECT_ID) else { continue };
        if (id == COMMON_NAME || id == ORGANISATION)
            && let Some((value, _)) = element(value)
        {
            parts.push(printable(value.content));
        }
    }
    parts.join(", ")
}

/// `UTCTime` or `GeneralizedTime` as a day.
fn day(time: &Element<'_>) -> Option<String> {
    let digits = std::str::from_utf8(time.content).ok()?;
    let (year, rest) = match time.tag {
        UTC_TIME => {
            let year: u16 = digits.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        GENERALIZED_TIME => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let (month, day): (u8, u8) = (rest.get(..2)?.parse().ok()?, rest.get(2..4)?.parse().ok()?);
    Some(format!("{year}-{month:02}-{day:02}"))
}

fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes));
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// 2.5.4.3, 2.5.4.10 and 2.5.29.17.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const ORGANISATION: [u8; 3] = [0x55, 0x04, 0x0a];
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

const MOST_CERTIFICATES: usize = 10;
const MOST_NAMES: usize = 20;
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

    use super::*;

    #[test]
    fn the_roots_of_the_web_are_told_apart() {
        for der in TLS_SERVER_ROOT_CERTS {
            let found = Presented::of(der);
            assert!(!found.issuer.is_empty() && found.issuer == found.subject, "{found}");
            let (first, last) = found.valid.expect("a validity");
            assert!(first < last && first.as_str() > "1995" && last.as_str() < "2060", "{first} {last}");
            assert_eq!(found.fingerprint.len(), 64);
            assert!(found.pem.lines().count() > 5);
        }
    }

    proptest! {
        #[test]
        fn no_certificate_makes_it_panic(which in 0..TLS_SERVER_ROOT_CERTS.len(), at in 0_usize..1500, byte: u8, cut in 0_usize..1500) {
            let mut der = TLS_SERVER_ROOT_CERTS[which].to_vec();
            if let Some(changed) = der.get_mut(at) {
                *changed = byte;
            }
            der.truncate(cut);
            let _ = Presented::of(&der);
        }
    }
}
