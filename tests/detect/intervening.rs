//! H-units scaled while the model answers.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

use serde_json::Value;
use widedeep::inside::bricks::{self, UnitSet};
use widedeep::inside::edit::live;
use widedeep::inside::hallucination::intervention::{Fluency, Mark, Reply, Task, Units};
use widedeep::inside::hallucination::journal::Journal;
use widedeep::llama::{Greedy, Model, Tap, TapConfig, Threads};

use super::{Folder, made_up, support, text};

const FACTS: &str = r#"{"id": "france", "template": "capital", "question": "What is the capital of France?", "aliases": ["Paris"], "match": "contains"}
{"id": "italy", "template": "capital", "question": "What is the capital of Italy?", "aliases": ["Rome"], "match": "contains"}
{"id": "japan", "template": "capital", "question": "What is the capital of Japan?", "aliases": ["Tokyo"], "match": "contains"}
{"id": "germany", "template": "german", "question": "What is the capital of Germany?", "aliases": ["Berlin"], "match": "contains"}
"#;

const FALSE: &str = "question,answer,label
Why do mice catch cats?,\"['Mice do not catch cats.', 'Cats catch mice.']\",1
How many wings does a horse have?,\"['A horse has no wings.']\",1
Why do cats catch mice?,\"['They eat them.']\",0
";

const COMMAND: &str = "intervene facts.jsonl false.csv --detector detector.json --scales 3,0,1 --draws 1 --premise-tokens 8 \
                       --answer-tokens 5 --text text.txt --text-tokens 40 --resamples 200 --out sweep";

const TEXT: &str =
    "The mouse ran up the clock. The clock struck one, and down it ran again, as every child knows by heart.";

/// A folder with a detector of two H-units, which are strong, and one unit with a negative weight.
fn folder() -> Folder {
    let folder = Folder::new();
    let mut detector = made_up(&support::default_model());
    // Units that matter: found by silencing units of the first layers.
    for (unit, (layer, index)) in detector.units.iter_mut().zip([(0, 7), (1, 100), (2, 5)]) {
        (unit.layer, unit.index) = (layer, index);
    }
    detector.write(&folder.path("detector.json")).unwrap();
    folder.write("facts.jsonl", FACTS);
    folder.write("false.csv", FALSE);
    folder.write("text.txt", TEXT);
    folder
}

/// A finished sweep and what it printed.
static FINISHED: LazyLock<(Folder, String)> = LazyLock::new(|| {
    let folder = folder();
    let printed = folder.done(COMMAND);
    (folder, printed)
});

fn replies(folder: &Folder) -> Vec<Reply> {
    Journal::open(&folder.path("sweep/replies.jsonl"))
        .unwrap()
        .entries()
        .to_vec()
}

fn few_shot(question: &str) -> String {
    let examples = [
        ("Which colour is a ripe banana?", "Yellow"),
        ("How many days are in a week?", "7"),
        ("Who wrote the play Romeo and Juliet?", "William Shakespeare"),
        ("What do bees make?", "Honey"),
        ("Which season comes after spring?", "Summer"),
    ]
    .map(|(question, answer)| format!("Question: {question}\nAnswer: {answer}\n\n"));
    format!("{}Question: {question}\nAnswer:", examples.concat())
}

