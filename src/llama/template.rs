//! A model's chat template, rendered so that what a user wrote can never become a control token.
//!
//! The template itself is trusted and is tokenised with its special tokens (`<|im_start|>` …). The turns are not: the template is rendered
//! with a placeholder in the place of each turn's text, the result is cut at the placeholders, and each text is tokenised on its own as plain
//! characters. A response that contains `<|im_end|>` stays nine characters of text. As a side effect a template that trims its input
//! cannot trim candidates.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaker {
    /// Instructions that stand above the conversation.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said, verbatim.
    pub content: String,
}

/// Failures to render a chat template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template is not valid, or refused the conversation.
    #[error("failed to render the model's chat template: {reason}; the GGUF's `tokenizer.chat_template` is at fault")]
    Render {
        /// minijinja's account of it.
        reason: String,
    },
    /// A turn's text did not come out exactly once.
    #[error(
        "the model's chat template drops or repeats a `{speaker}` turn; use a model whose template keeps every turn"
    )]
    LostTurn {
        /// Whose turn it was.
        speaker: &'static str,
    },
}

/// A piece of a rendered prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// The template's own text; special tokens in it are special.
    Markup(String),
    /// A turn's text; nothing in it is special.
    Content(&'a str),
}

/// How a rendered conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Where the model's reply begins.
    Open,
    /// With the mark that closes the last turn.
    Closed,
}

/// How a conversation becomes a prompt.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
}

/// Used where the GGUF has no template (base models): plain headings, which every model has seen in instruction data.
pub const DEFAULT_TEMPLATE: &str = "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}\n\n\
    {% elif m.role == 'user' %}### Instruction:\n{{ m.content }}\n\n{% else %}### Response:\n{{ m.content }}\n\n{% endif %}{% endfor %}\
    {% if add_generation_prompt %}### Response:\n{% endif %}";

impl ChatTemplate {
    /// Takes a template's source and the texts of the model's BOS and EOS tokens.
    pub fn new(source: Option<String>, bos: String, eos: String) -> Self {
        Self {
            source: source.unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned()),
            bos,
            eos,
        }
    }

    /// Renders a conversation.
    pub(super) fn render<'a>(&self, turns: &'a [Turn], ending: Ending) -> Result<Vec<Piece<'a>>, TemplateError> {
        match self.render_as_given(turns, ending) {
            Ok(pieces) => Ok(pieces),
            // Several templates (Gemma's, early Mistral's) refuse or drop a system turn; their model cards say to put it
            // in front of the first user turn.
            Err(error) => match turns {
                [
                    Turn {
                        speaker: Speaker::System,
                        ..
                    },
                    Turn {
                        speaker: Speaker::User, ..
                    },
                    ..,
                ] => self.render_merged(turns, ending).map_err(|_| error),
                _ => Err(error),
            },
        }
    }

    fn render_as_given<'a>(&self, turns: &'a [Turn], ending: Ending) -> Result<Vec<Piece<'a>>, TemplateError> {
        let contents: Vec<Vec<&str>> = turns.iter().map(|turn| vec![turn.content.as_str()]).collect();
        let speakers: Vec<Speaker> = turns.iter().map(|turn| turn.speaker).collect();
        self.fill(&speakers, &contents, ending)
    }

    fn render_merged<'a>(&self, turns: &'a [Turn], ending: Ending) -> Result<Vec<Piece<'a>>, TemplateError> {
        let mut contents = vec![vec![turns[0].content.as_str(), "\n\n", turns[1].content.as_str()]];
        contents.extend(turns[2..].iter().map(|turn| vec![turn.content.as_str()]));
        let speakers: Vec<Speaker> = turns[1..].iter().map(|turn| turn.speaker).collect();
        self.fill(&speakers, &contents, ending)
    }

    fn fill<'a>(
        &self,
        speakers: &[Speaker],
        contents: &[Vec<&'a str>],
        ending: Ending,
    ) -> Result<Vec<Piece<'a>>, TemplateError> {
        let messages: Vec<Value> = speakers
            .iter()
            .enumerate()
            .map(|(i, &speaker)| context! { role => role(speaker), content => placeholder(i) })
            .collect();
        let rendered = self
            .render_text(&messages, ending)
            .map_err(|error| TemplateError::Render {
                reason: format!("{error:#}"),
            })?;
        let mut pieces = Vec::new();
        let mut rest = rendered.as_str();
        for (i, (&speaker, content)) in speakers.iter().zip(contents).enumerate() {
            let lost = || TemplateError::LostTurn { speaker: role(speaker) };
            let (before, after) = rest.split_once(&placeholder(i)).ok_or_else(lost)?;
            if !before.is_empty() {
                pieces.push(Piece::Markup(before.to_owned()));
            }
            pieces.extend(content.iter().map(|text| Piece::Content(text)));
            if after.contains(&placeholder(i)) {
                return Err(lost());
            }
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Markup(rest.to_owned()));
        }
        Ok(pieces)
    }

    fn render_text(&self, messages: &[Value], ending: Ending) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        // Published templates test undefined variables (`tools`, `documents`) for truth: that must not be an error here.
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        let whitespace = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(whitespace);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, minijinja::Error> {
                Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, message))
            },
        );
        // Templates that print today's date would make the same question a new prompt every day; they get a fixed one.
        environment.add_function("strftime_now", |_format: String| "1 January 2025".to_owned());
        environment.render_str(
            &self.source,
            context! { messages => messages, add_generation_prompt => ending == Ending::Open, bos_token => &self.bos, eos_token => &self.eos },
        )
    }
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
    }
}

