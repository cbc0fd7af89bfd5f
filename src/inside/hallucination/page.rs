//! Scored responses as one HTML page in which every token is coloured by its score. It needs no other file, and every text in it is escaped.

use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::detector::Detector;
use super::score::{Outcome, Regime, Scored};

/// The file name decides that values are escaped for HTML.
const TEMPLATE: &str = "page.html";

/// A stretch of a response in one colour.
#[derive(Debug, Serialize)]
struct Piece<'a> {
    text: &'a str,
    /// Calibrated probability, where the stretch is a token with a score.
    probability: Option<f64>,
    logit: Option<f64>,
    in_answer: bool,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    prompt: &'a str,
    probability: Option<f64>,
    logit: Option<f64>,
    verdict: Option<super::Truth>,
    refused: Option<&'a str>,
    pieces: Vec<Piece<'a>>,
}

/// The page.
pub fn page(detector: &Detector, regime: Regime, scored: &[Scored]) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template(TEMPLATE, include_str!("page.html"))?;
    let rows = Value::from_serialize(scored.iter().map(row).collect::<Vec<_>>());
    let units = detector.units.len();
    environment.get_template(TEMPLATE)?.render(context! {
        model => detector.model.name,
        rule => detector.rule.to_string(),
        prompt => detector.prompt,
        units,
        prevalence => detector.training.prevalence,
        threshold => detector.calibration.probability(detector.threshold),
        off_policy => regime == Regime::OtherPrompt,
        rows,
    })
}

fn row(scored: &Scored) -> Row<'_> {
    let (mut probability, mut logit, mut verdict, mut refused) = (None, None, None, None);
    match &scored.outcome {
        Outcome::Score {
            logit: l,
            probability: p,
            verdict: v,
            ..
        } => (logit, probability, verdict) = (Some(*l), Some(*p), Some(*v)),
        Outcome::Refused(reason) => refused = Some(reason.as_str()),
    }
    Row {
        id: &scored.id,
        prompt: &scored.prompt,
        probability,
        logit,
        verdict,
        refused,
        pieces: pieces(scored),
    }
}

/// The response cut at its tokens. A letter that several tokens spell belongs to the last of them.
fn pieces(scored: &Scored) -> Vec<Piece<'_>> {
    let text = scored.response.as_str();
    let plain = |text| Piece {
        text,
        probability: None,
        logit: None,
        in_answer: false,
    };
    let (mut pieces, mut at) = (Vec::new(), 0);
    for token in &scored.tokens {
        let end = (0..=token.bytes.1.min(text.len()))
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        if end > at {
            pieces.push(Piece {
                text: &text[at..end],
                probability: Some(token.probability),
                logit: Some(token.logit),
                in_answer: token.in_answer,
            });
            at = end;
        }
    }
    if at < text.len() {
        pieces.push(plain(&text[at..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::hallucination::score::TokenScore;

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
