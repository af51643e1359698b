//! Starts a server, asks it something, prints the answer while it is written, stops the server:
//! `cargo run --example chat [MODEL] [QUESTION]`.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use llama_server_bin::Launch;
use serde_json::{Value, json};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/models/llama-demo.gguf");

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let model = args.next().unwrap_or_else(|| DEMO.into());
    let question = args.next().map_or("Hello!".into(), |word| word.to_string_lossy().into_owned());

    let server = Launch::new(["-m".into(), model]).start()?;
    eprintln!("llama-server {} listens on {}", server.pid(), server.url());
    chat(server.url(), &question)?;
    server.stop()?;
    Ok(())
}

/// One question to `/v1/chat/completions`, with the answer as server-sent events.
fn chat(url: &str, question: &str) -> Result<(), Box<dyn Error>> {
    let authority = url.strip_prefix("http://").ok_or("only plain HTTP here")?;
    let messages = json!([{ "role": "user", "content": question }]);
    let body = json!({ "messages": messages, "stream": true, "max_tokens": 128 }).to_string();
    let mut stream = TcpStream::connect(authority)?;
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.0\r\nHost: {authority}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next().ok_or("no answer")??;
    if !status.contains(" 200 ") {
        return Err(status.into());
    }
    for line in lines {
        let line = line?;
        let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") else {
            continue;
        };
        let event: Value = serde_json::from_str(data)?;
        print!("{}", event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}
