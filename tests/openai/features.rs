//! What servers can do beyond text, found by the probe and put to use.

use serde_json::{Value, json};
use widedeep::chat::openai::{Capabilities, Features, LengthField, Parameter};
use widedeep::chat::{ChatModel, OpenAiModel, ReplyPlan, Request};
use widedeep::prompt::parse::robust;

use super::server::{FaultServer, Reaction, Received, error, json_answer};
use super::{endpoint, request};

/// A choice with a judgement in structured output, its tokens and their alternatives if asked for.
fn structured(body: &Value, evidence: &str, index: u64) -> Value {
    let head = format!("{{\"evidence\": {}, \"score1\": ", Value::from(evidence));
    let tokens = [head.as_str(), "8", ", \"score2\": ", "3", "}"];
    let token = |text: &str| {
        let top = match text {
            "8" => {
                json!([{"token": "8", "logprob": (0.5_f64).ln()}, {"token": "9", "logprob": (0.25_f64).ln()}, {"token": "7", "logprob": (0.25_f64).ln()}])
            }
            _ => json!([{"token": text, "logprob": -0.001}, {"token": "?", "logprob": -7.0}]),
        };
        json!({"token": text, "logprob": top[0]["logprob"], "bytes": text.as_bytes(), "top_logprobs": top})
    };
    let logprobs = body["logprobs"] == true;
    json!({
        "index": index, "finish_reason": "stop",
        "message": {"role": "assistant", "content": tokens.concat()},
        "logprobs": logprobs.then(|| json!({"content": tokens.map(token)})),
    })
}

/// A server with everything.
fn able(received: &Received) -> Reaction {
    let body = &received.body;
    if body["response_format"].is_null() {
        let text = json!([{"index": 0, "message": {"content": "<roles>"}, "finish_reason": "stop"}]);
        return json_answer(200, &json!({"choices": text}));
    }
    let n = body["n"].as_u64().unwrap_or(1);
    // Out of order, as servers are free to send them.
    let choices: Vec<Value> = (0..n)
        .rev()
        .map(|i| structured(body, &format!("sample {i}"), i))
        .collect();
    json_answer(
        200,
        &json!({"choices": choices, "usage": {"prompt_tokens": 100, "completion_tokens": 30 * n, "prompt_tokens_details": {"cached_tokens": 64}}}),
    )
}

async fn probed(server: &FaultServer) -> OpenAiModel {
    let mut endpoint = endpoint(server);
    endpoint.features = Features::Probed;
    OpenAiModel::connect(endpoint).await.unwrap()
}

fn judgement(id: &str, seed: u64) -> Request {
    let mut request = request(id);
    request.plan = ReplyPlan::Judgement { max_tokens: 100 };
    request.sampling.temperature = 0.7;
    request.sampling.seed = seed;
    request
}

