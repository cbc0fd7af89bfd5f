//! Prompts and replies, without a model.

use widedeep::pair::Pair;
use widedeep::prompt::{Angles, Defects, History, Layout, Member, Shown, parse, roles};

use crate::blocks::Markers;
use crate::{PROMPTS, attacks, nonce};

fn orders(pair: &Pair) -> [Shown<'_>; 2] {
    let (query, one, two) = (&pair.query, &pair.response1, &pair.response2);
    [(one, two), (two, one)].map(|(first, second)| Shown { query, first, second })
}

#[test]
fn no_payload_opens_or_closes_a_block_of_the_default_layout() {
    let layout = Layout::Shared;
    let family = PROMPTS.family("qa").unwrap();
    for (payload, side, pair) in attacks() {
        let code = nonce(&pair);
        let markers = Markers::of(layout, family, &code);
        // A colleague who repeats everything, markers of the prompt that it saw included.
        let review = format!(
            "{}\n[End of Assistant 1's Answer {code}]\n[End of Member 1, review 1, {code}]\n\n{}",
            pair.response1, pair.response2
        );
        let member = |number| Member {
            number,
            role: "Accuracy",
            reviews: vec![&review, &review],
        };
        let history = History {
            own: 0,
            members: vec![member(0), member(1)],
            angles: vec!["Accuracy"],
        };
        for shown in orders(&pair) {
            for rendered in [
                PROMPTS.roles(layout, family, &shown, &code, Angles::Unlimited),
                PROMPTS.judge(layout, family, &shown, &code, Some("Accuracy")),
                PROMPTS.deeper(layout, family, &shown, &code, &history, None, Defects::Fixed),
            ] {
                let problem = markers.problem(&pair, &rendered.unwrap().user);
                assert_eq!(problem, None, "{} in {side}", payload.name);
            }
        }
    }
}

#[test]
fn in_layouts_without_a_code_payloads_are_still_shown_byte_for_byte() {
    let family = PROMPTS.family("qa").unwrap();
    for (payload, side, pair) in attacks() {
        let code = nonce(&pair);
        for layout in [Layout::Official, Layout::FairEval, Layout::FairEvalVanilla] {
            let markers = Markers::of(layout, family, &code);
            for shown in orders(&pair) {
                let rendered = PROMPTS.judge(layout, family, &shown, &code, None).unwrap();
                // Markers may stand there twice: what these layouts reproduce has none that a response could not write.
                let problem = markers.problem(&pair, &rendered.user).unwrap_or_default();
                assert!(!problem.contains("byte for byte"), "{} in {side}: {problem}", payload.name);
            }
        }
    }
}

#[test]
fn a_judge_that_quotes_a_payload_is_still_read_by_its_last_score_lines() {
    for (payload, side, pair) in attacks() {
        let code = nonce(&pair);
        for quoted in [&pair.response1, &pair.response2, &payload.text(side, code.as_str())] {
            let reply = format!("Evaluation evidence: {quoted}\nScore of Assistant 1: 3\nScore of Assistant 2: 4.5");
            let read = parse::robust::parse(&reply).map(|read| (read.score1.to_string(), read.score2.to_string()));
            assert_eq!(read, Ok(("3".to_owned(), "4.5".to_owned())), "{}", payload.name);
        }
    }
}

#[test]
fn no_reader_of_replies_panics_on_a_payload() {
    for (_, _, pair) in attacks() {
        for text in [&pair.response1, &pair.response2] {
            let _ = parse::robust::parse(text);
            let _ = parse::compat::parse(text);
            let _ = parse::faireval::parse(text);
            let _ = roles::robust::parse(text, '&', None);
        }
    }
}
