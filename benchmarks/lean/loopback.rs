//! The server of this benchmark: OpenAI's API on this machine, with replies that take no time and follow from the request's bytes. It prints its
//! address, then a line with the number of requests so far for every line that it reads, and ends with its input.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut output = io::stdout();
    writeln!(output, "http://{}/v1", listener.local_addr()?)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no error here.
            std::thread::spawn(move || serve(stream));
        }
    });
    for line in io::stdin().lines() {
        line?;
        writeln!(output, "{}", REQUESTS.load(Relaxed))?;
    }
    Ok(())
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    let mut line = String::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if input.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        REQUESTS.fetch_add(1, Relaxed);
        let answer = answer(hash(&body));
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        output.write_all((head + &answer).as_bytes())?;
    }
}

/// A judgement whose scores follow from the request.
fn answer(hash: u64) -> String {
    let score = |shift: u32| (hash >> shift) % 10 + 1;
    format!(
        r#"{{"id":"chatcmpl-{hash:016x}","object":"chat.completion","created":1,"model":"loopback","choices":[{{"index":0,"message":{{"role":"assistant","content":"Assistant 1 answers the question and gives its reasons in one line. Assistant 2 answers it at greater length, with more detail than was asked for.\nScore of Assistant 1: {}\nScore of Assistant 2: {}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":400,"completion_tokens":50,"total_tokens":450}}}}"#,
        score(20),
        score(40)
    )
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