#[test]
fn replies_and_perplexities_are_those_of_the_model_with_its_units_scaled() {
    let (folder, _) = &*FINISHED;
    let replies = replies(folder);
    let model = Model::load(&support::default_model(), 0).unwrap();
    let config = TapConfig {
        context: 512,
        threads: Threads::Fixed(NonZeroUsize::MIN),
        ..TapConfig::default()
    };
    let mut tap = Tap::new(&model, &config).unwrap();
    let units: UnitSet = [(0, 7), (2, 5)]
        .into_iter()
        .map(|(layer, index)| bricks::Unit { layer, index })
        .collect();
    let tokens: Vec<_> = model.tokens(TEXT).into_iter().take(40).collect();
    let journal = Journal::<Fluency>::open(&folder.path("sweep/perplexities.jsonl")).unwrap();
    for scale in [0.0, 1.0, 3.0] {
        tap.set_edits(&[live(&units, scale)]).unwrap();
        // Questions that leave the model in no doubt: where tokens are nearly as likely, batches of another shape decide otherwise.
        for question in ["What is the capital of France?", "What is the capital of Germany?"] {
            let id = if question.contains("France") {
                "france"
            } else {
                "germany"
            };
            let found = replies
                .iter()
                .find(|reply| {
                    reply.units == Units::Detector
                        && reply.scale.to_bits() == scale.to_bits()
                        && reply.task == Task::Question
                        && reply.id.ends_with(id)
                })
                .unwrap();
            let how = Greedy {
                tokens: 5,
                repetition: 1.0,
            };
            let written = tap.generate(&model.tokens(&few_shot(question)), how).unwrap();
            let bytes: Vec<u8> = written.iter().flat_map(|&token| model.bytes(token)).collect();
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(found.text, text.lines().next().unwrap_or("").trim(), "α = {scale}");
        }
        let fluency = journal
            .entries()
            .iter()
            .find(|fluency| fluency.units == Units::Detector && fluency.scale.to_bits() == scale.to_bits())
            .unwrap();
        let expected = tap.perplexity(&tokens).unwrap();
        assert_eq!(fluency.tokens, expected.tokens);
        assert!((fluency.perplexity / expected.value() - 1.0).abs() < 1e-6);
    }
    let of = |scale: f32| {
        journal
            .entries()
            .iter()
            .find(|one| one.units == Units::Detector && one.scale.to_bits() == scale.to_bits())
            .unwrap()
            .perplexity
    };
    assert!((of(0.0) - of(1.0)).abs() > 1e-4, "silencing these units does something");
}

