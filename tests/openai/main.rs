//! Models behind OpenAI's API, against a server that misbehaves in every way that servers do.

#![expect(clippy::unwrap_used, reason = "tests")]

mod canary;
mod faults;
mod features;
mod limits;
mod outage;
mod refusals;
mod server;
mod watching;

use std::num::NonZeroU32;
use std::time::Duration;

use widedeep::chat::openai::{Capabilities, Endpoint, Features, KeySource, Limits, Outage, Patience, Timeouts};
use widedeep::chat::{ChatError, ChatModel, OpenAiModel, Origin, Reply, ReplyPlan, Request, Sampling, Speaker, Turn};

use server::FaultServer;

/// An endpoint whose pauses are too short to be noticed, and which is not probed.
fn endpoint(server: &FaultServer) -> Endpoint {
    Endpoint {
        limits: Limits {
            cool_down: Duration::from_millis(5),
            growth_pause: Duration::from_millis(5),
            ..Limits::default()
        },
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(2),
            whole: Duration::from_secs(10),
        },
        patience: Patience {
            attempts: number(3),
            first_pause: Duration::from_millis(2),
            longest_pause: Duration::from_millis(20),
            longest_wait: Duration::from_secs(20),
        },
        outage: Outage {
            failures: number(1000),
            lasting: Duration::from_secs(1000),
        },
        features: Features::Known(Capabilities::plain()),
        ..Endpoint::new(server.url().parse().unwrap(), "m", KeySource::None)
    }
}

async fn connect(server: &FaultServer) -> OpenAiModel {
    OpenAiModel::connect(endpoint(server)).await.unwrap()
}

fn number(n: u32) -> NonZeroU32 {
    n.try_into().unwrap()
}

/// A request whose text is `id`.
fn request(id: &str) -> Request {
    Request {
        turns: vec![Turn {
            speaker: Speaker::User,
            content: id.into(),
        }],
        plan: ReplyPlan::Free { max_tokens: 16 },
        sampling: Sampling {
            temperature: 0.0,
            top_p: 1.0,
            top_k: None,
            seed: 0,
        },
        origin: Origin::default(),
    }
}

async fn ask(model: &OpenAiModel, id: &str) -> Result<Reply, ChatError> {
    model.reply_all(vec![request(id)]).await.remove(0)
}
