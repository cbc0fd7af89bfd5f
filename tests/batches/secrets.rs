//! The key goes to the server and nowhere else, whatever the server says.

use widedeep::chat::openai::KeySource;

use super::server::Fault::Status;
use super::server::{Ending, Said, Server};
use super::{Run, say, settings};

const CANARY: &str = "sk-canary-\"7f3a\\9c";

#[tokio::test]
async fn no_file_of_the_run_and_no_error_has_the_key_in_it() {
    // Replies, refusals, reasons for batches that failed or expired: all of them repeat the key.
    let server = Server::start(|body, before| {
        if before == 0 && body["messages"].to_string().contains("What is 1?") {
            return Said::Refusal(500, format!("you sent {CANARY}"));
        }
        Said::Reply(format!("{CANARY} {}", say(body)))
    });
    server.ending(|number, requests| match number {
        0 => Ending::Refused("oops", format!("you sent {CANARY}")),
        1 => Ending::Short("expired", requests / 2),
        _ => Ending::After(1),
    });
    server.fail("POST /files", &[Status(500)]);
    let mut run = Run::new(&server, 4);
    let path = run.path().with_extension("key");
    std::fs::write(&path, CANARY).unwrap();
    run.endpoint.key = KeySource::File(path.clone());
    run.process(Some(settings())).await.unwrap();

    assert!(server.keys().iter().all(|key| key == &format!("Bearer {CANARY}")));
    let files = run.files();
    assert!(
        files.iter().any(|(name, _)| name.contains("output-2")),
        "error files are kept as well"
    );
    for (name, content) in &files {
        let content = String::from_utf8_lossy(content);
        assert!(!content.contains("sk-canary"), "{name}");
    }
    let (_, output) = files.iter().find(|(name, _)| name.contains("output-1")).unwrap();
    assert!(
        String::from_utf8_lossy(output).contains("[key]"),
        "the rest of the line is there"
    );

    server.fail("GET /batches", &[Status(400)]);
    let mut another = Run::new(&server, 1);
    another.endpoint.key = KeySource::File(path.clone());
    let error = another.process(Some(settings())).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("[key]") && !shown.contains("sk-canary"), "{shown}");
    std::fs::remove_file(path).unwrap();
}