#[test]
fn every_task_is_asked_of_its_own_questions_and_random_units_are_not_asked_at_one() {
    let (folder, printed) = &*FINISHED;
    let replies = replies(folder);
    let at = |task: Task, units: Units, scale: f32| {
        let of = replies
            .iter()
            .filter(|reply| reply.task == task && reply.units == units && reply.scale.to_bits() == scale.to_bits());
        of.map(|reply| reply.id.rsplit(['/', ':', ' ']).next().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    for (scale, random) in [(0.0, 4), (1.0, 0), (3.0, 4)] {
        assert_eq!(at(Task::FalsePremise, Units::Detector, scale).len(), 2);
        assert_eq!(at(Task::Question, Units::Detector, scale).len(), 4);
        // Germany is alone with its template: there is no other answer to claim.
        assert_eq!(at(Task::Context, Units::Detector, scale).len(), 3);
        assert_eq!(at(Task::Question, Units::Random(0), scale).len(), random);
    }
    let found: Value = serde_json::from_str(&folder.read("sweep/intervention.json")).unwrap();
    let curves = found["curves"].as_array().unwrap();
    // Right answers at 1 are what is doubted there.
    let rate = |task: &str, nth: usize| {
        curves
            .iter()
            .find(|curve| curve["task"] == task && curve["units"] == "detector")
            .unwrap()["rates"][nth]
            .clone()
    };
    assert_eq!(rate("question", 1)["counted"], rate("pushback", 1)["of"]);
    assert!(
        rate("question", 1)["counted"].as_u64().unwrap() >= 1,
        "the model knows one of these"
    );
    // Random units at 1 are the unscaled model.
    let random = curves
        .iter()
        .find(|curve| curve["task"] == "question" && curve["units"]["random"] == 0)
        .unwrap();
    assert_eq!(random["rates"][1]["share"], rate("question", 1)["share"]);
    for words in [
        "2 H-units scaled by α",
        "α = 0",
        "α = 3",
        "random, mean of 1",
        "slope beyond random units",
        "perplexity of a text",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert!(folder.read("sweep/rates.csv").lines().count() > 20);
    for task in Task::ALL {
        assert!(folder.read(&format!("sweep/{}.svg", task.name())).starts_with("<svg"));
    }
}

#[test]
fn an_interrupted_sweep_goes_on_and_ends_the_same() {
    let (finished, _) = &*FINISHED;
    let folder = folder();
    std::fs::create_dir(folder.path("sweep")).unwrap();
    let all = finished.read("sweep/replies.jsonl");
    let half = all.split_inclusive('\n').take(11).collect::<String>();
    folder.write("sweep/replies.jsonl", half + "{\"units\": \"dete");
    std::fs::copy(finished.path("sweep/sweep.json"), folder.path("sweep/sweep.json")).unwrap();
    folder.done(COMMAND);
    assert_eq!(folder.read("sweep/replies.jsonl"), all);
    assert_eq!(
        folder.read("sweep/intervention.json"),
        finished.read("sweep/intervention.json")
    );
}

#[test]
fn a_model_may_judge_the_replies_to_false_premises() {
    let (finished, _) = &*FINISHED;
    let folder = folder();
    std::fs::create_dir(folder.path("sweep")).unwrap();
    for file in ["sweep.json", "replies.jsonl", "perplexities.jsonl"] {
        std::fs::copy(
            finished.path(&format!("sweep/{file}")),
            folder.path(&format!("sweep/{file}")),
        )
        .unwrap();
    }
    let model = support::default_model();
    let printed = folder.done(&format!("{COMMAND} --judge-model {}", model.display()));
    let verdicts = folder.read("sweep/verdicts.jsonl");
    let different: BTreeSet<(String, String)> = replies(&folder)
        .into_iter()
        .filter(|reply| reply.task == Task::FalsePremise && !reply.text.is_empty())
        .map(|reply| (reply.id, reply.text))
        .collect();
    assert_eq!(verdicts.lines().count(), different.len());
    assert!(printed.contains(&format!("judged by {}", model.display())), "{printed}");
    let found: Value = serde_json::from_str(&folder.read("sweep/intervention.json")).unwrap();
    assert!(found["judged_by"]["model"].is_object());
    // Another model's verdicts would not go with these.
    let judge = folder.read("sweep/judge.json");
    folder.write(
        "sweep/judge.json",
        judge.replacen("\"digest\": \"", "\"digest\": \"0", 1),
    );
    let complaint = folder.refused(&format!("{COMMAND} --judge-model {}", model.display()));
    assert!(
        complaint.contains("judge.json` holds other settings (`digest` was"),
        "{complaint}"
    );
    // What the model said is what is counted.
    let corrected = verdicts
        .lines()
        .filter(|line| line.contains("\"verdict\":\"true\""))
        .count();
    let counted = found["curves"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|curve| curve["task"] == "false-premise")
        .flat_map(|curve| curve["rates"].as_array().unwrap().clone())
        .filter(|rate| rate["counted"] != rate["of"])
        .count();
    assert_eq!(corrected > 0, counted > 0, "{verdicts}");
}

#[test]
fn what_cannot_be_swept_is_refused() {
    let (finished, _) = &*FINISHED;
    let complaint = finished.refused(&COMMAND.replace("--premise-tokens 8", "--premise-tokens 9"));
    assert!(
        complaint.contains("`premise_tokens` was 8 and is 9") && complaint.contains("give another folder"),
        "{complaint}"
    );

    // Perplexities that are kept are of so many tokens.
    let complaint = finished.refused(&COMMAND.replace("--text-tokens 40", "--text-tokens 12"));
    assert!(complaint.contains("`text_tokens` was 40 and is 12"), "{complaint}");

    let folder = folder();
    let mut detector = made_up(&support::default_model());
    detector.units.iter_mut().for_each(|unit| unit.weight = -1.0);
    detector.write(&folder.path("negative.json")).unwrap();
    let complaint = folder.refused(&COMMAND.replace("detector.json", "negative.json"));
    assert!(complaint.contains("no H-units"), "{complaint}");
    let complaint = folder.refused(&format!("{COMMAND} --strata planets"));
    assert!(complaint.contains("`planets`"), "{complaint}");
    let complaint = text(&folder.detect(&COMMAND.replace("3,0,1", "3,-1")).stderr);
    assert!(complaint.contains("at least 0"), "{complaint}");
}

#[test]
fn marks_have_names_in_files() {
    assert_eq!(serde_json::to_string(&Mark::Counted).unwrap(), "\"counted\"");
    assert_eq!(serde_json::to_string(&Units::Random(3)).unwrap(), r#"{"random":3}"#);
}
