//! Single faults, and a thousand calls among all of them.

use std::time::{Duration, Instant};

use widedeep::chat::openai::{Cause, Patience};
use widedeep::chat::{CallKey, ChatError, ChatModel, OpenAiModel, ReplyFault};

use super::server::{FaultServer, Reaction, error, json_answer, reply};
use super::{ask, connect, endpoint, number, request};

/// Ten million bytes with a length that is announced.
fn huge() -> Reaction {
    Reaction::Answer(200, vec![], "application/json", vec![b' '; 10_000_000])
}

fn malformed() -> Reaction {
    Reaction::Answer(200, vec![], "application/json", b"{\"choices\": [{\"mess".to_vec())
}

fn web_page() -> Reaction {
    Reaction::Answer(
        200,
        vec![],
        "text/html; charset=utf-8",
        b"<html>Please log in</html>".to_vec(),
    )
}

fn no_choices() -> Reaction {
    json_answer(
        200,
        &serde_json::json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 0}}),
    )
}

/// Every fault that a server can have and that another attempt may mend.
const FAULTS: [fn() -> Reaction; 11] = [
    || error(429, "slow down", &[("retry-after", "0.02")]),
    || {
        error(
            429,
            "slow down",
            &[
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "20ms"),
            ],
        )
    },
    || error(500, "oops", &[]),
    || error(503, "overloaded", &[("retry-after", "0.01")]),
    || Reaction::Hang,
    || Reaction::Drop,
    || Reaction::CutBody,
    malformed,
    web_page,
    no_choices,
    huge,
];

