//! The requests behind the Batch API: small ones, and files too large to be held in memory.

use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use regex::bytes::Regex;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

use super::super::MAX_SAMPLES;
use super::super::failure::Failure;
use super::super::transport::Transport;

/// Until the server has taken a file, or begins to send one.
const TRANSFER: Duration = Duration::from_secs(3600);
/// Bytes of a file that are read at a time.
const PIECE: usize = 1 << 18;

/// Why a transfer did not succeed.
#[derive(Debug)]
pub(super) enum Mishap {
    /// On the way.
    Failure(Failure),
    /// On this machine.
    Disk(io::Error),
}

impl From<Failure> for Mishap {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<io::Error> for Mishap {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// `custom_id` in the beginning of a line.
static ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""custom_id"\s*:\s*"([0-9a-f]{1,64})""#).expect("a tested pattern"));

impl Transport {
    pub(super) async fn get(&self, url: Url) -> Result<Vec<u8>, Mishap> {
        let request = self.client.get(url).header(ACCEPT, "application/json");
        let response = self.send(request, self.timeouts.first_byte).await?;
        Ok(self.body(response, self.max_reply_bytes).await?)
    }

    pub(super) async fn post(&self, url: Url, body: Vec<u8>) -> Result<Vec<u8>, Mishap> {
        let request = self.client.post(url).header(ACCEPT, "application/json");
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let response = self.send(request, self.timeouts.first_byte).await?;
        Ok(self.body(response, self.max_reply_bytes).await?)
    }

    /// Sends a file as a form, as `purpose=batch`, without reading it into memory.
    pub(super) async fn upload(&self, url: Url, path: &Path, name: &str) -> Result<Vec<u8>, Mishap> {
        let file = File::open(path).await?;
        let boundary = format!("widedeep-{:032x}", rand::random::<u128>());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/jsonl\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        // Said beforehand: not every server takes a body of unknown length.
        let length = head.len() as u64 + file.metadata().await?.len() + tail.len() as u64;
        let one = |text: String| stream::iter([Ok(text.into_bytes())]);
        let body = one(head).chain(pieces(file)).chain(one(tail));
        let request = self.client.post(url).header(ACCEPT, "application/json");
        let request = request
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap_stream(body));
        let response = self.send(request, TRANSFER).await?;
        Ok(self.body(response, self.max_reply_bytes).await?)
    }

    /// Fetches a file of lines; on disk it has no key in it. Lines that are larger than any reply are replaced by a remark.
    pub(super) async fn download(&self, url: Url, into: &Path) -> Result<(), Mishap> {
        let mut response = self.send(self.client.get(url), TRANSFER).await?;
        let mut file = BufWriter::new(File::create(into).await?);
        // Several samples may share a line.
        let mut line = Line::new(self.max_reply_bytes.saturating_mul(MAX_SAMPLES));
        loop {
            let chunk = response.chunk().await.map_err(|error| self.transport_failure(error))?;
            let Some(chunk) = chunk else { break };
            for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
                line.add(piece);
                if piece.ends_with(b"\n") {
                    file.write_all(&self.stored(line.take())).await?;
                }
            }
        }
        if !line.text.is_empty() {
            line.add(b"\n");
            file.write_all(&self.stored(line.take())).await?;
        }
        file.flush().await?;
        file.get_ref().sync_all().await?;
        Ok(())
    }
}

/// A line in the making.
struct Line {
    text: Vec<u8>,
    limit: usize,
    is_too_long: bool,
}

impl Line {
    fn new(limit: usize) -> Self {
        Self {
            text: Vec::new(),
            limit,
            is_too_long: false,
        }
    }

    fn add(&mut self, piece: &[u8]) {
        self.is_too_long |= self.text.len() + piece.len() > self.limit;
        if !self.is_too_long {
            self.text.extend_from_slice(piece);
        }
    }

    /// The line, or what is said in its place.
    fn take(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut self.text);
        if !std::mem::take(&mut self.is_too_long) {
            return text;
        }
        let id = ID.captures(&text).and_then(|found| found.get(1));
        let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
        let message = format!("the line has more than {} bytes", self.limit);
        let remark = serde_json::json!({"custom_id": id, "error": {"code": "too_large", "message": message}});
        format!("{remark}\n").into_bytes()
    }
}

fn pieces(file: File) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let n = file.read(&mut piece).await?;
        piece.truncate(n);
        Ok((n > 0).then_some((piece, file)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_leaves_a_remark_about_its_request() {
        let mut line = Line::new(40);
        line.add(br#"{"id":"x","custom_id":"ab12","#);
        line.add(b"\"response\":\"very long\"}\n");
        let remark = String::from_utf8_lossy(&line.take()).into_owned();
        assert!(
            remark.contains(r#""custom_id":"ab12""#) && remark.contains("too_large"),
            "{remark}"
        );
        line.add(b"{}\n");
        assert_eq!(line.take(), b"{}\n");
    }
}
