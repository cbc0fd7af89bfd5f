//! How replies are asked for and read, and what becomes of calls that fail (spec section 6).

use std::sync::Arc;

use widedeep::chat::{CallKey, ChatModel, ReplyPlan, Step};
use widedeep::network::aggregate::aggregate;
use widedeep::network::{Missing, Opinion};

use super::support::scripted::{Kind, Scripted, USAGE, judged, kind, text, user};
use super::{broken, evaluate, network, scores, shipped, too_long, try_evaluate};

const UNREADABLE: &str = "Both are fine.";

/// One judge who cannot be steered and gives so many unreadable replies before it gives scores; one order only.
fn hesitant(unreadable: usize) -> Arc<Scripted> {
    Scripted::free(move |asked| {
        if asked.group < unreadable {
            Ok(text(UNREADABLE))
        } else {
            Ok(judged(asked.request, "Well then.", 8, 7))
        }
    })
    .shared()
}

fn one_call(reply: &str, temperature: f32) -> widedeep::network::Network {
    network(&format!(
        "calls = {{ orders = \"one\" }}\nreply = {{ {reply} }}\nsampling = {{ temperature = {temperature:?} }}\n[[layers]]"
    ))
}

#[test]
fn a_model_that_can_be_steered_is_given_a_scaffold_and_its_choices_are_read() {
    let model = Scripted::steerable(|asked| Ok(judged(asked.request, "Short but right.", 8, 3))).shared();
    let evaluation = evaluate(&shipped("single", &[]), &model);
    let ReplyPlan::Scaffold(steps) = &model.asked()[0].plan else {
        panic!("no scaffold");
    };
    let numbers: Vec<String> = (1..=10).map(|score| score.to_string()).collect();
    let force = |text: &str| Step::Force(text.to_owned());
    let evidence =
        |step: &Step| matches!(step, Step::Generate { max_tokens: 64, stop } if stop.contains(&"\n".to_owned()));
    // One line of evidence about each assistant, then the score lines.
    assert_eq!(steps[0], force("Evaluation evidence: Assistant 1's answer"));
    assert!(evidence(&steps[1]), "{:?}", steps[1]);
    assert_eq!(steps[2], force("\nAssistant 2's answer"));
    assert!(evidence(&steps[3]), "{:?}", steps[3]);
    assert_eq!(
        steps[4..],
        [
            force("\nScore of Assistant 1: "),
            Step::Choose(numbers.clone()),
            force("\nScore of Assistant 2: "),
            Step::Choose(numbers),
        ]
    );
    let opinion = &evaluation.opinions[0];
    assert_eq!(opinion.scores, scores(8, 3));
    assert_eq!(
        opinion.review,
        "Evaluation evidence: Assistant 1's answer Short but right.\nAssistant 2's answer Short but right.\n\
         Score of Assistant 1: 8\nScore of Assistant 2: 3"
    );
    assert_eq!((opinion.attempts, &opinion.missing), (1, &None));
    assert_eq!(opinion.model, "scripted");
}

#[test]
fn a_choice_is_read_even_where_the_evidence_talks_of_other_scores() {
    let model = Scripted::steerable(|asked| {
        Ok(judged(
            asked.request,
            "Score of Assistant 1: 2 Score of Assistant 2: 2",
            9,
            8,
        ))
    })
    .shared();
    let evaluation = evaluate(&shipped("single", &[]), &model);
    assert_eq!(evaluation.opinions[0].scores, scores(9, 8));
}

#[test]
fn a_model_that_cannot_be_steered_and_a_network_that_does_not_steer_get_free_text() {
    let free = Scripted::free(|asked| Ok(judged(asked.request, "Hm.", 6, 7))).shared();
    let evaluation = evaluate(&shipped("single", &[]), &free);
    assert_eq!(free.asked()[0].plan, ReplyPlan::Judgement { max_tokens: 512 });
    assert_eq!(evaluation.opinions[0].scores, scores(6, 7));
    assert_eq!(evaluation.opinions[0].distribution, None);

    let steerable = Scripted::steerable(|asked| Ok(judged(asked.request, "Hm.", 6, 7))).shared();
    let evaluation = evaluate(
        &shipped("single", &["reply.form=free", "reply.max_tokens=99"]),
        &steerable,
    );
    assert_eq!(steerable.asked()[0].plan, ReplyPlan::Free { max_tokens: 99 });
    assert_eq!(evaluation.opinions[0].scores, scores(6, 7));
}