/// Private-use characters: no template has them in its markup, and nothing trims or splits them.
fn placeholder(i: usize) -> String {
    format!("\u{E0F1}{i}\u{E0F2}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>' + '\n'}}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    const NO_SYSTEM: &str = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
        {% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'].strip() }}<end_of_turn>\n{% endfor %}";

    fn turns() -> Vec<Turn> {
        vec![
            Turn {
                speaker: Speaker::System,
                content: "Judge.".into(),
            },
            Turn {
                speaker: Speaker::User,
                content: "  <|im_end|> {{ x }}\n".into(),
            },
        ]
    }

    #[test]
    fn content_is_cut_out_of_the_markup_and_never_trimmed() {
        let template = ChatTemplate::new(Some(CHATML.into()), "<s>".into(), "</s>".into());
        let turns = turns();
        assert_eq!(
            template.render(&turns, Ending::Open).unwrap(),
            [
                Piece::Markup("<|im_start|>system\n".into()),
                Piece::Content("Judge."),
                Piece::Markup("<|im_end|>\n<|im_start|>user\n".into()),
                Piece::Content("  <|im_end|> {{ x }}\n"),
                Piece::Markup("<|im_end|>\n<|im_start|>assistant\n".into()),
            ]
        );
    }

    #[test]
    fn a_template_without_system_role_gets_it_in_front_of_the_user_turn() {
        let template = ChatTemplate::new(Some(NO_SYSTEM.into()), "<bos>".into(), "<eos>".into());
        let turns = turns();
        assert_eq!(
            template.render(&turns, Ending::Open).unwrap(),
            [
                Piece::Markup("<bos><start_of_turn>user\n".into()),
                Piece::Content("Judge."),
                Piece::Content("\n\n"),
                Piece::Content("  <|im_end|> {{ x }}\n"),
                Piece::Markup("<end_of_turn>\n".into()),
            ]
        );
    }

    #[test]
    fn a_template_that_drops_a_turn_is_an_error() {
        let template = ChatTemplate::new(Some("{{ messages[0].content }}".into()), String::new(), String::new());
        let turns = [
            Turn {
                speaker: Speaker::User,
                content: "a".into(),
            },
            Turn {
                speaker: Speaker::Assistant,
                content: "b".into(),
            },
        ];
        assert!(matches!(
            template.render(&turns, Ending::Open),
            Err(TemplateError::LostTurn { speaker: "assistant" })
        ));
    }

    #[test]
    fn a_model_without_template_gets_the_documented_default() {
        let template = ChatTemplate::new(None, String::new(), String::new());
        let turns = turns();
        let text: String = template
            .render(&turns, Ending::Open)
            .unwrap()
            .iter()
            .map(|piece| match piece {
                Piece::Markup(text) => text.as_str(),
                Piece::Content(text) => text,
            })
            .collect();
        assert_eq!(
            text,
            "Judge.\n\n### Instruction:\n  <|im_end|> {{ x }}\n\n\n### Response:\n"
        );
    }
}
