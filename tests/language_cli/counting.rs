//! `count`.

use std::collections::BTreeMap;

use widedeep::inside::language::Counts;

use crate::folder::{Folder, counted, model};

fn counts(folder: &Folder, name: &str) -> Counts {
    Counts::read(&folder.path(name)).unwrap()
}

#[test]
fn counts_are_of_every_unit_and_token_and_numpy_opens_them() {
    let folder = Folder::new();
    let ended = folder.with_model("count texts --languages sw,en --out counts");
    assert!(
        ended.stdout.contains("30 layers of 1536 units, 46080 units in all"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.contains("fewer than 5000 tokens of en, sw"),
        "{}",
        ended.stderr
    );
    let counts = counts(&folder, "counts/counts.npy");
    let names: Vec<_> = counts
        .languages()
        .iter()
        .map(widedeep::inside::language::LanguageCounts::name)
        .collect();
    assert_eq!(names, ["sw", "en"]);
    for language in counts.languages() {
        assert!((50..500).contains(&language.tokens()), "{}", language.tokens());
        let most = u64::from(*language.active().iter().max().unwrap());
        assert!(most <= language.tokens());
        // SiLU gates are open on a third of the tokens or so; none or all of them open would be a wrong tensor.
        let mean = language.active().iter().map(|&count| f64::from(count)).sum::<f64>() / 46080.0;
        let share = mean / language.tokens() as f64;
        assert!((0.1..0.6).contains(&share), "{share}");
    }
    let header = folder.bytes("counts/counts.npy");
    assert!(header.starts_with(b"\x93NUMPY"));
    assert!(String::from_utf8_lossy(&header[..128]).contains("'shape': (2, 30, 1536)"));
    let told = folder.json("counts/counts.json");
    assert_eq!(told["origin"]["architecture"], "llama");
    assert_eq!(told["origin"]["rule"]["first"], "leave");
    assert_eq!(told["origin"]["texts"]["sw"].as_array().unwrap().len(), 1);
}

#[test]
fn an_interrupted_count_goes_on_and_ends_as_if_it_had_not_been() {
    let folder = Folder::new();
    folder.with_model("count texts --out counts");
    let (array, told) = (folder.bytes("counts/counts.npy"), folder.read("counts/counts.json"));
    // As after an interruption in the second language.
    for file in [
        "counts.npy",
        "counts.json",
        "languages/sw.npy",
        "languages/sw.json",
        "languages/fr.json",
    ] {
        std::fs::remove_file(folder.path("counts").join(file)).unwrap();
    }
    let ended = folder.with_model("count texts --out counts");
    assert!(
        ended.stderr.contains("`en` is counted already") && !ended.stderr.contains("`fr` is counted already"),
        "{}",
        ended.stderr
    );
    assert!(folder.bytes("counts/counts.npy") == array && folder.read("counts/counts.json") == told);
    // Counts under another rule or of another text are not mixed with these.
    let message = folder.wrong(&model("count texts --count-first --out counts"));
    assert!(
        message.contains("`counts/languages/en.npy` was counted with another rule") && message.contains("--again"),
        "{message}"
    );
    folder.write("texts/en.txt", "Another text of one line.");
    let message = folder.wrong(&model("count texts --out counts"));
    assert!(message.contains("another text"), "{message}");
    folder.with_model("count texts --again --out counts");
    assert!(folder.bytes("counts/counts.npy") != array);
}

#[test]
fn halves_add_up_to_the_whole() {
    let folder = counted();
    let [even, odd, all] = ["even", "odd", "counts"].map(|name| counts(folder, &format!("counts/{name}.npy")));
    for ((even, odd), all) in even.languages().iter().zip(odd.languages()).zip(all.languages()) {
        assert_eq!(even.tokens() + odd.tokens(), all.tokens());
        let sum = even.active().iter().zip(odd.active()).map(|(even, odd)| even + odd);
        assert!(sum.eq(all.active().iter().copied()));
    }
    let identified = folder.good("identify counts/counts.npy --halves counts/even.npy counts/odd.npy --out again");
    assert!(
        identified.stdout.contains("halves of the text agree on"),
        "{}",
        identified.stdout
    );
    assert!(
        identified.stderr.contains("few tokens were counted of en"),
        "{}",
        identified.stderr
    );
}

#[test]
fn answers_count_alike_by_position_and_by_subtraction() {
    let folder = Folder::new();
    let line = |prefix: &str, response: &str| serde_json::json!({"question": prefix, "answer": response}).to_string();
    folder.write(
        "en.jsonl",
        [
            line(
                "How many legs have two horses?",
                " A horse has four legs, so two horses have eight legs.",
            ),
            line(
                "What is the capital of France?",
                " The capital of France is the city of Paris.",
            ),
        ]
        .join("\n"),
    );
    folder.with_model("count en.jsonl --out position");
    folder.with_model("count en.jsonl --prefix subtraction --out subtraction");
    folder.with_model("count en.jsonl --part whole --out whole");
    let tokens = |name: &str| counts(&folder, &format!("{name}/counts.npy")).languages()[0].tokens();
    assert_eq!(tokens("position"), tokens("subtraction"));
    assert!(tokens("whole") > tokens("position") + 8);
    let [position, subtraction] =
        ["position", "subtraction"].map(|name| counts(&folder, &format!("{name}/counts.npy")));
    let pairs = position.languages()[0]
        .active()
        .iter()
        .zip(subtraction.languages()[0].active());
    // Two passes in batches of other sizes: a sign flips here and there (section 3.3), but no more.
    let apart: u32 = pairs.map(|(one, other)| one.abs_diff(*other)).sum();
    let all: u32 = position.languages()[0].active().iter().sum();
    assert!(f64::from(apart) < 1e-3 * f64::from(all), "{apart} of {all}");
}

#[test]
fn a_budget_and_blocks_cut_the_text_as_they_say() {
    let folder = Folder::new();
    folder.with_model("count texts --languages en --tokens 30 --out short");
    let short = counts(&folder, "short/counts.npy").languages()[0].tokens();
    assert!((30..60).contains(&short), "{short}");
    let told = folder.json("short/counts.json");
    assert!(told["origin"]["texts"]["en"][0].as_str().unwrap().contains(":first"));
    folder.with_model("count texts --languages en --blocks 16 --full-blocks --out blocks");
    // The first position of each block does not count.
    assert_eq!(counts(&folder, "blocks/counts.npy").languages()[0].tokens() % 15, 0);
    folder.with_model("count texts --languages en --windows 16 --overlap 8 --count-first --out windows");
    folder.with_model("count texts --languages en --blocks 4096 --count-first --out whole");
    let tokens = |name: &str| counts(&folder, &format!("{name}/counts.npy")).languages()[0].tokens();
    assert_eq!(tokens("windows"), tokens("whole"));
}

#[test]
fn a_json_file_holds_texts_of_several_languages() {
    let folder = Folder::new();
    folder.write(
        "both.json",
        r#"{"sw": {"10": ["Kila mtu ana haki."], "2": ["Watu wote wamezaliwa huru."]},
            "en": [{"id": 1, "prefix": "All people", "response": " are born free and equal."}, "Everyone has the right to life."]}"#,
    );
    folder.with_model("count both.json --out counts");
    let counts = counts(&folder, "counts/counts.npy");
    let tokens: BTreeMap<_, _> = counts
        .languages()
        .iter()
        .map(|one| (one.name(), one.tokens()))
        .collect();
    assert_eq!(tokens.keys().copied().collect::<Vec<_>>(), ["en", "sw"]);
    assert!(tokens["en"] >= 10, "{tokens:?}");
}
