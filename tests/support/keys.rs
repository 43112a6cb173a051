//! Keys and certificates, made afresh by `openssl`: a private authority, a server, the token service's signature.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::run;

/// A folder with the files.
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// Makes all of them. The server's certificate is for `localhost` only.
    pub fn make(folder: &Path) -> Self {
        let openssl = |arguments: &str| {
            run(Command::new("openssl").args(arguments.split(' ')).current_dir(folder));
        };
        let elliptic = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let authority = "[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\nbasicConstraints=critical,CA:TRUE\n\
                         keyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n";
        fs::write(folder.join("ca.cnf"), authority).unwrap();
        fs::write(folder.join("server.ext"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
        openssl(&format!("req -x509 {elliptic} -config ca.cnf -keyout ca.key -out ca.crt -days 2 -subj /CN=Test"));
        openssl(&format!("req {elliptic} -config ca.cnf -keyout server.key -out server.csr -subj /CN=localhost"));
        openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.crt",
        );
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -config ca.cnf -keyout token.key -out token.crt -days 2 -subj /CN=issuer",
        );
        openssl("pkey -in token.key -pubout -outform DER -out token.pub");
        Self { folder: folder.to_owned() }
    }

    /// Where a file is: `ca.crt`, `server.crt`, `server.key`, `token.crt`, `token.key`, `token.pub`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A TLS server with the server's certificate.
    pub fn server(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_file(self.path("server.crt")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap())
    }

    /// A TLS client that trusts the authority.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.crt")).unwrap()).unwrap();
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}
