//! Scored responses as one HTML page in which every token is coloured by its score. It needs no other file, and every text in it is escaped.

use super::detector::Detector;
use super::example::Truth;
use super::score::{Outcome, Over, Regime, Scored, TokenScore};
use minijinja::{Environment, UndefinedBehavior, Value, context};

/// The file name decides that values are escaped for HTML.
const TEMPLATE: &str = "page.html";

/// A stretch of a response in one colour.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    /// Nothing for what no token with a score spells.
    token: Option<&'a TokenScore>,
}

/// Opacity of the colour of what is surely made up.
const DEEPEST: f64 = 0.75;

/// The page.
pub fn page(detector: &Detector, regime: Regime, scored: &[Scored]) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template(TEMPLATE, include_str!("page.html"))?;
    let rows: Vec<Value> = scored.iter().map(row).collect();
    let off_policy = regime == Regime::OtherPrompt;
    environment.get_template(TEMPLATE)?.render(context! {
        model => detector.model.name.as_str(),
        rule => detector.rule.to_string(),
        prompt => detector.prompt.as_str(),
        units => detector.units.len(),
        responses => scored.len(),
        prevalence => format!("{:.0}", 100.0 * detector.training.prevalence),
        threshold => format!("{:.2}", detector.calibration.probability(detector.threshold)),
        off_policy,
        rows,
    })
}

fn row(scored: &Scored) -> Value {
    let (probability, verdict, over, refused) = match &scored.outcome {
        Outcome::Score {
            probability,
            verdict,
            over,
            ..
        } => {
            let verdict = match verdict {
                Truth::Faithful => "faithful",
                Truth::Hallucinated => "hallucinated",
            };
            let over = match over {
                Over::Answer => "",
                Over::Sentences => ", mean over sentences",
            };
            (format!("{probability:.2}"), verdict, over, "")
        }
        Outcome::Refused(reason) => (String::new(), "", "", reason.as_str()),
    };
    let pieces: Vec<Value> = pieces(scored).into_iter().map(piece).collect();
    context! {
        id => scored.id.as_str(),
        prompt => scored.prompt.as_str(),
        probability,
        verdict,
        over,
        refused,
        pieces,
    }
}

fn piece(piece: Piece<'_>) -> Value {
    let text = piece.text;
    if let Some(token) = piece.token {
        context! {
            text,
            coloured => true,
            opacity => format!("{:.2}", DEEPEST * token.probability),
            title => format!("probability {:.3}, logit {:.3}", token.probability, token.logit),
            in_answer => token.in_answer,
        }
    } else {
        context! { text, coloured => false }
    }
}

/// The response cut at its tokens. A letter that several tokens spell belongs to the last of them.
fn pieces(scored: &Scored) -> Vec<Piece<'_>> {
    let text = scored.response.as_str();
    let (mut pieces, mut at) = (Vec::new(), 0);
    for token in &scored.tokens {
        let end = (0..=token.bytes.1.min(text.len()))
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        if end > at {
            pieces.push(Piece {
                text: &text[at..end],
                token: Some(token),
            });
            at = end;
        }
    }
    if at < text.len() {
        pieces.push(Piece {
            text: &text[at..],
            token: None,
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_of_a_response_is_lost_where_tokens_cut_letters() {
        let token = |start, end| TokenScore {
            bytes: (start, end),
            in_answer: true,
            logit: 0.0,
            probability: 0.5,
        };
        let scored = Scored {
            id: "a".into(),
            prompt: "b".into(),
            response: "né <b>".into(),
            outcome: Outcome::Refused(String::new()),
            // The é is spelled by two tokens.
            tokens: vec![token(0, 2), token(2, 3), token(3, 4)],
            sentences: Vec::new(),
        };
        let texts: Vec<&str> = pieces(&scored).iter().map(|piece| piece.text).collect();
        assert_eq!(texts, ["n", "é", " ", "<b>"]);
    }
}
