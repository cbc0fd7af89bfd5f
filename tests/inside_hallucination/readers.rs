//! Every file of questions at hand is read whole.

use std::collections::HashSet;

use widedeep::inside::hallucination::judge::Matching;
use widedeep::inside::hallucination::questions::{self, Kind, Question, official};

use crate::data::{shared, written};

fn read(file: &str) -> Vec<Question> {
    let questions = questions::read(&shared(&format!("qa/{file}"))).unwrap();
    let ids: HashSet<&str> = questions.iter().map(|question| question.id.as_str()).collect();
    assert_eq!(ids.len(), questions.len(), "ids of {file} are unique");
    for question in &questions {
        assert!(!question.text.trim().is_empty(), "{file} {}", question.id);
        assert_eq!(
            question.golds.is_empty(),
            question.kind == Kind::Invented,
            "{file} {}",
            question.id
        );
    }
    questions
}

#[test]
fn every_set_has_as_many_questions_as_its_readme_says() {
    let sizes = [
        ("triviaqa_train_head3500.jsonl", 3500),
        ("triviaqa_extra994.json", 994),
        ("triviaqa_eval1000.jsonl", 1000),
        ("nq_open_dev.jsonl", 3610),
        ("webquestions_trainmodel.json", 2834),
        ("webquestions_val.json", 755),
        ("webquestions_devtest.json", 189),
        ("webquestions_test.json", 2032),
        ("popqa_longtail.jsonl", 1399),
        ("known_1000.jsonl", 1209),
        ("templated_facts.jsonl", 2089),
        ("nonexist_synthetic.jsonl", 400),
        ("simpleqa_verified.csv", 1000),
        ("TruthfulQA.csv", 817),
        ("falseqa_test.csv", 1374),
        ("falseqa_valid.csv", 982),
        ("opentriviaqa_for-kids.txt", 759),
        ("opentriviaqa_geography.txt", 842),
        ("opentriviaqa_animals.txt", 1366),
        ("opentriviaqa_science-technology.txt", 2486),
    ];
    for (file, size) in sizes {
        assert_eq!(read(file).len(), size, "{file}");
    }
}

#[test]
fn the_fields_of_each_set_mean_what_they_say() {
    let trivia = &read("triviaqa_train_head3500.jsonl")[0];
    assert_eq!((trivia.id.as_str(), trivia.kind), ("tc_1", Kind::Answerable));
    assert!(trivia.golds.contains(&"Sinclair Lewis".to_owned()));

    let facts = read("templated_facts.jsonl");
    let fact = |id: &str| facts.iter().find(|question| question.id == id).unwrap();
    assert_eq!(fact("capital_0").matching, Some(Matching::Contains));
    assert_eq!(fact("capital_0").stratum, "capital");
    assert_eq!(fact("element_symbol_0").matching, Some(Matching::ExactCase));
    assert_eq!(fact("mul_1x1_0").matching, Some(Matching::Number));

    let known = &read("known_1000.jsonl")[0];
    assert_eq!((known.kind, known.golds[0].as_str()), (Kind::Completion, "Antarctica"));

    let web = &read("webquestions_test.json")[1];
    assert_eq!((web.id.as_str(), web.golds[0].as_str()), ("wqs000001", "Lawyer"));

    let truthful = &read("TruthfulQA.csv")[0];
    assert!(truthful.wrong.contains(&"You get sick".to_owned()));
    assert!(truthful.golds.contains(&"Nothing happens".to_owned()));

    let false_premises = read("falseqa_test.csv");
    assert_eq!(false_premises[0].kind, Kind::FalsePremise);
    assert_eq!(false_premises[0].golds.len(), 3);
    let counted = false_premises
        .iter()
        .filter(|question| question.kind == Kind::FalsePremise)
        .count();
    assert_eq!(counted, 687);

    let animals = &read("opentriviaqa_animals.txt")[0];
    assert_eq!((animals.golds[0].as_str(), animals.wrong.len()), ("Sloth", 3));
}

#[test]
fn questions_about_one_entity_are_of_one_group() {
    let facts = read("templated_facts.jsonl");
    let named = |template: &str, question: &Question| -> Option<String> {
        let text = question.text.trim_end_matches('?');
        let entity = match template {
            "capital" => text.strip_prefix("What is the capital of "),
            "continent" => text.strip_prefix("On which continent is "),
            "currency" => text.strip_prefix("What is the currency of "),
            "element_symbol" => text.strip_prefix("What is the chemical symbol for "),
            "atomic_number" => text.strip_prefix("What is the atomic number of "),
            _ => None,
        };
        entity.map(str::to_owned)
    };
    let mut group_of: std::collections::HashMap<String, &str> = std::collections::HashMap::new();
    let mut shared = 0;
    for question in &facts {
        if let Some(entity) = named(&question.stratum, question) {
            let group = group_of.entry(entity).or_insert(question.group.as_str());
            assert_eq!(*group, question.group, "{}", question.text);
            shared += 1;
        }
    }
    assert!(
        shared > 600 && group_of.len() < shared / 2,
        "{shared} {}",
        group_of.len()
    );
}

#[test]
fn official_files_tell_their_format() {
    let of = |file: &str| official::format(&shared(&format!("h_neurons/{file}"))).unwrap();
    assert_eq!(
        of("gemma3_4b_consistency_head250.jsonl"),
        Some(official::Format::Sampled)
    );
    assert_eq!(
        of("mistral24b_answer_tokens_head200.jsonl"),
        Some(official::Format::Spanned)
    );
    assert_eq!(official::format(&shared("qa/nq_open_dev.jsonl")).unwrap(), None);
    let sampled = official::read_sampled(&shared("h_neurons/gemma3_4b_consistency_head250.jsonl")).unwrap();
    assert!(sampled.iter().all(
        |item| item.question.ends_with(['?', '.', '!', '"', '\'', ')', ']', '…'])
            || !item.question.contains("Respond with")
    ));
    assert_eq!(sampled[0].responses.len(), 10);
}

#[test]
fn responses_of_others_are_read_under_their_usual_names() {
    let text = r#"{"id": 7, "prompt": "Q", "response": " <b>R</b>\n"}
{"question": "Q", "answer": "A"}

{"id": 7, "query": "Q", "response1": "x", "response2": "y"}
"#;
    let (_folder, path) = written("data.jsonl", text.as_bytes());
    let exchanges = questions::read_exchanges(&path).unwrap();
    let ids: Vec<&str> = exchanges.iter().map(|exchange| exchange.id.as_str()).collect();
    assert_eq!(ids, ["7", "line_2", "7/1", "7/2"]);
    assert_eq!(exchanges[0].response, " <b>R</b>\n", "verbatim");
    let verbosity = questions::read_verbosity(&shared("h_neurons/verbosity_2x2.json")).unwrap();
    assert_eq!(verbosity.len(), 100);
    assert!(
        verbosity
            .iter()
            .all(|item| item.long_true.len() > item.short_true.len())
    );
}
