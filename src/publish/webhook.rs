//! A webhook: one message per run, to the address that the project keeps secret.
//!
//! Nobody can ask a chat what it was told. So the keys are written into the journal before the message is sent, and taken
//! back only when it surely was not received: a message whose answer got lost is not sent again. Receivers of the JSON form can
//! also tell repetitions by the header `Idempotency-Key`.

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::Delivery;
use super::journal::{Journal, JournalError};
use crate::model::{Alert, AlertReport, Digest, Secret};
use crate::net::retry::{Retry, retry_after};
use crate::net::{Failure, FailureKind, NetworkSettings, client_without_redirects};
use crate::report::alert::AlertContext;
use crate::report::alert::webhook::{Service, payload};

/// Where messages go. Who has the address can write there, so it is never shown; its host is.
#[derive(Debug)]
pub struct Webhook {
    url: Secret,
    host: String,
    service: Service,
}

/// A message that was not delivered, or whose delivery is not certain.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address is none that is used.
    #[error("the address is not used: {0}")]
    Address(&'static str),
    /// The HTTP client cannot be set up.
    #[error("{0}")]
    Setup(String),
    /// What was told cannot be remembered, so nothing is sent.
    #[error("what is told cannot be remembered, so nothing is sent: {0}")]
    Journal(#[from] JournalError),
    /// The service did not take it.
    #[error("`{host}` answers {status}: {message}")]
    Refused {
        /// Host and port.
        host: String,
        /// HTTP status.
        status: u16,
        /// The beginning of its words.
        message: String,
    },
    /// It was not reached, or the answer got lost.
    #[error("`{host}`: {failure}")]
    Failed {
        /// Host and port.
        host: String,
        /// What happened.
        failure: Failure,
    },
}

impl Webhook {
    /// The webhook at an address; the service is told from it unless it is named.
    ///
    /// # Errors
    /// The address is no https address; plain http is for loopback only, as the address is a secret.
    pub fn new(url: &Secret, service: Option<Service>) -> Result<Self, WebhookError> {
        let parsed = Url::parse(url.expose().trim()).map_err(|_| WebhookError::Address("it is no web address"))?;
        let host = parsed.host_str().ok_or(WebhookError::Address("it names no host"))?;
        let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        if parsed.scheme() != "https" && !(parsed.scheme() == "http" && loopback) {
            return Err(WebhookError::Address("it must begin with https://"));
        }
        let service = service.unwrap_or_else(|| service_at(host, parsed.path()));
        let host = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { url: Secret::new(parsed.as_str()), host, service })
    }

    /// The service and its host, for the log.
    #[must_use]
    pub fn name(&self) -> String {
        format!("webhook at {} ({})", self.host, self.service.name())
    }

    fn send(&self, network: &NetworkSettings, body: String, key: &str) -> Result<(), WebhookError> {
        let setup = |error: String| WebhookError::Setup(error);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| setup(error.to_string()))?;
        let client = client_without_redirects(network).map_err(|error| setup(error.to_string()))?;
        runtime.block_on(async {
            let mut retry = Retry::new(network);
            loop {
                let request = client
                    .post(self.url.expose())
                    .header(CONTENT_TYPE, "application/json")
                    .header("Idempotency-Key", key)
                    .body(body.clone());
                let (error, asked) = match request.send().await {
                    Ok(response) if response.status().is_success() => return Ok(()),
                    Ok(mut response) => {
                        let (status, asked) = (response.status().as_u16(), wait(response.headers()));
                        let chunk = response.chunk().await.ok().flatten().unwrap_or_default();
                        let words = String::from_utf8_lossy(chunk.get(..chunk.len().min(200)).unwrap_or_default());
                        let message = words.replace(char::is_control, " ").trim().to_owned();
                        (WebhookError::Refused { host: self.host.clone(), status, message }, asked)
                    }
                    Err(error) => {
                        let failure = Failure::of(&error.without_url());
                        (WebhookError::Failed { host: self.host.clone(), failure }, None)
                    }
                };
                // Only what surely was not received is sent again.
                if !error.is_worth_repeating() {
                    return Err(error);
                }
                let Some(delay) = retry.next_delay(asked) else { return Err(error) };
                tokio::time::sleep(delay).await;
            }
        })
    }
}

