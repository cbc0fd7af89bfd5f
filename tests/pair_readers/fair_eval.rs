//! FairEval as published, and what can be wrong with its four files.

use crate::*;

#[test]
fn the_published_directory_gives_80_labelled_pairs() {
    let Dataset {
        pairs, format, name, ..
    } = &*FAIREVAL;
    assert_eq!(
        (*format, name.as_str(), pairs.len()),
        (Format::FairEval, "faireval", 80)
    );
    assert_eq!(label_counts(pairs), [41, 25, 14]);
    for (i, pair) in pairs.iter().enumerate() {
        assert_eq!((pair.index, pair.id.clone()), (i, Some((i + 1).to_string())));
        assert_eq!(pair.dataset, "faireval");
    }
    assert_eq!(pairs[0].query, "How can I improve my time management skills?");
    let median = |length: fn(&Pair) -> usize| {
        let mut lengths: Vec<_> = pairs.iter().map(length).collect();
        lengths.sort_unstable();
        usize::midpoint(lengths[39], lengths[40])
    };
    assert_eq!(median(|pair| pair.response1.chars().count()), 1172);
    assert_eq!(median(|pair| pair.response2.chars().count()), 1416);
}

#[test]
fn labels_per_category_are_those_of_the_specification() {
    let categories = faireval::categories(&shared("faireval/question.jsonl")).unwrap();
    let mut table: BTreeMap<&str, Vec<&Pair>> = BTreeMap::new();
    for pair in &FAIREVAL.pairs {
        table
            .entry(&categories[pair.id.as_deref().unwrap()])
            .or_default()
            .push(pair);
    }
    let expected = [
        ("generic", [3, 6, 1]),
        ("knowledge", [2, 5, 3]),
        ("roleplay", [6, 4, 0]),
        ("common-sense", [3, 5, 2]),
        ("fermi", [8, 0, 2]),
        ("counterfactual", [2, 3, 5]),
        ("coding", [5, 1, 1]),
        ("math", [3, 0, 0]),
        ("writing", [9, 1, 0]),
    ];
    let table: BTreeMap<_, _> = table
        .into_iter()
        .map(|(name, pairs)| (name, label_counts(pairs)))
        .collect();
    assert_eq!(table, expected.into());
}

/// A directory with two questions, in the layout of the repository, CRLF labels, and answers in another order.
fn small() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["answer", "review"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "question.jsonl",
        "{\"question_id\":7,\"text\":\"q7\",\"category\":\"c\"}\n{\"question_id\":8,\"text\":\"q8\",\"category\":\"c\"}",
    );
    write(
        "answer/answer_gpt-4.jsonl",
        "{\"question_id\":8,\"text\":\"a8\"}\n{\"question_id\":7,\"text\":\"a7\"}\n",
    );
    write(
        "answer/answer_my_model.jsonl",
        "{\"question_id\":7,\"text\":\"b7\"}\n{\"question_id\":8,\"text\":\"b8\"}\n",
    );
    write("answer/answer_my.jsonl", "");
    write("review/review_gpt-4_my_model_human.txt", "GPT4\r\nMYMODEL\r\n");
    dir
}