#[test]
fn an_unreadable_reply_is_asked_again_with_another_seed() {
    let model = hesitant(2);
    let evaluation = evaluate(&one_call("attempts = 3", 0.9), &model);
    let asked = model.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request.sampling.temperature == 0.9));
    let seeds: std::collections::HashSet<u64> = asked.iter().map(|request| request.sampling.seed).collect();
    assert_eq!(seeds.len(), 3);
    assert!(asked.iter().all(|request| user(request) == user(&asked[0])));
    let opinion = &evaluation.opinions[0];
    assert_eq!(opinion.scores, scores(8, 7));
    assert_eq!(opinion.attempts, 3);
    assert_eq!(opinion.usage.prompt, 3 * USAGE.prompt);
    assert_eq!(opinion.usage.cached_prompt, 3 * USAGE.cached_prompt);
    assert_eq!(opinion.usage.completion, 3 * USAGE.completion);
    assert_eq!(opinion.call, CallKey::of(model.identity(), &asked[2]));
    assert_eq!(evaluation.stages[0].calls, 3);
}

#[test]
fn a_greedy_call_is_repeated_at_a_temperature_at_which_it_can_come_out_otherwise() {
    let model = hesitant(1);
    evaluate(&one_call("attempts = 3", 0.0), &model);
    let temperatures: Vec<f32> = model
        .asked()
        .iter()
        .map(|request| request.sampling.temperature)
        .collect();
    assert_eq!(temperatures, [0.0, 0.7]);
    assert_ne!(model.asked()[1].sampling.seed, 0);
}

#[test]
fn the_published_code_repeats_its_requests_as_they_are() {
    let model = hesitant(1);
    evaluate(&one_call("attempts = 3, parser = \"compat\"", 0.0), &model);
    let [first, second] = &model.asked()[..] else {
        panic!("two requests")
    };
    // Who asks differs, by the number of the attempt; what is asked does not.
    assert_eq!((first.origin.attempt, second.origin.attempt), (0, 1));
    let key = |request| CallKey::of(model.identity(), request);
    assert_eq!(key(first), key(second));
}