/// A number that looks random and is not.
fn mix(text: &str, salt: usize) -> usize {
    text.bytes()
        .chain(salt.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_usize, |hash, byte| {
            (hash ^ usize::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
        .rotate_right(29)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_a_fault_rate_of_a_fifth_are_each_answered_exactly_once() {
    let server = FaultServer::start(|received| {
        if mix(&received.id, received.attempt).is_multiple_of(5) {
            FAULTS[mix(&received.id, received.attempt + 1000) % FAULTS.len()]()
        } else {
            reply(&format!("re: {}", received.id))
        }
    })
    .await;
    let mut endpoint = endpoint(&server);
    endpoint.patience.attempts = number(10);
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    let start = Instant::now();
    let groups = (0..100).map(|group| {
        let ids: Vec<String> = (0..10).map(|i| format!("call {}", group * 10 + i)).collect();
        let model = model.clone();
        async move {
            let replies = model.reply_all(ids.iter().map(|id| request(id)).collect()).await;
            for (id, reply) in ids.iter().zip(replies) {
                assert_eq!(reply.unwrap().text, format!("re: {id}"));
            }
        }
    });
    futures::future::join_all(groups).await;
    let took = start.elapsed();
    let delivered = server.delivered().await;
    assert_eq!(delivered.len(), 1000);
    assert!(delivered.values().all(|&times| times == 1), "no reply was thrown away");
    // 250 faults are expected, all kinds of them.
    let faults = server.requests() - 1000;
    assert!((150..400).contains(&faults), "{faults} faults");
    assert!(took < Duration::from_secs(60), "{took:?}");
    let history = model.concurrency_history();
    assert!(history.iter().any(|change| change.cause == Cause::TooManyRequests));
    assert!(history.iter().any(|change| change.cause == Cause::Trouble));
    assert!(server.most_inside() <= 64, "{}", server.most_inside());
}

#[tokio::test]
async fn a_fault_that_stays_is_a_missing_reply_with_its_reason() {
    let with = |fault: fn() -> Reaction| async move {
        let server = FaultServer::start(move |_| fault()).await;
        let mut endpoint = endpoint(&server);
        endpoint.timeouts.first_byte = Duration::from_millis(100);
        let model = OpenAiModel::connect(endpoint).await.unwrap();
        let error = ask(&model, "a").await.unwrap_err();
        assert!(!error.is_fatal(), "{error}");
        assert_eq!(server.requests(), 3, "{error}");
        // Such errors are stored with the run.
        let json = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<ChatError>(&json).unwrap(), error);
        error
    };
    for (fault, words) in [
        (
            (|| error(500, "oops", &[])) as fn() -> Reaction,
            "no reply after 3 attempts; the last: HTTP 500, “oops”",
        ),
        (|| error(408, "", &[]), "HTTP 408, Request Timeout"),
        (|| error(409, "", &[]), "HTTP 409, Conflict"),
        (|| Reaction::Hang, "no answer within 0.1 s"),
        (|| Reaction::CutBody, "the connection broke"),
    ] {
        let error = with(fault).await;
        assert!(
            matches!(error, ChatError::Unanswered { attempts: 3, .. }) && error.to_string().contains(words),
            "{error}"
        );
    }
    let limit = 8 << 20;
    for (fault, expected) in [
        (huge as fn() -> Reaction, ReplyFault::TooLarge { limit }),
        (|| Reaction::Endless(10_000_000), ReplyFault::TooLarge { limit }),
        (no_choices, ReplyFault::NoChoices),
        (|| reply(""), ReplyFault::NoText),
        (
            web_page,
            ReplyFault::ContentType {
                found: "text/html".into(),
            },
        ),
    ] {
        assert_eq!(with(fault).await, ChatError::BadReply { fault: expected });
    }
    assert!(matches!(
        with(malformed).await,
        ChatError::BadReply {
            fault: ReplyFault::Malformed { .. }
        }
    ));
}

#[tokio::test]
async fn replies_that_were_cut_filtered_or_refused_are_told_apart() {
    let server = FaultServer::start(|received| {
        let (content, finish, refusal) = match received.id.as_str() {
            "cut" => (Some("half a"), "length", None),
            "thought" => (None, "length", None),
            "filtered" => (Some("I will"), "content_filter", None),
            _ => (None, "stop", Some("I cannot help with that.")),
        };
        json_answer(
            200,
            &serde_json::json!({"choices": [{"message": {"content": content, "refusal": refusal}, "finish_reason": finish}]}),
        )
    })
    .await;
    let model = connect(&server).await;
    let cut = ask(&model, "cut").await.unwrap();
    assert_eq!((cut.text.as_str(), cut.usage.prompt), ("half a", 0));
    assert_eq!(model.unmetered_replies(), 1);
    assert_eq!(cut.stopped, [widedeep::chat::Stopped::Limit]);
    let before = server.requests();
    for (id, words) in [
        ("thought", "all tokens allowed were spent"),
        ("filtered", "a content filter"),
        ("refused", "“I cannot help with that.”"),
    ] {
        let error = ask(&model, id).await.unwrap_err();
        assert!(!error.is_fatal() && error.to_string().contains(words), "{error}");
    }
    assert_eq!(server.requests() - before, 3, "asking again would change nothing");
}

#[tokio::test]
async fn replies_keep_the_order_of_their_requests_and_usage_counts_every_attempt() {
    let server = FaultServer::start(|received| {
        if received.id == "3" && received.attempt == 1 {
            return no_choices();
        }
        // Long enough that all four are there before the first is answered, on a busy machine too.
        let back_to_front = 1000 - 200 * received.id.parse::<u64>().unwrap();
        Reaction::Late(Duration::from_millis(back_to_front), Box::new(reply(&received.id)))
    })
    .await;
    let model = connect(&server).await;
    let replies = model.reply_all(["1", "2", "3", "4"].map(request).to_vec()).await;
    let texts: Vec<String> = replies
        .iter()
        .map(|reply| reply.as_ref().unwrap().text.clone())
        .collect();
    assert_eq!(texts, ["1", "2", "3", "4"]);
    let prompts: Vec<u64> = replies
        .iter()
        .map(|reply| reply.as_ref().unwrap().usage.prompt)
        .collect();
    assert_eq!(prompts, [10, 10, 17, 10], "the empty answer was paid for as well");
    assert!(server.most_inside() == 4, "all at once");
}

#[tokio::test]
async fn the_identity_tells_models_and_servers_apart() {
    let server = FaultServer::start(|_| reply("")).await;
    let key = async |model: &str, url: &str| {
        let mut endpoint = endpoint(&server);
        model.clone_into(&mut endpoint.model);
        endpoint.base_url = url.parse().unwrap();
        endpoint.patience = Patience::default();
        let model = OpenAiModel::connect(endpoint).await.unwrap();
        (model.identity().clone(), CallKey::of(model.identity(), &request("a")))
    };
    let (identity, base) = key("m", "http://h/v1").await;
    assert_eq!(
        (identity.name.as_str(), identity.digest.as_str()),
        ("openai:m@h/v1", "")
    );
    for (model, url) in [
        ("n", "http://h/v1"),
        ("m", "http://i/v1"),
        ("m", "http://h:8080/v1"),
        ("m", "http://h/v2"),
    ] {
        assert_ne!(key(model, url).await.1, base);
    }
    assert_eq!(key("m", "http://h/v1/").await.1, base);
}

#[tokio::test]
async fn a_context_that_is_configured_limits_prompts_and_a_scaffold_is_refused() {
    let server = FaultServer::start(|_| reply("")).await;
    let mut endpoint = endpoint(&server);
    assert_eq!(
        OpenAiModel::connect(endpoint.clone()).await.unwrap().fit(&request("a")),
        None
    );
    endpoint.context = Some(100.try_into().unwrap());
    let model = OpenAiModel::connect(endpoint).await.unwrap();
    assert!(model.fit(&request("a")).unwrap().fits());
    assert!(!model.fit(&request(&"a".repeat(300))).unwrap().fits());
    let mut scaffold = request("a");
    scaffold.plan = widedeep::chat::ReplyPlan::Scaffold(vec![]);
    let refused = model.reply_all(vec![scaffold]).await.remove(0);
    assert!(matches!(refused, Err(ChatError::Template { .. })));
    assert_eq!(server.requests(), 0);
}