#[tokio::test]
async fn a_server_with_everything_is_known_after_one_request() {
    let server = FaultServer::start(able).await;
    let model = probed(&server).await;
    let everything = Capabilities {
        structured: true,
        top_logprobs: 20,
        samples: true,
        ..Capabilities::plain()
    };
    assert_eq!(*model.capabilities(), everything);
    assert_eq!(server.requests(), 1);
    assert_eq!(model.probe_usage().prompt, 100);
    // What was found is recorded, and then not asked for again.
    let mut endpoint = endpoint(&server);
    endpoint.features = Features::Known(everything);
    OpenAiModel::connect(endpoint).await.unwrap();
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn structured_output_and_token_probabilities_become_a_reply_with_distributions() {
    let server = FaultServer::start(able).await;
    let model = probed(&server).await;
    let reply = model.reply_all(vec![judgement("a", 1)]).await.remove(0).unwrap();
    assert_eq!(
        reply.text,
        "Evaluation evidence: sample 0\nScore of Assistant 1: 8\nScore of Assistant 2: 3"
    );
    assert_eq!(robust::parse(&reply.text).unwrap().score1.to_string(), "8");
    let [first, second] = reply.chosen.as_slice() else {
        panic!("{reply:?}")
    };
    assert_eq!((first.option, second.option), (7, 2));
    let expected: f64 = first
        .probabilities
        .iter()
        .zip(1_u8..)
        .map(|(p, score)| p * f64::from(score))
        .sum();
    assert!((expected - 8.0).abs() < 1e-9);
    assert!((first.probabilities[8] - 0.25).abs() < 1e-9 && (first.mass - 1.0).abs() < 1e-9);
    assert_eq!((reply.usage.prompt, reply.usage.cached_prompt), (100, 64));
    // Roles are asked for in free text, on the same endpoint.
    let free = model.reply_all(vec![request("roles")]).await.remove(0).unwrap();
    assert_eq!((free.text.as_str(), free.chosen.len()), ("<roles>", 0));
}

#[tokio::test]
async fn samples_of_one_prompt_become_one_request() {
    let server = FaultServer::start(able).await;
    let model = probed(&server).await;
    let before = server.requests();
    let mut requests: Vec<Request> = (0..3).map(|seed| judgement("a", seed)).collect();
    requests.insert(1, judgement("b", 9));
    let replies = model.reply_all(requests).await;
    let evidence: Vec<String> = replies
        .iter()
        .map(|reply| reply.as_ref().unwrap().text.lines().next().unwrap().to_owned())
        .collect();
    let of = |i: usize| format!("Evaluation evidence: sample {i}");
    assert_eq!(evidence, [of(0), of(0), of(1), of(2)]);
    assert_eq!(server.requests() - before, 2);
    let usage: Vec<(u64, u64)> = replies
        .iter()
        .map(|reply| reply.as_ref().unwrap().usage)
        .map(|usage| (usage.prompt, usage.completion))
        .collect();
    assert_eq!(
        usage,
        [(100, 30), (100, 30), (0, 30), (0, 30)],
        "the prompt is paid for once"
    );
}

#[tokio::test]
async fn a_server_that_refuses_so_many_samples_is_asked_for_fewer() {
    let server = FaultServer::start(|received| match received.body["n"].as_u64() {
        Some(n) if n > 2 => error(400, "Field 'n': Value must be between 1 <= value <= 2", &[]),
        _ => able(received),
    })
    .await;
    let model = probed(&server).await;
    for expected in [vec![2, 2, 2, 2, 4, 4, 8], vec![2, 2, 2, 2]] {
        let before = server.requests();
        let requests = (0..8).map(|seed| judgement("a", seed)).collect();
        let replies = model.reply_all(requests).await;
        assert!(replies.iter().all(Result::is_ok), "{replies:?}");
        let bodies = server.bodies();
        let mut asked: Vec<u64> = bodies[before..]
            .iter()
            .map(|body| body["n"].as_u64().unwrap_or(1))
            .collect();
        asked.sort_unstable();
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn samples_that_do_not_come_are_asked_for_one_by_one() {
    let server = FaultServer::start(|received| {
        let n = received.body["n"].as_u64().unwrap_or(1);
        let mut choices: Vec<Value> = (0..n).map(|i| structured(&received.body, "x", i)).collect();
        if n > 2 {
            choices.pop();
            choices[0]["message"]["content"] = "".into();
        }
        json_answer(200, &json!({"choices": choices}))
    })
    .await;
    let model = probed(&server).await;
    let before = server.requests();
    let replies = model.reply_all((0..4).map(|seed| judgement("a", seed)).collect()).await;
    assert!(replies.iter().all(Result::is_ok), "{replies:?}");
    assert_eq!(server.requests() - before, 3);
}

#[tokio::test]
async fn a_server_that_ignores_what_it_does_not_know_is_taken_for_plain() {
    let server = FaultServer::start(|_| super::server::reply("Score of Assistant 1: 8\nScore of Assistant 2: 7")).await;
    let model = probed(&server).await;
    assert_eq!(*model.capabilities(), Capabilities::plain());
    let reply = model.reply_all(vec![judgement("a", 1)]).await.remove(0).unwrap();
    assert_eq!(reply.text, "Score of Assistant 1: 8\nScore of Assistant 2: 7");
    assert!(reply.chosen.is_empty());
    let body = server.bodies().pop().unwrap();
    assert_eq!(
        (&body["response_format"], &body["logprobs"], &body["n"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_server_that_refuses_some_things_is_asked_for_the_others() {
    // As older llama-servers do: `n` is a server error; five alternatives at most.
    let server = FaultServer::start(|received| {
        let body = &received.body;
        if body["n"].is_u64() {
            return error(500, "Only one completion choice is allowed", &[]);
        }
        if body["top_logprobs"].as_u64().is_some_and(|n| n > 5) {
            return error(400, "top_logprobs must be at most 5", &[]);
        }
        able(received)
    })
    .await;
    let found = probed(&server).await.capabilities().clone();
    let expected = Capabilities {
        structured: true,
        top_logprobs: 5,
        ..Capabilities::plain()
    };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_reasoning_model_is_asked_in_its_own_words() {
    let server = FaultServer::start(|received| {
        let body = &received.body;
        if !body["logprobs"].is_null() {
            return error(403, "You are not allowed to request logprobs from this model", &[]);
        }
        if !body["max_tokens"].is_null() {
            return error(
                400,
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                &[],
            );
        }
        if !body["temperature"].is_null() {
            return error(
                400,
                "Unsupported value: 'temperature' does not support 0.7 with this model.",
                &[],
            );
        }
        if body["max_completion_tokens"].as_u64().unwrap() < 100 {
            let thought = json!([{"message": {"content": ""}, "finish_reason": "length"}]);
            return json_answer(200, &json!({"choices": thought}));
        }
        able(received)
    })
    .await;
    let model = probed(&server).await;
    let expected = Capabilities {
        structured: true,
        samples: true,
        length: LengthField::MaxCompletionTokens,
        without: [Parameter::Temperature].into(),
        ..Capabilities::plain()
    };
    assert_eq!(*model.capabilities(), expected);
    let reply = model.reply_all(vec![judgement("a", 1)]).await.remove(0).unwrap();
    assert!(robust::parse(&reply.text).is_ok());
}
