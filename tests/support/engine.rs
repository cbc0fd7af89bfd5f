//! Prompts and steps for tests of the engine.

use widedeep::llama::{Speaker, Step, Turn};

/// A short conversation.
pub fn ask(text: &str) -> Vec<Turn> {
    vec![
        Turn {
            speaker: Speaker::System,
            content: "You answer briefly.".into(),
        },
        Turn {
            speaker: Speaker::User,
            content: text.into(),
        },
    ]
}

pub fn generate(max_tokens: usize, stop: &[&str]) -> Step {
    Step::Generate {
        max_tokens,
        stop: stop.iter().map(|&s| s.to_owned()).collect(),
    }
}

pub fn scores() -> Step {
    Step::Choose((1..=10).map(|i| i.to_string()).collect())
}

/// Long enough that sharing it matters, different for every `n`.
pub fn story(n: usize) -> String {
    (0..40).fold(String::new(), |text, i| {
        format!("{text}Line {i} of story {n} tells what the fox did on day {i}. ")
    })
}
