//! The registry itself.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use plimsoll::model::Digest;
use tempfile::TempDir;

use super::keys::Keys;
use super::token_service::{ISSUER, SERVICE, TokenService};
use super::{has_program, run, skip};

/// A registry with its token service. Images of the project `grp/proj` may be pushed; see [`Bench::start`] for users.
pub struct Bench {
    pub keys: Keys,
    pub tokens: TokenService,
    process: Child,
    port: u16,
    folder: PathBuf,
    /// Removes the folder when a bench of one test ends; the shared one is removed by the process's guardian.
    _folder: Option<TempDir>,
}

/// The job token of the project `grp/proj`.
pub const JOB_TOKEN: &str = "glcbt-64_job";
/// The deploy token of the same project, and its user name.
pub const DEPLOY_TOKEN: &str = "gldt-deploy";
pub const DEPLOY_USER: &str = "gitlab+deploy-token-7";
/// An access token that may read nothing, and its user name.
pub const WEAK_TOKEN: &str = "glpat-weak";
pub const WEAK_USER: &str = "alice";

impl Bench {
    /// One for all tests of a binary; `None` if the programs for it are missing, and the test is to be skipped.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Bench>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_in(tempfile::tempdir().unwrap().keep(), None)).as_ref()
    }

    /// One for a single test.
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder.path().to_owned(), Some(folder))
    }

    fn start_in(folder: PathBuf, owned: Option<TempDir>) -> Option<Self> {
        for program in ["docker-registry", "skopeo", "openssl"] {
            if !has_program(program) {
                return skip(&format!("the program `{program}`"));
            }
        }
        let keys = Keys::make(&folder);
        let tokens = TokenService::start(&keys);
        tokens.add_user("gitlab-ci-token", JOB_TOKEN, &[], &["grp/proj"]);
        tokens.add_user(DEPLOY_USER, DEPLOY_TOKEN, &["grp/proj"], &[]);
        tokens.add_user(WEAK_USER, WEAK_TOKEN, &[], &[]);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.join("registry.yml");
        fs::write(&file, configuration(&folder, &keys, &tokens, port)).unwrap();
        let process = start_process(&file, owned.is_none().then_some(folder.as_path()));
        wait_for(port, &folder);
        // skopeo wants the authority in a folder of its own.
        fs::create_dir(folder.join("certificates")).unwrap();
        fs::copy(keys.path("ca.crt"), folder.join("certificates/ca.crt")).unwrap();
        Some(Self { keys, tokens, process, port, folder, _folder: owned })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Pushes from a transport of skopeo's (`oci:DIR:TAG`, `dir:DIR`) to `grp/proj/<name>`, unchanged, with all
    /// images of an index.
    pub fn push(&self, source: &str, name: &str) {
        let destination = format!("docker://{}/grp/proj/{name}", self.host());
        run(Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--dest-cert-dir"])
            .arg(self.folder.join("certificates"))
            .args(["--dest-creds", &format!("gitlab-ci-token:{JOB_TOKEN}"), source, &destination]));
    }

    /// Where the registry keeps a blob, so that it can be damaged.
    pub fn stored_blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.join(format!("data/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    /// The variables of a job in the project `grp/proj` whose registry is at `host`.
    pub fn job(&self, host: &str) -> Vec<(String, String)> {
        let pairs = [
            ("CI_REGISTRY", host.to_owned()),
            ("CI_REGISTRY_IMAGE", format!("{host}/grp/proj")),
            ("CI_REGISTRY_USER", "gitlab-ci-token".to_owned()),
            ("CI_REGISTRY_PASSWORD", JOB_TOKEN.to_owned()),
            ("ADDITIONAL_CA_CERT_BUNDLE", self.keys.path("ca.crt").display().to_string()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // The guardian ends the registry when its input ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, keys: &Keys, tokens: &TokenService, port: u16) -> String {
    format!(
        "version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {data}}}, delete: {{enabled: true}}}}
http:
  addr: 127.0.0.1:{port}
  host: https://localhost:{port}
  secret: test
  tls: {{certificate: {certificate}, key: {key}}}
auth:
  token: {{realm: '{realm}', service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: {bundle}}}
",
        data = folder.join("data").display(),
        certificate = keys.path("server.crt").display(),
        key = keys.path("server.key").display(),
        bundle = keys.path("token.crt").display(),
        realm = tokens.realm(),
    )
}

/// Starts the registry under a shell that ends it when this process ends, however it ends. A shared registry is never
/// dropped, so the shell also removes its folder.
fn start_process(configuration: &Path, remove: Option<&Path>) -> Child {
    let guardian = r#"docker-registry serve "$0" >"$0.log" 2>&1 & child=$!; read -r _; kill $child; wait $child; [ -z "$1" ] || rm -rf "$1""#;
    let mut command = Command::new("sh");
    command.arg("-c").arg(guardian).arg(configuration).arg(remove.unwrap_or(Path::new("")));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn wait_for(port: u16, folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = || fs::read_to_string(folder.join("registry.yml.log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "the registry does not start: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}
