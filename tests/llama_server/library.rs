//! What the library finds out about the server, and what it reads in its replies.

use widedeep::chat::openai::{Endpoint, Features, KeySource};
use widedeep::chat::{ChatModel, OpenAiModel, Origin, ReplyPlan, Request, Sampling, Speaker, Turn};
use widedeep::prompt::parse::robust;

use crate::server::{KEY, Server, server};

fn endpoint(server: &Server, key: KeySource) -> Endpoint {
    Endpoint {
        features: Features::Probed,
        ..Endpoint::new(server.url().parse().unwrap(), "local", key)
    }
}

fn request(seed: u64, plan: ReplyPlan) -> Request {
    Request {
        turns: vec![Turn {
            speaker: Speaker::User,
            content: "Question: What is 2 + 2?\n\nAssistant 1: 4\n\nAssistant 2: 5\n\nEvaluate both answers. End with two lines:\n\
                      Score of Assistant 1: <1 to 10>\nScore of Assistant 2: <1 to 10>"
                .into(),
        }],
        plan,
        sampling: Sampling {
            temperature: 0.7,
            top_p: 1.0,
            top_k: None,
            seed,
        },
        origin: Origin::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judgements_come_from_a_real_server_in_structured_form() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, KEY).unwrap();
    let model = OpenAiModel::connect(endpoint(&server, KeySource::File(path)))
        .await
        .unwrap();
    let can = model.capabilities();
    assert!(can.structured && can.samples && can.top_logprobs > 0, "{can:?}");

    let plan = ReplyPlan::Judgement { max_tokens: 120 };
    let replies = model
        .reply_all((0..4).map(|seed| request(seed, plan.clone())).collect())
        .await;
    let (mut parsed, mut prompt) = (0, 0);
    for reply in replies {
        let reply = reply.unwrap();
        assert!(reply.usage.completion > 0, "{reply:?}");
        prompt += reply.usage.prompt;
        // A small model may not come to the end of its evidence.
        if let Ok(scores) = robust::parse(&reply.text) {
            parsed += 1;
            // Vocabularies with one token per digit leave it open whether a likely `1` would have become a `10`: then there is none.
            if let [first, _] = reply.chosen.as_slice() {
                assert_eq!(scores.score1.to_string(), (first.option + 1).to_string());
                assert!((first.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
    assert!(parsed >= 2, "{parsed} of 4 replies were complete");
    // Once, if the server gives several samples in one answer.
    assert!(prompt > 30, "{prompt}");
    let free = model
        .reply_all(vec![request(1, ReplyPlan::Free { max_tokens: 8 })])
        .await
        .remove(0)
        .unwrap();
    assert!(!free.text.starts_with('{') && free.usage.completion <= 8, "{free:?}");
}

#[tokio::test]
async fn without_a_key_the_server_is_said_to_want_one() {
    let server = server();
    let error = OpenAiModel::connect(endpoint(&server, KeySource::None))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("wants an API key"), "{error}");
}