impl WebhookError {
    /// Whether the message may have been received all the same.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            Self::Failed { failure, .. } => matches!(failure.kind, FailureKind::Timeout | FailureKind::Broken),
            Self::Address(_) | Self::Setup(_) | Self::Journal(_) => false,
        }
    }

    fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == 429,
            Self::Failed { failure, .. } => matches!(failure.kind, FailureKind::Refused | FailureKind::HostUnknown),
            Self::Address(_) | Self::Setup(_) | Self::Journal(_) => false,
        }
    }
}

/// Tells a webhook what it was not yet told.
///
/// # Errors
/// The journal cannot be kept, or the message was not, or not certainly, delivered.
pub fn tell(
    webhook: &Webhook,
    network: &NetworkSettings,
    journal: &Journal,
    report: &AlertReport,
    context: &AlertContext,
) -> Result<Delivery, WebhookError> {
    let (before, read) = journal.read()?;
    let is_told = |alert: &Alert| before.contains(CHANNEL, &alert.key, alert.heard);
    let alerts: Vec<Alert> = report.alerts.iter().filter(|alert| !is_told(alert)).cloned().collect();
    let keys: Vec<String> = if report.first_run {
        vec![FIRST_RUN.to_owned()]
    } else {
        alerts.iter().map(|alert| alert.key.clone()).collect()
    };
    if keys.is_empty() {
        return Ok(if report.alerts.is_empty() { Delivery::Nothing } else { Delivery::Already });
    }
    if report.first_run && before.contains(CHANNEL, FIRST_RUN, None) {
        return Ok(Delivery::Already);
    }
    let mut told = before.clone();
    told.enter(CHANNEL, keys.iter().cloned(), report.started);
    let entered = journal.write(&told)?;
    let body = payload(webhook.service, report, &alerts, context).to_string();
    let occurrences: Vec<String> =
        if report.first_run { keys.clone() } else { alerts.iter().map(Alert::occurrence).collect() };
    let sent = webhook.send(network, body, &batch(&occurrences));
    match &sent {
        Err(error) if !error.may_have_arrived() => journal.withdraw(&entered, &before)?,
        Err(_) => {
            warn!("{}: it is not certain that the message was received; it is not sent again", webhook.name());
            journal.remove(&read);
        }
        Ok(()) => journal.remove(&read),
    }
    sent.map(|()| Delivery::Told(keys.len()))
}

/// The service that an address belongs to, by the forms that the services hand out.
fn service_at(host: &str, path: &str) -> Service {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| host.ends_with(suffix));
    if host == "hooks.slack.com" || host == "hooks.slack-gov.com" {
        Service::Slack
    } else if ends(&[".webhook.office.com", ".logic.azure.com", ".powerplatform.com"]) {
        Service::Teams
    } else if path.split('/').rev().nth(1) == Some("hooks") {
        Service::Mattermost
    } else {
        Service::Json
    }
}

/// The same for the same news.
fn batch(keys: &[String]) -> String {
    Digest::from_sha256(&Sha256::digest(keys.join(" ")).into()).hex().to_owned()
}

fn wait(headers: &HeaderMap) -> Option<std::time::Duration> {
    retry_after(headers)
}

const CHANNEL: &str = "webhook";
const FIRST_RUN: &str = "first-run";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_their_addresses() {
        for (url, expected) in [
            ("https://hooks.slack.com/services/T0/B0/x", Some(Service::Slack)),
            ("https://contoso.webhook.office.com/webhookb2/x", Some(Service::Teams)),
            (
                "https://prod-1.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=x",
                Some(Service::Teams),
            ),
            ("https://chat.example.com/hooks/abcdef", Some(Service::Mattermost)),
            ("https://chat.example.com/sub/hooks/abcdef", Some(Service::Mattermost)),
            ("https://example.com/alerts", Some(Service::Json)),
            ("http://localhost:8065/hooks/x", Some(Service::Mattermost)),
            ("http://example.com/alerts", None),
            ("ftp://example.com/alerts", None),
            ("example.com", None),
        ] {
            let found = Webhook::new(&Secret::new(url), None);
            assert_eq!(found.as_ref().ok().map(|webhook| webhook.service), expected, "{url}");
            if let Err(error) = found {
                assert!(!error.to_string().contains("example.com/"), "{error}");
            }
        }
        let named = Webhook::new(&Secret::new("https://example.com/x?token=abc"), Some(Service::Slack)).unwrap();
        assert_eq!(named.name(), "webhook at example.com (Slack)");
        assert!(!format!("{named:?}").contains("token"));
    }
}
