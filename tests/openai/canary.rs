//! The key leaves this program in one header and nowhere else.

use std::io::Write;
use std::sync::{Arc, Mutex};

use widedeep::chat::openai::KeySource;
use widedeep::chat::{ChatModel, OpenAiModel};

use super::server::{FaultServer, Reaction, error, json_answer, reply};
use super::{ask, endpoint};

const CANARY: &str = "sk-canary-\"7f3a\\9c";

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_appears_in_no_error_debug_output_log_or_reply() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // For all threads: with a subscriber of one thread, an event that another thread meets first is switched off for good. What the
    // other tests log is read along, which does no harm.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = FaultServer::start(|received| {
        assert_eq!(received.authorization, format!("Bearer {CANARY}"));
        // Everything that a server can say, with the key in it.
        let said = format!("you sent {}", received.authorization);
        match received.id.as_str() {
            "401" => error(401, &said, &[]),
            "500" => error(500, &said, &[]),
            "429" => Reaction::Answer(
                429,
                vec![("retry-after", "9999".into())],
                "text/plain",
                said.into_bytes(),
            ),
            "400" => Reaction::Answer(400, vec![], "text/plain", said.into_bytes()),
            "redirect" => Reaction::Answer(307, vec![("location", format!("/{said}"))], "text/plain", vec![]),
            "type" => Reaction::Answer(200, vec![("x-key", said.clone())], "text/sk-canary-\"7f3a\\9c", vec![]),
            "malformed" => json_answer(200, &serde_json::json!({"choices": said})),
            "wrapped" => json_answer(200, &serde_json::json!({"error": {"message": said, "code": said}})),
            "refused" => json_answer(200, &serde_json::json!({"choices": [{"message": {"refusal": said}}]})),
            _ => reply(&said),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{CANARY}\n")).unwrap();
    let mut endpoint = endpoint(&server);
    endpoint.key = KeySource::File(path);
    let mut texts = vec![format!("{endpoint:?}")];
    for id in [
        "500",
        "429",
        "400",
        "redirect",
        "type",
        "malformed",
        "wrapped",
        "refused",
        "401",
    ] {
        // After some of these errors nothing more is sent.
        let model = OpenAiModel::connect(endpoint.clone()).await.unwrap();
        let error = ask(&model, id).await.unwrap_err();
        texts.extend([
            error.to_string(),
            format!("{error:?}"),
            serde_json::to_string(&error).unwrap(),
        ]);
    }
    let redacted = texts.iter().filter(|text| text.contains("[key]")).count();
    assert!(
        redacted >= 3 * 7,
        "the server's words are shown, the key in them is not: {texts:#?}"
    );
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let reply = ask(&model, "echo").await.unwrap();
    assert_eq!(reply.text, "you sent Bearer [key]");
    texts.push(format!("{model:?} {reply:?} {:?}", model.identity()));
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("attempt failed"), "the log was captured");
    texts.push(log);
    for text in texts {
        // Whole, escaped, or its beginning.
        assert!(!text.contains("sk-canary"), "{text}");
    }
}
