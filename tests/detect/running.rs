//! A detector applied to responses.

use std::fmt::Write as _;

use serde_json::Value;
use widedeep::llama::{Capture, Model, Reads, Tap, TapConfig, Weights};

use super::{Folder, made_up, support, text};

const DATA: &str = r#"{"id": "paris", "prompt": "What is the capital of France?", "response": "Paris."}
{"id": "evil", "prompt": "<i>Who?</i>", "response": "<script>alert(1)</script>"}
{"id": "empty", "prompt": "Why?", "response": " . "}
{"id": "long", "prompt": "Why?", "response": "Because the very long answer that nobody has trained on goes on and on and on"}
{"id": "accents", "prompt": "Who wrote it?", "response": "Émile Zola"}
"#;

/// A folder with a detector and data.
fn folder() -> Folder {
    let folder = Folder::new();
    let mut detector = made_up(&support::default_model());
    // Room for the markup of one response, and not for the long one.
    detector.training.longest = 5;
    detector.write(&folder.path("detector.json")).unwrap();
    folder.write("data.jsonl", DATA);
    folder
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_score_is_the_weighted_cett_over_the_answers_tokens() {
    let folder = folder();
    let scored = lines(&folder.done("run data.jsonl --detector detector.json --json"));
    let path = support::default_model();
    let (model, weights) = (Model::load(&path, 0).unwrap(), Weights::open(&path).unwrap());
    let norms = weights.down_norms().unwrap();
    let detector = made_up(&path);

    // The few-shot prompt as documented, put together by hand.
    let mut prompt = String::new();
    for (question, answer) in [
        ("Which colour is a ripe banana?", "Yellow"),
        ("How many days are in a week?", "7"),
        ("Who wrote the play Romeo and Juliet?", "William Shakespeare"),
        ("What do bees make?", "Honey"),
        ("Which season comes after spring?", "Summer"),
    ] {
        write!(prompt, "Question: {question}\nAnswer: {answer}\n\n").unwrap();
    }
    prompt.push_str("Question: What is the capital of France?\nAnswer:");
    let mut tokens = model.tokens(&prompt);
    let first = tokens.len();
    tokens.extend(model.plain(" Paris.\n"));
    let answer = model.plain(" Paris").len();
    assert_eq!(
        model.plain(" Paris.").len(),
        answer + 1,
        "the full stop is a token of its own"
    );

    let mut tap = Tap::new(&model, &TapConfig::default()).unwrap();
    let mut all = Capture::new(tap.ffn(), Reads::Z);
    tap.read(&tokens, 0, &mut all).unwrap();
    let mut logit = detector.bias;
    for unit in &detector.units {
        let cetts = all.rows(unit.layer).skip(first).take(answer).map(|(z, h)| {
            let h = h.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            f64::from(z[unit.index].abs()) * norms.layer(unit.layer)[unit.index] / (h + 1e-8)
        });
        logit += unit.weight * cetts.sum::<f64>() / answer as f64;
    }
    let score = &scored[0]["score"];
    let found = score["logit"].as_f64().unwrap();
    // Threads and batches change the last bits of activations.
    assert!((found - logit).abs() < 1e-3 * (1.0 + logit.abs()), "{found} {logit}");
    let probability = 1.0 / (1.0 + (-(2.0 * found + 0.5)).exp());
    assert!((score["probability"].as_f64().unwrap() - probability).abs() < 1e-9);
    assert_eq!(
        score["answer"],
        serde_json::json!([0, 5]),
        "`Paris` without its full stop"
    );
    assert_eq!(score["answer_tokens"], answer);
}

#[test]
fn the_score_of_a_response_is_the_mean_of_its_answers_tokens() {
    let folder = folder();
    let scored = lines(&folder.done("run data.jsonl --detector detector.json --json"));
    let mut checked = 0;
    for item in &scored {
        let response = item["response"].as_str().unwrap();
        let Some(logit) = item["score"]["logit"].as_f64() else {
            assert!(item["tokens"].as_array().unwrap().is_empty());
            continue;
        };
        let tokens = item["tokens"].as_array().unwrap();
        let logits: Vec<f64> = tokens
            .iter()
            .filter(|token| token["in_answer"] == true)
            .map(|token| token["logit"].as_f64().unwrap())
            .collect();
        let mean = logits.iter().sum::<f64>() / logits.len() as f64;
        assert!((mean - logit).abs() < 1e-9, "{mean} {logit}");
        // The tokens spell the response.
        let mut at = 0;
        for token in tokens {
            assert_eq!(token["bytes"][0], at);
            at = usize::try_from(token["bytes"][1].as_u64().unwrap()).unwrap();
        }
        assert_eq!(at, response.len());
        checked += 1;
    }
    assert!(checked >= 2, "{checked}");
}

#[test]
fn what_cannot_be_scored_is_said_and_the_rest_is_scored() {
    let folder = folder();
    let printed = folder.done("run data.jsonl --detector detector.json --out scores");
    let scored = lines(&folder.read("scores/scores.jsonl"));
    let refused = |id: &str| {
        let item = scored.iter().find(|item| item["id"] == id).unwrap();
        item["refused"].as_str().map(str::to_owned)
    };
    assert!(refused("empty").unwrap().contains("no token to score"));
    assert!(refused("long").unwrap().contains("trained on answers of at most 5"));
    assert_eq!(refused("paris"), None);
    assert!(
        printed.contains("5 responses:") && printed.contains("2 not scored"),
        "{printed}"
    );

    let mut reader = csv::Reader::from_path(folder.path("scores/scores.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5);
    assert_eq!((&rows[0][0], &rows[0][6]), ("paris", "Paris"));
    assert_eq!(rows[2][1].len(), 0, "no probability for what is not scored");
}

#[test]
fn long_answers_are_scored_by_their_sentences_where_that_is_asked_for() {
    let folder = folder();
    let long = "Honey comes from bees. They visit many flowers in the fields around their hives, and they dance!\\nNobody else makes it";
    folder.write(
        "long.jsonl",
        format!("{{\"prompt\": \"Where from?\", \"response\": \"{long}\"}}\n"),
    );
    let refused = lines(&folder.done("run long.jsonl --detector detector.json --json"));
    // The first line is the answer, and it has more than three times five tokens.
    assert!(refused[0]["refused"].is_string());
    let scored = lines(&folder.done("run long.jsonl --detector detector.json --json --sentences"));
    let (item, response) = (&scored[0], scored[0]["response"].as_str().unwrap());
    assert_eq!(item["score"]["over"], "sentences");
    let sentences = item["sentences"].as_array().unwrap();
    assert_eq!(sentences.len(), 3);
    let bytes = |part: &Value| {
        let at = |end: usize| usize::try_from(part["bytes"][end].as_u64().unwrap()).unwrap();
        (at(0), at(1))
    };
    assert_eq!(
        &response[bytes(&sentences[0]).0..bytes(&sentences[0]).1],
        "Honey comes from bees."
    );
    let mut of_sentences = Vec::new();
    for sentence in sentences {
        let (start, end) = bytes(sentence);
        let logits: Vec<f64> = item["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|token| bytes(token).0 < end && bytes(token).1 > start)
            .filter(|token| {
                response[bytes(token).0..bytes(token).1]
                    .chars()
                    .any(char::is_alphanumeric)
            })
            .map(|token| token["logit"].as_f64().unwrap())
            .collect();
        let mean = logits.iter().sum::<f64>() / logits.len() as f64;
        assert!((sentence["logit"].as_f64().unwrap() - mean).abs() < 1e-9);
        of_sentences.push(mean);
    }
    let mean = of_sentences.iter().sum::<f64>() / 3.0;
    assert!((item["score"]["logit"].as_f64().unwrap() - mean).abs() < 1e-9);
}

#[test]
fn the_page_escapes_what_models_and_users_write() {
    let folder = folder();
    folder.done("run data.jsonl --detector detector.json --out scores");
    let page = folder.read("scores/scores.html");
    assert!(
        !page.contains("<script>") && !page.contains("<i>Who?</i>"),
        "raw markup in the page"
    );
    assert!(page.contains("&lt;i&gt;Who?&lt;"), "the prompt is there");
    // Tokens cut the response into stretches; put together again they are the response.
    let article = page.split("<article>").find(|part| part.contains(">evil<")).unwrap();
    let paragraph = article
        .split("<p class=\"response\">")
        .nth(1)
        .unwrap()
        .split("</p>")
        .next()
        .unwrap();
    let mut shown = String::new();
    for (at, part) in paragraph.split('<').enumerate() {
        shown.push_str(if at == 0 { part } else { part.split_once('>').unwrap().1 });
    }
    let shown = shown
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#x2f;", "/")
        .replace("&#x27;", "'")
        .replace("&amp;", "&");
    assert_eq!(shown, "<script>alert(1)</script>");
    assert!(paragraph.contains("class=\"answer\"") && paragraph.contains("background:rgb(214 60 40 / 0."));
    for outside in ["src=", "href=", "http://", "https://", "@import"] {
        assert!(!page.contains(outside), "the page needs no other file: {outside}");
    }
}

#[test]
fn a_detector_for_another_model_file_is_refused() {
    let folder = folder();
    let text = folder.read("detector.json");
    let mut detector: Value = serde_json::from_str(&text).unwrap();
    detector["detector"]["model"]["sha256"] = "ab".repeat(32).into();
    detector["detector"]["model"]["quantisation"] = "F16".into();
    folder.write("other.json", detector.to_string());
    let error = folder.refused("run data.jsonl --detector other.json --out scores");
    assert!(error.contains("the detector reads `smollm2-135m` (F16)"), "{error}");
    assert!(!folder.path("scores").exists(), "nothing is written");
}

#[test]
fn files_that_are_no_detector_or_no_data_are_refused_with_their_line() {
    let folder = folder();
    folder.write("no.json", "{\n\"format\": 1,\n]");
    let error = folder.refused("run data.jsonl --detector no.json");
    assert!(error.contains("no.json:3"), "{error}");
    folder.write(
        "bad.jsonl",
        "{\"prompt\": \"a\", \"response\": \"b\"}\n{\"prompt\": \"a\"}\n",
    );
    let error = folder.refused("run bad.jsonl --detector detector.json");
    assert!(error.contains("bad.jsonl:2: there is no `response`"), "{error}");
}

#[test]
fn another_prompt_than_in_training_is_remarked_on() {
    let folder = folder();
    let output = folder.detect("run data.jsonl --detector detector.json --prompt verbatim --json");
    assert_eq!(output.status.code(), Some(0));
    let remark = text(&output.stderr);
    assert!(
        remark.contains("trained with the prompt style `few-shot-1`"),
        "{remark}"
    );
    let verbatim = lines(&text(&output.stdout));
    let trained = lines(&folder.done("run data.jsonl --detector detector.json --json"));
    assert_ne!(verbatim[0]["score"]["logit"], trained[0]["score"]["logit"]);
}

#[test]
fn a_detector_of_answers_that_a_model_marked_is_remarked_on() {
    let folder = folder();
    let remark = "answers that were found in another way (`quoted-1`)";
    let output = folder.detect("run data.jsonl --detector detector.json");
    assert!(!text(&output.stderr).contains(remark));
    let mut detector = made_up(&support::default_model());
    detector.rule.span = "quoted-1".into();
    detector.write(&folder.path("detector.json")).unwrap();
    let output = folder.detect("run data.jsonl --detector detector.json");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains(remark), "{}", text(&output.stderr));
}
