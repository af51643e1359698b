//! Calls of gRPC over one HTTP/2 connection, the pipe between BuildKit and a frontend: one message there, one back.

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;

use super::pb::Status;
use crate::Error;
use crate::executor::source::http::decoded;

/// Bytes before a message: whether it is packed, and its length.
pub(super) const PREFIX: usize = 5;
/// The largest message of BuildKit's.
const MOST: usize = 16 << 20;
/// What may be on its way to us.
const WINDOW: u32 = 2 << 24;
/// `UNAVAILABLE` and `INTERNAL` of gRPC.
const UNAVAILABLE: i32 = 14;
const INTERNAL: i32 = 13;

/// Who answers calls.
pub(crate) trait Transport: Sync {
    /// Calls `method` of `LLBBridge`.
    fn call(&self, method: &str, message: Vec<u8>) -> Result<Vec<u8>, Status>;
}

/// A connection to BuildKit.
pub(super) struct Connection {
    /// There until the end.
    runtime: Option<Runtime>,
    requests: SendRequest<Bytes>,
}

impl Connection {
    /// Speaks over `pipe`, as its client.
    pub(super) fn over<P>(pipe: P) -> Result<Self, Error>
    where
        P: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| Error::new(format!("cannot start: {e}")))?;
        let requests = runtime.block_on(async {
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
            let (requests, connection) = builder.handshake(pipe).await?;
            tokio::spawn(connection);
            Ok(requests)
        });
        let requests = requests.map_err(|e: h2::Error| {
            Error::new(format!("standard input is not a connection to BuildKit: {e}"))
        })?;
        Ok(Self { runtime: Some(runtime), requests })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A thread reads standard input, which nobody closes before this process ends.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Transport for Connection {
    fn call(&self, method: &str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
        let runtime = self.runtime.as_ref().expect("it is there until the end");
        runtime.block_on(unary(self.requests.clone(), method, &message))
    }
}

async fn unary(
    requests: SendRequest<Bytes>,
    method: &str,
    message: &[u8],
) -> Result<Vec<u8>, Status> {
    let gone = |e: h2::Error| status(UNAVAILABLE, format!("lost the connection to BuildKit: {e}"));
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost/moby.buildkit.v1.frontend.LLBBridge/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a method's name is a part of a URI");
    let mut requests = requests.ready().await.map_err(gone)?;
    let (response, mut body) = requests.send_request(request, false).map_err(gone)?;
    body.send_data(framed(message), true).map_err(gone)?;
    let (head, mut body) = response.await.map_err(gone)?.into_parts();
    let mut data = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(gone)?;
        body.flow_control().release_capacity(chunk.len()).map_err(gone)?;
        if data.len() + chunk.len() > MOST + PREFIX {
            return Err(status(
                INTERNAL,
                format!("the answer to {method} has more than {MOST} bytes"),
            ));
        }
        data.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await.map_err(gone)?;
    // An error without a message is said in the head.
    failure(trailers.as_ref().unwrap_or(&head.headers))?;
    unframed(&data).ok_or_else(|| status(INTERNAL, format!("the answer to {method} is truncated")))
}

/// A message with what stands before it.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("messages are a few megabytes"));
    framed.put_slice(message);
    framed.freeze()
}

/// The message of a body.
pub(super) fn unframed(data: &[u8]) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(data.get(1..PREFIX)?.try_into().ok()?);
    let message = data.get(PREFIX..)?;
    (data[0] == 0 && message.len() as u64 == u64::from(length)).then(|| message.to_vec())
}

/// What the headers at the end say when it failed.
fn failure(headers: &HeaderMap) -> Result<(), Status> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let code: i32 = text("grpc-status").and_then(|code| code.parse().ok()).unwrap_or(INTERNAL);
    if code == 0 {
        return Ok(());
    }
    let details = text("grpc-status-details-bin").and_then(|encoded| {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
        Status::decode(&engine.decode(encoded.trim_end_matches('=')).ok()?[..]).ok()
    });
    // Headers are percent-encoded.
    let message = decoded(text("grpc-message").unwrap_or("no reason given"));
    Err(details.unwrap_or_else(|| status(code, message)))
}

/// A status without more.
pub(super) fn status(code: i32, message: impl Into<String>) -> Status {
    Status { code, message: message.into(), details: Vec::new() }
}
