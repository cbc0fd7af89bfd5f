//! Collecting answers and features: what is kept, and that nothing is done twice.

use std::sync::LazyLock;

use serde_json::Value;
use widedeep::inside::hallucination::consistency::Dropped;
use widedeep::inside::hallucination::item::Item;
use widedeep::inside::hallucination::journal::Journal;
use widedeep::inside::hallucination::sampling::Samples;
use widedeep::inside::hallucination::{Features, Part, Truth};

use super::Folder;

/// What a small model knows and does not know.
const QUESTIONS: &str = r#"{"id": "france", "question": "What is the capital of France?", "answers": ["Paris"]}
{"id": "italy", "question": "What is the capital of Italy?", "answers": ["Rome"]}
{"id": "japan", "question": "What is the capital of Japan?", "answers": ["Tokyo"]}
{"id": "germany", "question": "On which continent is Germany?", "answers": ["Europe"]}
{"id": "kenya", "question": "On which continent is Kenya?", "answers": ["Africa"]}
{"id": "china", "question": "On which continent is China?", "answers": ["Asia"]}
{"id": "mul", "question": "What is 37 times 48?", "answers": ["1776"]}
{"id": "palau", "question": "What is the capital of Palau?", "answers": ["Ngerulmud"]}
{"id": "kiribati", "question": "What is the currency of Kazakhstan?", "answers": ["Tenge"]}
{"id": "tungsten", "question": "What is the atomic number of osmium?", "answers": ["76"]}
{"id": "nauru", "question": "Who was the first president of Nauru?", "answers": ["Hammer DeRoburt"]}
{"id": "bhutan", "question": "What is the currency of Bhutan?", "answers": ["Ngultrum"]}
"#;

const COMMAND: &str = "collect questions.jsonl --k 3 --temperature 0.3 --exceptions 1 --out run";

const FILES: [&str; 7] = [
    "collection.json",
    "samples.jsonl",
    "judged.jsonl",
    "items.jsonl",
    "features.npy",
    "features.jsonl",
    "features.json",
];

/// A finished collection.
static FINISHED: LazyLock<(Folder, String)> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("questions.jsonl", QUESTIONS);
    let printed = folder.done(COMMAND);
    (folder, printed)
});

/// A folder of a test's own with a copy of it.
fn copy() -> Folder {
    let folder = Folder::new();
    folder.write("questions.jsonl", QUESTIONS);
    std::fs::create_dir(folder.path("run")).unwrap();
    for file in FILES {
        std::fs::copy(FINISHED.0.path("run").join(file), folder.path("run").join(file)).unwrap();
    }
    folder
}

/// Names and contents of what a collection consists of.
fn contents(folder: &Folder) -> Vec<(&'static str, Vec<u8>)> {
    let read = |file| std::fs::read(folder.path("run").join(file)).unwrap();
    FILES.into_iter().map(|file| (file, read(file))).collect()
}

fn assert_same(folder: &Folder) {
    for ((name, one), (_, other)) in contents(&FINISHED.0).iter().zip(contents(folder)) {
        assert!(*one == other, "{name} differs");
    }
}