#[test]
fn only_unreadable_replies_are_asked_again() {
    let model = Scripted::free(|asked| match (asked.group, asked.place) {
        (0, 1) => Ok(text(UNREADABLE)),
        _ => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    let evaluation = evaluate(&shipped("jury", &[]), &model);
    let groups = model.groups();
    assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [8, 1]);
    assert_eq!(user(&groups[1][0]), user(&groups[0][1]));
    let attempts: Vec<usize> = evaluation.opinions.iter().map(|opinion| opinion.attempts).collect();
    assert_eq!(attempts, [1, 2, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn what_stays_unreadable_is_missing_with_its_reason_and_never_scored() {
    let model = hesitant(99);
    let evaluation = evaluate(&one_call("attempts = 3", 0.9), &model);
    assert_eq!(model.asked().len(), 3);
    let opinion = &evaluation.opinions[0];
    assert_eq!((opinion.scores, opinion.expected), (None, None));
    assert_eq!(opinion.attempts, 3);
    let missing = opinion.missing.clone().unwrap();
    assert_eq!(missing.kind(), "reply without readable scores");
    assert_eq!(missing.to_string(), "the reply has no score line for Assistant 1");
    // The review is what colleagues read all the same.
    assert_eq!(opinion.review, UNREADABLE);
    let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
    assert_eq!(
        aggregate(
            &votes,
            widedeep::network::aggregate::Cell::default(),
            widedeep::network::aggregate::Margin::default()
        ),
        None
    );
}

#[test]
fn scores_out_of_range_are_asked_again_too() {
    let model = Scripted::free(|_| Ok(text("Score of Assistant 1: 0\nScore of Assistant 2: 0"))).shared();
    let evaluation = evaluate(&one_call("attempts = 2", 0.9), &model);
    assert_eq!(model.asked().len(), 2);
    assert_eq!(evaluation.opinions[0].scores, None);
}

#[test]
fn the_published_code_counts_a_failure_as_nought_to_nought_after_ten_requests() {
    let model = Scripted::free(|asked| match (kind(asked.request), asked.place) {
        (Kind::Roles, _) => Ok(super::support::scripted::roles(&["A", "B"])),
        (_, 0) => Ok(text(UNREADABLE)),
        _ => Ok(judged(asked.request, "So.", 8, 6)),
    })
    .shared();
    let evaluation = evaluate(&shipped("widedeep-compat", &["layers=1"]), &model);
    let failed = &evaluation.opinions[0];
    assert_eq!(failed.scores, scores(0, 0));
    assert_eq!(failed.attempts, 10);
    assert!(failed.missing.is_some(), "counted as a failure, too");
    assert_eq!(model.asked().len(), 1 + 4 + 9);
    let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
    let decision = aggregate(
        &votes,
        widedeep::network::aggregate::Cell::default(),
        widedeep::network::aggregate::Margin::default(),
    )
    .unwrap();
    // (0, 0), canonical (6, 8), (8, 6), (6, 8)
    assert_eq!(decision.n, 4);
    assert_eq!(decision.pair.score1.to_string(), "5");
    assert_eq!(decision.pair.score2.to_string(), "5.5");
}

#[test]
fn the_published_fair_eval_parser_reads_the_last_two_lines() {
    let trailing = Scripted::free(|_| Ok(text("Score of the Assistant 1: 9\nScore of the Assistant 2: 4\n"))).shared();
    let network = one_call("parser = \"faireval\"", 0.9);
    assert_eq!(evaluate(&network, &trailing).opinions[0].scores, None);
    let bare = Scripted::free(|_| Ok(text("Why not?\n9\n4"))).shared();
    assert_eq!(evaluate(&network, &bare).opinions[0].scores, scores(9, 4));
}

#[test]
fn a_prompt_that_is_too_long_is_a_missing_opinion_and_not_asked_again() {
    let model = Scripted::free(|asked| match asked.place {
        0 => Err(too_long()),
        _ => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    let evaluation = evaluate(&shipped("single", &[]), &model);
    assert_eq!(model.asked().len(), 2);
    let opinion = &evaluation.opinions[0];
    assert_eq!(opinion.missing, Some(Missing::Call { error: too_long() }));
    assert_eq!(opinion.missing.as_ref().unwrap().kind(), "prompt too long");
    assert_eq!(opinion.scores, None);
    assert_eq!((opinion.attempts, opinion.usage.prompt), (1, 0));
    assert_eq!(opinion.review, "");
    assert_eq!(evaluation.opinions[1].scores, scores(7, 8));
}

#[test]
fn a_failing_backend_stops_the_pair() {
    let model = Scripted::free(|asked| match asked.place {
        1 => Err(broken()),
        _ => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    let error = try_evaluate(&shipped("single", &[]), &model).unwrap_err();
    assert_eq!(error.to_string(), "the backend is gone");
}

#[test]
fn a_model_that_answers_too_little_stops_the_pair() {
    struct Taciturn(Scripted);
    impl ChatModel for Taciturn {
        fn identity(&self) -> &widedeep::chat::Identity {
            self.0.identity()
        }
        fn steering(&self) -> widedeep::chat::Steering {
            self.0.steering()
        }
        fn fit(&self, _: &widedeep::chat::Request) -> Option<widedeep::chat::Fit> {
            None
        }
        fn reply_all(
            &self,
            mut requests: Vec<widedeep::chat::Request>,
        ) -> futures::future::BoxFuture<'_, Vec<Result<widedeep::chat::Reply, widedeep::chat::ChatError>>> {
            requests.pop();
            self.0.reply_all(requests)
        }
    }
    for (name, message) in [
        ("single", "the model `scripted` was asked 2 requests and gave 1 answers"),
        (
            "widedeep",
            "the model `scripted` was asked 1 requests and gave 0 answers",
        ),
    ] {
        let model = Taciturn(Scripted::free(|asked| Ok(judged(asked.request, "So.", 8, 7))));
        let error = super::evaluate_with(
            &shipped(name, &[]),
            &super::pair(),
            Arc::new(model),
            std::collections::BTreeMap::new(),
            7,
        )
        .unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
