//! A small HTTP/1.1 server that can do what servers should not, and a small client. One request per connection, unless
//! connections are to be kept.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Breaks the connection after so many bytes of the body.
    pub cut_after: Option<usize>,
    /// Keeps the connection open and silent for so long after what was sent.
    pub stall: Option<Duration>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".into(), content_type.into())];
        Self { status, headers, body: body.into(), cut_after: None, stall: None }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A server on a free port of the loopback; it ends when this is dropped.
pub struct Server {
    pub port: u16,
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts to answer, in TLS if a configuration is given.
    pub fn start(tls: Option<Arc<ServerConfig>>, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(tls, false, handler)
    }

    /// Starts to answer in plain text, many requests on a connection.
    pub fn start_kept(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, true, handler)
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        keep: bool,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, handler) = (Arc::clone(&stop), Arc::new(handler));
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let (tls, handler) = (tls.clone(), Arc::clone(&handler));
                // A client that goes away in the middle is part of the tests.
                std::thread::spawn(move || serve(stream, tls, keep, &*handler).ok());
            }
        });
        Self { port, stop, connections }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    keep: bool,
    handler: &(dyn Fn(&Request) -> Reply + Send + Sync),
) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        let mut stream = Some(stream);
        while let Some(open) = stream.take() {
            stream = answer(open, keep, handler)?.filter(|_| keep);
        }
        return Ok(());
    };
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    if let Some(mut stream) = answer(StreamOwned::new(connection, stream), false, handler)? {
        stream.conn.send_close_notify();
        stream.flush()?;
    }
    Ok(())
}

/// Answers one request; gives the stream back unless it is to be broken off.
fn answer<S: Read + Write>(
    stream: S,
    keep: bool,
    handler: &(dyn Fn(&Request) -> Reply + Send + Sync),
) -> io::Result<Option<S>> {
    // Nobody sends the next request before this one is answered, so nothing is lost with the buffer.
    let mut reader = BufReader::new(stream);
    let (first, headers) = read_head(&mut reader)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if target.is_empty() {
        // As Go's server answers a TLS handshake on a plain port: with something that is no TLS.
        let mut stream = reader.into_inner();
        stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n")?;
        return Ok(Some(stream));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    if let Some(length) = request.header("Content-Length").and_then(|length| length.parse().ok()) {
        reader.by_ref().take(length).read_to_end(&mut request.body)?;
    }
    let reply = handler(&request);
    let mut stream = reader.into_inner();
    let connection = if keep { "keep-alive" } else { "close" };
    let mut head = format!("HTTP/1.1 {} Reply\r\nConnection: {connection}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.header("Content-Length").is_none() {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let end = if request.method == "HEAD" { 0 } else { reply.cut_after.unwrap_or(reply.body.len()) };
    stream.write_all(&reply.body[..end.min(reply.body.len())])?;
    stream.flush()?;
    std::thread::sleep(reply.stall.unwrap_or_default());
    Ok(reply.cut_after.is_none().then_some(stream))
}

/// The first line and the headers.
fn read_head(reader: &mut impl BufRead) -> io::Result<(String, Vec<(String, String)>)> {
    let mut line = || {
        let mut bytes = Vec::new();
        reader.read_until(b'\n', &mut bytes)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        match header.split_once(':') {
            Some((name, value)) => headers.push((name.trim().to_owned(), value.trim().to_owned())),
            None => return Ok((first, headers)),
        }
    }
}

/// Sends a request to a TLS server at `localhost` and reads the whole answer.
pub fn forward(tls: &Arc<ClientConfig>, port: u16, request: &Request) -> io::Result<Reply> {
    let name = "localhost".try_into().map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
    // HTTP/1.0, so that the answer is not chunked.
    let mut head = format!("{} {} HTTP/1.0\r\nHost: localhost:{port}\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        if !["host", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let (first, mut headers) = read_head(&mut reader)?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(502);
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = Vec::new();
    match length.and_then(|(_, value)| value.parse().ok()) {
        Some(length) if request.method != "HEAD" => {
            reader.take(length).read_to_end(&mut body)?;
        }
        Some(_) => {}
        None => {
            // Without a length the connection's end is the body's; a missing close-notify does not matter here.
            let _ = reader.read_to_end(&mut body);
        }
    }
    headers.retain(|(name, _)| {
        !["content-length", "connection", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
            || (request.method == "HEAD" && name.eq_ignore_ascii_case("content-length"))
    });
    Ok(Reply { status, headers, body, cut_after: None, stall: None })
}
