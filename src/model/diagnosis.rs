//! Coded diagnoses: what went wrong, why, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A failure as people are told it, once, at the edge: `error[D12] what — why — fix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The stable code; scripts and documentation refer to it.
    pub code: Code,
    /// What happened.
    pub what: String,
    /// The cause, with the evidence.
    pub why: String,
    /// What to change, naming the variable, setting or place.
    pub fix: String,
}

impl Diagnosis {
    /// A diagnosis.
    pub fn new(code: Code, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: why.into(), fix: fix.into() }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}] {} — {} — {}", self.code, self.what, self.why, self.fix)
    }
}

impl std::error::Error for Diagnosis {}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The codes of [`Diagnosis`]. `D01`–`D23` concern registry, network and data; `D30` and up concern input and images.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl Code {
            /// `D12`.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl fmt::Display for Code {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.label())
            }
        }
    };
}

codes! {
    /// The instance or project has no container registry.
    RegistryDisabled = "D01",
    /// The host name does not resolve.
    HostUnknown = "D02",
    /// Nothing listens there: often a forgotten port.
    ConnectionRefused = "D03",
    /// The certificate's issuer is not trusted.
    UntrustedCertificate = "D04",
    /// The certificate is for another host or has expired.
    InvalidCertificate = "D05",
    /// HTTP on a TLS port or the reverse.
    PlainHttp = "D06",
    /// This is GitLab's web interface or another web site, not a registry.
    NotARegistry = "D07",
    /// The registry answers without a usable challenge.
    NoChallenge = "D08",
    /// The token service cannot be reached although the registry can.
    TokenServiceUnreachable = "D09",
    /// The token service refused the user name and password.
    WrongCredentials = "D10",
    /// The account needs a token because of two-factor authentication.
    TwoFactor = "D11",
    /// The token that was issued carries no right to pull.
    InsufficientScope = "D12",
    /// The token has expired or was revoked.
    TokenExpired = "D13",
    /// The user may not see this project or its registry.
    ProjectInvisible = "D14",
    /// The job token is not on the other project's allowlist.
    JobTokenNotAllowed = "D15",
    /// The tag or repository does not exist.
    ImageNotFound = "D16",
    /// The index has no image for the platform.
    PlatformMissing = "D17",
    /// The registry is rate-limiting or failing.
    RegistryBusy = "D18",
    /// The clocks of runner and GitLab differ.
    ClockSkew = "D19",
    /// Configuration leaves the image out.
    NotSelected = "D20",
    /// The advisory database is missing, unreadable, too old or unreachable.
    DatabaseUnavailable = "D21",
    /// A proxy stands in the way.
    ProxyFailed = "D22",
    /// The report could not be written.
    ReportNotWritten = "D23",
    /// An argument, setting or file given to the program is wrong.
    InvalidInput = "D30",
    /// The source of the image cannot be opened.
    SourceUnreadable = "D31",
    /// What was received does not have the promised digest or size.
    DigestMismatch = "D32",
    /// The manifest, index or configuration is malformed or of an unsupported kind.
    InvalidManifest = "D33",
    /// A layer is corrupt or was cut off.
    CorruptLayer = "D34",
    /// The image exceeds a limit.
    LimitExceeded = "D35",
    /// The transfer broke and could not be resumed.
    TransferFailed = "D36",
    /// There is nothing to scan.
    NothingToScan = "D37",
}
