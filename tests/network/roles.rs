//! Where the roles of the neurons come from (spec section 3).

use std::sync::Arc;

use widedeep::chat::{CallKey, ChatModel, ReplyPlan, Step};
use widedeep::network::{Evaluation, RoleOutcome};

use super::support::scripted::{Kind, Scripted, USAGE, judged, kind, roles, text, user};
use super::{broken, evaluate, network, shipped, too_long, try_evaluate};

/// Answers the request for roles number `i` with reply `i`, the last one from then on.
fn naming(replies: &'static [&'static str]) -> Arc<Scripted> {
    Scripted::free(|asked| match kind(asked.request) {
        Kind::Roles => Ok(text(replies[asked.group.min(replies.len() - 1)])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared()
}

fn generated(keys: &str) -> widedeep::network::Network {
    network(&format!("[roles]\nsource = \"generated\"\n{keys}\n[[layers]]"))
}

fn names(outcome: &RoleOutcome) -> Vec<&str> {
    outcome.roles.iter().flatten().map(String::as_str).collect()
}

/// Every neuron has its role, twice.
fn judges(evaluation: &Evaluation) -> Vec<Option<&str>> {
    evaluation
        .opinions
        .iter()
        .step_by(2)
        .map(|opinion| opinion.role.as_deref())
        .collect()
}

#[test]
fn generated_roles_become_the_neurons_in_their_order() {
    let model = naming(&["$Accuracy&: right?\n$Tone&: polite?\n$Depth&: enough?"]);
    let evaluation = evaluate(&generated(""), &model);
    assert_eq!(names(&evaluation.roles), ["Accuracy", "Tone", "Depth"]);
    assert_eq!(judges(&evaluation), [Some("Accuracy"), Some("Tone"), Some("Depth")]);
    assert!(!evaluation.roles.fallback);
    assert_eq!(evaluation.roles.attempts, 1);
    assert_eq!(evaluation.roles.usage, USAGE);
    assert!(evaluation.roles.raw.as_deref().unwrap().starts_with("$Accuracy&"));
    assert_eq!(
        evaluation.roles.call,
        Some(CallKey::of(model.identity(), &model.asked()[0]))
    );
    let request = &model.asked()[0];
    assert_eq!(request.sampling.temperature, 0.0);
    assert_eq!(request.plan, ReplyPlan::Free { max_tokens: 256 });
    assert!(user(&model.asked()[3]).ends_with("Your angle of view: Tone"));
}

#[test]
fn a_steerable_model_is_given_the_opening_sign() {
    let model = Scripted::steerable(|asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&["Accuracy"])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    evaluate(&generated("max_tokens = 77"), &model);
    let ReplyPlan::Scaffold(steps) = &model.asked()[0].plan else {
        panic!("no scaffold");
    };
    assert_eq!(steps[0], Step::Force("$".to_owned()));
    assert!(matches!(steps[1], Step::Generate { max_tokens: 77, .. }));
}

#[test]
fn a_steerable_model_is_asked_for_each_name_of_a_bounded_list() {
    let model = Scripted::steerable(|asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&["Tact", "Depth"])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    evaluate(&generated("cap = 2\nmax_tokens = 77"), &model);
    let ReplyPlan::Scaffold(steps) = &model.asked()[0].plan else {
        panic!("no scaffold");
    };
    let [open, first, between, second, close] = &steps[..] else {
        panic!("two names between their signs: {steps:?}");
    };
    let force = |text: &str| Step::Force(text.to_owned());
    assert_eq!((open, between, close), (&force("$"), &force("&\n$"), &force("&")));
    for name in [first, second] {
        assert!(
            matches!(name, Step::Generate { max_tokens: 16, stop } if stop.contains(&"&".to_owned())),
            "{name:?}"
        );
    }
}

#[test]
fn a_limit_is_asked_for_and_kept() {
    let model = naming(&["$Tact&\n$Depth&\n$Wit&"]);
    let evaluation = evaluate(&generated("limit = 2"), &model);
    assert_eq!(names(&evaluation.roles), ["Tact", "Depth"]);
    assert!(user(&model.asked()[0]).contains("only the 2 most important angles"));
}

#[test]
fn a_cap_is_kept_but_not_asked_for() {
    let model = naming(&["$Tact&\n$Depth&\n$Wit&"]);
    let evaluation = evaluate(&generated("cap = 2"), &model);
    assert_eq!(names(&evaluation.roles), ["Tact", "Depth"]);
    assert!(user(&model.asked()[0]).contains("Name as many angles as matter"));
}

#[test]
fn robust_roles_are_cleaned_and_compat_roles_are_as_published() {
    const REPLY: [&str; 1] = ["It costs $5. $Accuracy& and $Tone& and $& and $tone&"];
    let robust = evaluate(&generated(""), &naming(&REPLY));
    assert_eq!(names(&robust.roles), ["Accuracy", "Tone"]);
    let compat = evaluate(&generated("parser = \"compat\""), &naming(&REPLY));
    assert_eq!(names(&compat.roles), ["5. $Accuracy", "Tone", "", "tone"]);
    assert_eq!(judges(&compat)[2], Some(""));
}

#[test]
fn an_empty_compat_role_passes_through_two_layers() {
    let model = naming(&["$Accuracy&$&"]);
    let evaluation = evaluate(&shipped("widedeep-compat", &[]), &model);
    assert_eq!(names(&evaluation.roles), ["Accuracy", ""]);
    assert_eq!(model.asked().len(), 9);
    assert!(user(&model.groups()[1][2]).contains("Take  as your angle of view"));
    assert!(user(&model.groups()[2][0]).contains("Again, take Accuracy,  as your angle of view"));
}

#[test]
fn a_list_that_cannot_be_read_is_asked_for_again_at_a_higher_temperature() {
    let model = naming(&["I cannot say", "nor now", "$Tone&"]);
    let evaluation = evaluate(&generated("attempts = 4"), &model);
    assert_eq!(names(&evaluation.roles), ["Tone"]);
    assert_eq!(evaluation.roles.attempts, 3);
    assert_eq!(evaluation.roles.usage.prompt, 3 * USAGE.prompt);
    assert_eq!(evaluation.stages[0].calls, 3);
    let asked = model.asked();
    let temperatures: Vec<f32> = asked[..3].iter().map(|request| request.sampling.temperature).collect();
    assert_eq!(temperatures, [0.0, 0.7, 0.7]);
    assert_ne!(asked[1].sampling.seed, asked[2].sampling.seed);

    let hot = naming(&["I cannot say", "$Tone&"]);
    evaluate(&generated("attempts = 2\ntemperature = 0.9"), &hot);
    assert!(
        hot.asked()[..2]
            .iter()
            .all(|request| request.sampling.temperature == 0.9)
    );
}

#[test]
fn the_published_code_asks_for_roles_ten_times_at_temperature_nought() {
    let model = naming(&["Accuracy, Tone"]);
    let evaluation = evaluate(&shipped("widedeep-compat", &["layers=1"]), &model);
    let asked = model.asked();
    assert!(asked[..10].iter().all(|request| kind(request) == Kind::Roles
        && request.sampling.temperature == 0.0
        && request.plan == ReplyPlan::Free { max_tokens: 512 }));
    assert_eq!(evaluation.roles.attempts, 10);
    assert!(evaluation.roles.fallback);
    assert_eq!(asked[0].turns.len(), 1, "no system message goes with it");
}

#[test]
fn after_the_last_attempt_two_fixed_roles_take_over() {
    let model = naming(&["no idea at all of what could matter in this case"]);
    let evaluation = evaluate(&generated("attempts = 3"), &model);
    assert_eq!(names(&evaluation.roles), ["Accuracy", "Relevance"]);
    assert!(evaluation.roles.fallback);
    assert_eq!(evaluation.roles.attempts, 3);
    assert!(evaluation.roles.raw.is_some());
    assert_eq!(evaluation.opinions.len(), 4);
}

#[test]
fn fallback_roles_stay_within_the_width_that_was_asked_for() {
    for key in ["limit = 1", "cap = 1"] {
        let evaluation = evaluate(
            &generated(key),
            &naming(&["no idea at all of what could matter in this case"]),
        );
        assert_eq!(names(&evaluation.roles), ["Accuracy"], "{key}");
        assert!(evaluation.roles.fallback);
    }
}

#[test]
fn a_pair_too_long_for_role_generation_is_judged_under_the_fallback_roles() {
    let model = Scripted::free(|asked| match kind(asked.request) {
        Kind::Roles => Err(too_long()),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    let evaluation = evaluate(&generated("attempts = 3"), &model);
    assert_eq!(names(&evaluation.roles), ["Accuracy", "Relevance"]);
    assert_eq!((evaluation.roles.attempts, evaluation.roles.raw), (1, None));
    assert!(evaluation.opinions.iter().all(|opinion| opinion.scores.is_some()));
}

#[test]
fn a_backend_that_fails_during_role_generation_stops_the_pair() {
    let model = Scripted::free(|_| Err(broken())).shared();
    assert!(try_evaluate(&generated(""), &model).is_err());
}

#[test]
fn fixed_roles_and_none_need_no_request() {
    let model = naming(&["unused"]);
    let evaluation = evaluate(
        &network("[roles]\nsource = \"fixed\"\nnames = [\"A\", \"B\"]\n[[layers]]"),
        &model,
    );
    assert_eq!(judges(&evaluation), [Some("A"), Some("B")]);
    assert_eq!(evaluation.roles.attempts, 0);

    let evaluation = evaluate(&network("[[layers]]"), &model);
    assert_eq!(judges(&evaluation), [None]);
    assert!(user(model.asked().last().unwrap()).ends_with("Your angle of view: overall quality"));
    assert!(model.asked().iter().all(|request| kind(request) == Kind::Judge));
}
