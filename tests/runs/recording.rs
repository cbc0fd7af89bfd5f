//! The recorder between a network and a model.

use std::sync::Arc;

use futures::executor::block_on;
use tempfile::tempdir;
use widedeep::chat::{CallKey, ChatError, ChatModel, Fit, Origin, ReplyPlan, Request, Sampling, Speaker, Turn};
use widedeep::run::{Recorded, Store};

use super::support::scripted::{Scripted, text, user};
use super::{pairs, widedeep};

fn request(content: &str, pair: u64) -> Request {
    Request {
        turns: vec![Turn {
            speaker: Speaker::User,
            content: content.to_owned(),
        }],
        plan: ReplyPlan::Free { max_tokens: 8 },
        sampling: Sampling::greedy(),
        origin: Origin {
            pair,
            ..Origin::default()
        },
    }
}

/// Repeats what it is told; `long` is too long for it and `broken` breaks it.
fn echo() -> Arc<Scripted> {
    Scripted::free(|asked| match user(asked.request) {
        "long" => Err(ChatError::TooLong {
            prompt: 9,
            reply: 9,
            limit: 9,
        }),
        "broken" => Err(ChatError::Backend {
            reason: "gone".to_owned(),
        }),
        other => Ok(text(format!("{other} {}:{}", asked.group, asked.place))),
    })
    .shared()
}

struct Desk {
    folder: tempfile::TempDir,
    model: Arc<Scripted>,
    store: Arc<Store>,
    recorded: Recorded,
}

fn desk() -> Desk {
    let folder = tempdir().unwrap();
    let store = Arc::new(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    let model = echo();
    Desk {
        recorded: Recorded::new(
            Arc::clone(&model) as Arc<dyn ChatModel>,
            Arc::clone(&store),
            Arc::default(),
        ),
        folder,
        model,
        store,
    }
}

fn ask(desk: &Desk, contents: &[&str]) -> Vec<Result<String, ChatError>> {
    let requests = contents.iter().map(|content| request(content, 0)).collect();
    block_on(desk.recorded.reply_all(requests))
        .into_iter()
        .map(|reply| reply.map(|reply| reply.text))
        .collect()
}

#[test]
fn what_was_asked_before_is_not_asked_again() {
    let desk = desk();
    assert_eq!(
        ask(&desk, &["a", "b"]),
        [Ok("a 0:0".to_owned()), Ok("b 0:1".to_owned())]
    );
    // In another group, place and scope.
    assert_eq!(
        ask(&desk, &["c", "b"]),
        [Ok("c 1:0".to_owned()), Ok("b 0:1".to_owned())]
    );
    let again = block_on(desk.recorded.reply_all(vec![request("a", 99)]));
    assert_eq!(again[0].as_ref().unwrap().text, "a 0:0");
    assert_eq!(desk.model.asked().len(), 3);
    assert_eq!(
        desk.model.groups().len(),
        2,
        "a group without open calls does not go out"
    );
}

#[test]
fn two_equal_calls_of_one_group_are_one_call() {
    let desk = desk();
    let replies = ask(&desk, &["a", "b", "a", "a"]);
    assert_eq!(
        replies,
        ["a 0:0", "b 0:1", "a 0:0", "a 0:0"].map(|text| Ok(text.to_owned()))
    );
    assert_eq!(desk.model.asked().len(), 2);
    assert_eq!(desk.store.calls().unwrap(), 2);
}

/// Two pairs at the same time may ask the same: LLMEval² has pairs twice, with their responses exchanged.
#[test]
fn the_reply_that_was_kept_first_is_the_one_that_is_used() {
    let folder = tempdir().unwrap();
    let store = Arc::new(Store::start(folder.path(), &widedeep(), &pairs(1)).unwrap());
    let identity = echo().identity().clone();
    let model = Scripted::free({
        let store = Arc::clone(&store);
        move |asked| {
            let key = CallKey::of(&identity, asked.request);
            let faster = text("of the faster one");
            store.record("scripted", &[(key, asked.request, &faster)]).unwrap();
            Ok(text("of the slower one"))
        }
    });
    let recorded = Recorded::new(model.shared(), store, Arc::default());
    let replies = block_on(recorded.reply_all(vec![request("a", 0)]));
    assert_eq!(replies[0].as_ref().unwrap().text, "of the faster one");
}

#[test]
fn failures_are_passed_on_in_their_place_and_not_kept() {
    let desk = desk();
    let replies = ask(&desk, &["a", "long", "broken", "b"]);
    assert!(replies[0].is_ok() && replies[3].is_ok());
    assert!(matches!(replies[1], Err(ChatError::TooLong { .. })));
    assert!(matches!(replies[2], Err(ChatError::Backend { .. })));
    assert_eq!(desk.store.calls().unwrap(), 2);
    ask(&desk, &["a", "long", "broken", "b"]);
    let second: Vec<Request> = desk.model.groups().remove(1);
    assert_eq!(second.iter().map(user).collect::<Vec<_>>(), ["long", "broken"]);
}

#[test]
fn replies_that_cannot_be_kept_are_not_used() {
    let desk = desk();
    rusqlite::Connection::open(desk.folder.path().join("run.sqlite"))
        .unwrap()
        .execute_batch("DROP TABLE calls; CREATE TABLE calls (key TEXT PRIMARY KEY, reply TEXT)")
        .unwrap();
    let replies = ask(&desk, &["a"]);
    assert_eq!(desk.model.asked().len(), 1);
    assert!(
        matches!(&replies[0], Err(ChatError::Backend { reason }) if reason.contains("run.sqlite")),
        "{replies:?}"
    );
}

#[test]
fn the_recorder_passes_for_its_model() {
    let desk = desk();
    assert_eq!(desk.recorded.identity(), desk.model.identity());
    assert_eq!(desk.recorded.steering(), desk.model.steering());
    assert_eq!(desk.recorded.fit(&request("a", 0)), None::<Fit>);
}
