//! Reviews give way where a prompt does not fit; candidates never do (spec 5.4, B10).

use std::sync::Arc;

use widedeep::network::Evaluation;
use widedeep::pair::Pair;

use super::support::scripted::{Kind, Scripted, judged, kind, user};
use super::{evaluate_with, network, pair};

/// Characters of every review.
const LONG: usize = 2000;
/// Reviews in every prompt of the second layer.
const REVIEWS: usize = 4;

fn long_pair() -> Pair {
    Pair {
        response1: format!("  First:\n{}", "one ".repeat(300)),
        response2: format!("Second: {}\t", "two ".repeat(300)),
        ..pair()
    }
}

fn run(context: Option<usize>, history: &str) -> (Arc<Scripted>, Evaluation) {
    let model = Scripted::free(|asked| {
        let scores = judged(asked.request, "", 8, 7).text.chars().count();
        Ok(judged(asked.request, &"ж".repeat(LONG - scores), 8, 7))
    });
    let model = match context {
        Some(characters) => model.with_context(characters),
        None => model,
    };
    let model = model.shared();
    let two = network(&format!(
        "[roles]\nsource = \"fixed\"\nnames = [\"A\", \"B\"]\n[[layers]]\n[[layers]]\nhistory = \"{history}\""
    ));
    let pair = long_pair();
    let evaluation = evaluate_with(
        &two,
        &pair,
        Arc::clone(&model) as Arc<_>,
        std::collections::BTreeMap::new(),
        7,
    );
    (model, evaluation.unwrap())
}

fn whole() -> usize {
    let (model, _) = run(None, "previous");
    let deeper = &model.groups()[1][0];
    deeper.turns.iter().map(|turn| turn.content.chars().count()).sum()
}

#[test]
fn reviews_are_cut_step_by_step_until_the_prompt_fits() {
    // A cut review ends in a space and an ellipsis.
    let cut_to = |length: usize| whole() - REVIEWS * (LONG - length - 2);
    for (context, shortened) in [
        (whole(), None),
        (whole() - 1, Some(800)),
        (cut_to(800), Some(800)),
        (cut_to(800) - 1, Some(400)),
        (cut_to(400) - 1, Some(200)),
        (cut_to(200) - 1, Some(100)),
        (cut_to(100) - 1, Some(0)),
        (cut_to(0), Some(0)),
    ] {
        let (model, evaluation) = run(Some(context), "previous");
        for opinion in &evaluation.opinions {
            let expected = if opinion.layer == 0 { None } else { shortened };
            assert_eq!(opinion.reviews_shortened_to, expected, "{context}");
            assert!(opinion.missing.is_none());
        }
        let pair = long_pair();
        for request in &model.groups()[1] {
            assert_eq!(kind(request), Kind::Deeper);
            for candidate in [&pair.response1, &pair.response2] {
                assert!(user(request).contains(&format!("]\n{candidate}\n[End of ")));
            }
            let longest = user(request)
                .split(|c| c != 'ж')
                .map(|run| run.chars().count())
                .max()
                .unwrap();
            match shortened {
                Some(length) => assert!(longest <= length),
                None => assert!(longest > 800),
            }
        }
    }
}

#[test]
fn a_prompt_that_does_not_fit_without_reviews_either_is_missing() {
    let barely = whole() - REVIEWS * (LONG - 2) - 1;
    let (_, evaluation) = run(Some(barely), "previous");
    let deeper: Vec<_> = evaluation
        .opinions
        .iter()
        .filter(|opinion| opinion.layer == 1)
        .collect();
    for opinion in deeper {
        assert_eq!(opinion.reviews_shortened_to, Some(0));
        assert_eq!(opinion.missing.as_ref().unwrap().kind(), "prompt too long");
    }
}

#[test]
fn prompts_without_reviews_report_none_as_shortened() {
    let (model, evaluation) = run(Some(10), "none");
    assert_eq!(model.asked().len(), 8);
    for opinion in &evaluation.opinions {
        assert_eq!(opinion.reviews_shortened_to, None);
        assert!(opinion.missing.is_some());
    }
}