fn message(dir: &tempfile::TempDir) -> String {
    let error = read(dir.path(), BadLines::Stop).unwrap_err();
    error.to_string().replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn answers_are_joined_by_id_and_labels_named_after_the_models() {
    let dir = small();
    let dataset = read(dir.path(), BadLines::Stop).unwrap();
    let texts = |pair: &Pair| [pair.query.clone(), pair.response1.clone(), pair.response2.clone()];
    assert_eq!(texts(&dataset.pairs[0]), ["q7", "a7", "b7"]);
    assert_eq!(texts(&dataset.pairs[1]), ["q8", "a8", "b8"]);
    assert_eq!(label_counts(&dataset.pairs), [1, 1, 0]);
    let before = dataset.blake3;
    std::fs::write(dir.path().join("review/review_gpt-4_my_model_human.txt"), "GPT4\nTIE").unwrap();
    let after = read(dir.path(), BadLines::Stop).unwrap();
    assert_eq!(after.pairs[1].label, Some(Label::Tie));
    assert_ne!(after.blake3, before);
}

#[test]
fn what_does_not_fit_together_is_reported_with_file_and_line() {
    let dir = small();
    let change = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let review = "review/review_gpt-4_my_model_human.txt";
    change(review, "GPT4\nVICUNA13B\n");
    insta::assert_snapshot!(message(&dir), @"DIR/review/review_gpt-4_my_model_human.txt:2: unknown label `VICUNA13B`; allowed: `GPT4`, `MYMODEL`, `TIE`");
    change(review, "GPT4\n");
    insta::assert_snapshot!(message(&dir), @"lines in `DIR/review/review_gpt-4_my_model_human.txt`: 1, questions in `DIR/question.jsonl`: 2; line i labels question i, so there must be as many");
    change(review, "GPT4\nTIE");

    change("answer/answer_my_model.jsonl", "{\"question_id\":7,\"text\":\"b7\"}\n");
    insta::assert_snapshot!(message(&dir), @"DIR/question.jsonl:2: question 8 has no answer in `DIR/answer/answer_my_model.jsonl`");
    change(
        "answer/answer_my_model.jsonl",
        "{\"question_id\":7,\"text\":\"\"}\n\n{\"question_id\":7,\"text\":\"\"}\n",
    );
    insta::assert_snapshot!(message(&dir), @"DIR/answer/answer_my_model.jsonl:3: `question_id` 7 stands on line 1 too; ids must be unique");
    change(
        "answer/answer_my_model.jsonl",
        "{\"question_id\":8,\"text\":\"\"}\n{\"question_id\":7,\"text\":\"\"}\n{\"question_id\":9,\"text\":\"\"}",
    );
    insta::assert_snapshot!(message(&dir), @"DIR/answer/answer_my_model.jsonl:3: answer to question 9, which is not in `DIR/question.jsonl`");
    change("answer/answer_my_model.jsonl", "{\"question_id\":8.5,\"text\":\"\"}\n");
    insta::assert_snapshot!(message(&dir), @"DIR/answer/answer_my_model.jsonl:1: field `question_id` is a fractional number, expected a string or an integer");
    change(
        "answer/answer_my_model.jsonl",
        "{\"question_id\":7,\"text\":\"b7\"}\n{\"question_id\":8,\"text\":\"b8\"}\n",
    );

    change(
        "question.jsonl",
        "{\"question_id\":7,\"text\":\"\"}\n{\"question_id\":7,\"text\":\"\"}\n",
    );
    insta::assert_snapshot!(message(&dir), @"DIR/question.jsonl:2: `question_id` 7 stands on line 1 too; ids must be unique");
    let error = faireval::categories(&dir.path().join("question.jsonl")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("question.jsonl:1: missing field `category`; present: `question_id`, `text`")
    );

    std::fs::remove_file(dir.path().join("answer/answer_my_model.jsonl")).unwrap();
    insta::assert_snapshot!(message(&dir), @"`DIR` is not a FairEval directory: no two answer files for the review of `gpt-4_my_model`; present: `answer_gpt-4.jsonl`, `answer_my.jsonl`");
    std::fs::remove_file(dir.path().join(review)).unwrap();
    insta::assert_snapshot!(message(&dir), @"`DIR` is not a FairEval directory: no `review_<model 1>_<model 2>_human.txt`");
    std::fs::remove_file(dir.path().join("question.jsonl")).unwrap();
    insta::assert_snapshot!(message(&dir), @"cannot tell the format of `DIR`: it holds a directory without `question.jsonl` (`answer`, `review`); name it with `--format` (`llmeval2`, `faireval`, `judgebench`, `llmbar`, `jsonl`, `csv`)");
}

#[test]
fn skipping_leaves_out_the_questions_that_cannot_be_paired() {
    let dir = small();
    std::fs::write(
        dir.path().join("answer/answer_my_model.jsonl"),
        "nonsense\n{\"question_id\":8,\"text\":\"b8\"}\n",
    )
    .unwrap();
    let dataset = read(dir.path(), BadLines::Skip).unwrap();
    assert_eq!(indices(&dataset.pairs, |_| true), [1]);
    let faults: Vec<_> = dataset.skipped.iter().map(|bad| (bad.line, &bad.fault)).collect();
    assert!(
        matches!(faults[..], [(1, Fault::NotJson { .. }), (1, Fault::NoAnswer { .. })]),
        "{faults:?}"
    );
}