fn items(folder: &Folder) -> Vec<Item> {
    folder
        .read("run/items.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn right_and_wrong_answers_are_kept_in_equal_numbers_with_their_features() {
    let (folder, printed) = &*FINISHED;
    let samples: Vec<Samples> = folder
        .read("run/samples.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(samples.len(), 12);
    for entry in &samples {
        assert_eq!(entry.responses.len(), 3, "{}", entry.id);
        for response in &entry.responses {
            assert!(!response.contains('\n') && response.trim() == response, "{response:?}");
        }
    }
    let items = items(folder);
    let chosen = |class| {
        items
            .iter()
            .filter(|item| item.chosen && item.class == Some(class))
            .count()
    };
    let (faithful, hallucinated) = (chosen(Truth::Faithful), chosen(Truth::Hallucinated));
    assert_eq!(faithful, hallucinated, "balanced");
    assert!(faithful >= 2, "the model knows some capitals: {printed}");
    assert!(
        printed.contains(&format!(
            "features of {faithful} right and {hallucinated} wrong answers"
        )),
        "{printed}"
    );
    // The class is that of the verdicts.
    let judged: Vec<Value> = folder
        .read("run/judged.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (item, judged) in items.iter().zip(&judged) {
        let entry = &judged[&item.id];
        let right = entry["judges"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|verdict| *verdict == "true")
            .count();
        if let Some(class) = item.class {
            assert_eq!(right >= 2, class == Truth::Faithful, "{judged}");
        }
        if let Some(response) = &item.response {
            let times = entry["responses"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|other| *other == response)
                .count();
            assert_eq!(item.count, (times, 3));
        }
    }

    let features = Features::open(&folder.path("run/features")).unwrap();
    assert_eq!((features.shape().layers, features.shape().width), (30, 1536));
    assert_eq!(
        features.examples().len(),
        2 * (faithful + hallucinated),
        "answer and other tokens of each"
    );
    let rows: Vec<usize> = (0..features.examples().len()).collect();
    features
        .each_row(&rows, |row, values| {
            let example = &features.examples()[row];
            assert!(values.iter().all(|&value| value >= 0.0));
            // The shares of a layer's units sum to one at least, by the triangle inequality.
            for layer in values.chunks_exact(1536) {
                let sum: f32 = layer.iter().sum();
                assert!(sum >= 0.97, "{sum}");
            }
            assert!(example.log_probability.unwrap() <= 0.0 && example.entropy.unwrap() >= 0.0);
            match example.part {
                Part::Answer => assert!(example.tokens <= 16),
                // The few-shot prompt has about 80 tokens.
                Part::Other => assert!(example.tokens > 60, "{}", example.tokens),
            }
        })
        .unwrap();
}

#[test]
fn a_finished_collection_is_not_done_again() {
    let folder = copy();
    let printed = folder.done(COMMAND);
    assert_eq!(printed, FINISHED.1);
    assert_same(&folder);
}

#[test]
fn an_interrupted_collection_goes_on_to_the_same_end() {
    let folder = copy();
    // Killed while answers were drawn: one group of questions is on disk and a line was being written.
    let samples = folder.read("run/samples.jsonl");
    let mut cut: String = samples.split_inclusive('\n').take(8).collect();
    cut.push_str("{\"id\": \"questions/ki");
    folder.write("run/samples.jsonl", cut);
    for file in [
        "judged.jsonl",
        "items.jsonl",
        "features.npy",
        "features.jsonl",
        "features.json",
    ] {
        std::fs::remove_file(folder.path("run").join(file)).unwrap();
    }
    folder.done(COMMAND);
    assert_same(&folder);

    // Killed while features were written.
    let folder = copy();
    let lines = folder.read("run/features.jsonl");
    let cut: String = lines.split_inclusive('\n').take(3).collect();
    folder.write("run/features.jsonl", cut);
    folder.done(COMMAND);
    assert_same(&folder);
}

#[test]
fn answers_that_are_there_are_not_drawn_again() {
    let folder = copy();
    let path = folder.path("run/samples.jsonl");
    let mut entries = Journal::<Samples>::open(&path).unwrap().entries().to_vec();
    // Such an answer the model would not give; if it were asked again, it would be lost.
    entries[0].responses = vec!["Paris, as I marked it".to_owned(); 3];
    std::fs::remove_file(&path).unwrap();
    Journal::open(&path).unwrap().append(entries[..8].to_vec()).unwrap();
    for file in ["features.npy", "features.jsonl", "features.json"] {
        std::fs::remove_file(folder.path("run").join(file)).unwrap();
    }
    folder.done(COMMAND);
    let item = items(&folder).remove(0);
    assert_eq!(item.response.as_deref(), Some("Paris, as I marked it"));
    assert_eq!(folder.read("run/samples.jsonl").lines().count(), 12);
}

#[test]
fn a_folder_of_other_settings_is_refused() {
    let folder = copy();
    let error = folder.refused("collect questions.jsonl --k 3 --temperature 0.5 --exceptions 1 --out run");
    assert!(
        error.contains("other settings (`draws` was") && error.contains("0.5"),
        "{error}"
    );
    assert_same(&folder);
}

#[test]
fn questions_that_cannot_be_judged_or_found_are_refused() {
    let folder = Folder::new();
    folder.write(
        "false.csv",
        "question,answer,label\nWhy do cows lay eggs?,They do not,1\n",
    );
    let error = folder.refused("collect false.csv --out run");
    assert!(error.contains("asks on a false premise"), "{error}");
    folder.write("q.jsonl", QUESTIONS);
    let error = folder.refused("collect q.jsonl --strata nowhere --out run");
    assert!(error.contains("no question is of `nowhere`; there are q"), "{error}");
    let error = folder.refused("collect absent.jsonl --out run");
    assert!(error.contains("absent.jsonl"), "{error}");
    assert!(!folder.path("run").exists());
}

#[test]
fn answers_of_an_h_neurons_run_are_read_from_its_files() {
    let folder = Folder::new();
    let line = |id: &str, answer: &str, verdict: &str| {
        format!(
            "{{\"{id}\": {{\"question\": \"{id}? Respond with the answer only, without any explanation.\", \
             \"responses\": [\"{answer}\", \"{answer}\"], \"judges\": [\"{verdict}\", \"{verdict}\"], \"ground_truth\": [\"x\"]}}}}\n"
        )
    };
    let text = [
        line("a", "Rome", "true"),
        line("b", "Oslo", "false"),
        line("c", "Bern", "uncertain"),
    ]
    .concat();
    folder.write("consistency.jsonl", text);
    folder.done("collect consistency.jsonl --prompt chat --out run");
    let features = Features::open(&folder.path("run/features")).unwrap();
    let ids: Vec<(&str, Truth)> = features
        .examples()
        .iter()
        .filter(|example| example.part == Part::Answer)
        .map(|example| (example.id.as_str(), example.truth))
        .collect();
    assert_eq!(ids, [("a", Truth::Faithful), ("b", Truth::Hallucinated)]);

    folder.write(
        "tokens.jsonl",
        "{\"a\": {\"question\": \"q\", \"response\": \"It was Rome, I think.\", \"tokenized_response\": [\"It\"], \"answer_tokens\": [\"\u{120}Rome\"]}}\n\
         {\"b\": {\"question\": \"r\", \"response\": \"Oslo\", \"tokenized_response\": [\"Oslo\"], \"answer_tokens\": [\"Oslo\"]}}\n\
         {\"c\": {\"question\": \"s\", \"response\": \"Bern\", \"tokenized_response\": [\"Bern\"], \"answer_tokens\": [\"Basel\"]}}\n",
    );
    folder.write("ids.json", r#"{"t": ["a"], "f": ["b", "c"]}"#);
    let error = folder.refused("collect tokens.jsonl --prompt chat --out spans");
    assert!(error.contains("give the file of ids with --ids"), "{error}");
    let printed = folder.done("collect tokens.jsonl --ids ids.json --prompt chat --out spans");
    assert!(printed.contains("1 whose answer was not found"), "{printed}");
    let features = Features::open(&folder.path("spans/features")).unwrap();
    let tokens: Vec<u32> = features
        .examples()
        .iter()
        .filter(|example| example.part == Part::Answer)
        .map(|example| example.tokens)
        .collect();
    assert!(tokens[0] <= 2, "only ` Rome` of the sentence: {tokens:?}");
}

#[test]
fn a_model_may_say_which_words_carry_the_answer() {
    let folder = copy();
    // Only the features depend on the spans; the answers are those that were drawn before.
    for file in ["collection.json", "features.npy", "features.jsonl", "features.json"] {
        std::fs::remove_file(folder.path("run").join(file)).unwrap();
    }
    let command = format!(
        "{COMMAND} --extract-model {}",
        super::support::default_model().display()
    );
    folder.done(&command);
    let spans: Vec<Value> = folder
        .read("run/spans.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let items = items(&folder);
    let mut lost = 0;
    for span in &spans {
        let item = items
            .iter()
            .find(|item| item.id == span["id"].as_str().unwrap())
            .unwrap();
        if let Some(bytes) = span["bytes"].as_array() {
            let [start, end] = [0, 1].map(|nth| usize::try_from(bytes[nth].as_u64().unwrap()).unwrap());
            let response = span["response"].as_str().unwrap();
            assert!(!response[start..end].trim().is_empty(), "{span}");
            assert_eq!(item.response.as_deref(), Some(response));
        } else {
            // What it did not find is left out, and the reason is kept.
            lost += 1;
            assert_eq!(item.dropped, Some(Dropped::SpanNotFound), "{span}");
        }
    }
    assert!(spans.len() > lost, "{spans:?}");
    assert_eq!(
        items
            .iter()
            .filter(|item| item.dropped == Some(Dropped::SpanNotFound))
            .count(),
        lost
    );
    let made: Value = serde_json::from_str(&folder.read("run/features.json")).unwrap();
    assert!(made.to_string().contains("quoted-1"), "{made}");
    // What it said is not asked for again, and features are over those words: here the first letter's token in place of all.
    let tokens = |folder: &Folder, id: &str| {
        let features = Features::open(&folder.path("run/features")).unwrap();
        [Part::Answer, Part::Other].map(|part| {
            let mut rows = features.examples().iter();
            rows.find(|row| row.id == id && row.part == part).unwrap().tokens
        })
    };
    let features = Features::open(&folder.path("run/features")).unwrap();
    let mut answers = features.examples().iter().filter(|row| row.part == Part::Answer);
    let several = answers.find(|row| row.tokens > 1).unwrap();
    let [answer, other] = tokens(&folder, &several.id);
    let key = format!("{}/{}", several.dataset, several.id);
    let mut marked = spans;
    let span = marked.iter_mut().find(|span| span["id"] == key.as_str()).unwrap();
    span["bytes"] = serde_json::json!([0, 1]);
    let lines: Vec<String> = marked.iter().map(|span| format!("{span}\n")).collect();
    folder.write("run/spans.jsonl", lines.concat());
    let before = folder.read("run/spans.jsonl");
    for file in ["features.npy", "features.jsonl", "features.json"] {
        std::fs::remove_file(folder.path("run").join(file)).unwrap();
    }
    folder.done(&command);
    assert_eq!(folder.read("run/spans.jsonl"), before);
    assert_eq!(tokens(&folder, &several.id), [1, other + answer - 1]);
    // The rule's collection is another one.
    let complaint = folder.refused(COMMAND);
    assert!(complaint.contains("extractor"), "{complaint}");
}
