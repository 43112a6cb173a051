//! A server before the registry that passes requests on and misbehaves as told, and keeps what it was asked.

use std::sync::{Arc, Mutex};

use super::Bench;
use super::http::{Reply, Request, Server, forward};

/// The running server.
pub struct Front {
    server: Server,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Front {
    /// Starts it in TLS. `behave` gets each request and a function that asks the registry.
    pub fn start(
        bench: &Bench,
        behave: impl Fn(&Request, &dyn Fn(&Request) -> Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(bench, true, behave)
    }

    /// The same in plain HTTP.
    pub fn start_plain(
        bench: &Bench,
        behave: impl Fn(&Request, &dyn Fn(&Request) -> Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(bench, false, behave)
    }

    fn listen(
        bench: &Bench,
        tls: bool,
        behave: impl Fn(&Request, &dyn Fn(&Request) -> Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (client, port, log) = (bench.keys.client(), bench.port(), Arc::clone(&requests));
        let server = Server::start(tls.then(|| bench.keys.server()), move |request| {
            log.lock().unwrap().push(request.clone());
            behave(request, &|request| {
                forward(&client, port, request).unwrap_or_else(|e| Reply::new(502, "text/plain", e.to_string()))
            })
        });
        Self { server, requests }
    }

    /// Host and port, to be used as the registry of an image reference.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.server.port)
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests were for blobs.
    pub fn blob_requests(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.target.contains("/blobs/")).collect()
    }
}
