//! LLMEval² as published.

use crate::*;

#[test]
fn the_published_file_has_its_rows_labels_and_order() {
    let Dataset {
        pairs,
        skipped,
        format,
        name,
        ..
    } = &*LLMEVAL2;
    assert_eq!(
        (*format, name.as_str(), pairs.len()),
        (Format::Llmeval2, "LLMEval2_benchmark", 2553)
    );
    assert!(skipped.is_empty());
    assert!(
        pairs
            .iter()
            .enumerate()
            .all(|(i, pair)| pair.index == i && pair.id.is_none())
    );
    assert_eq!(label_counts(pairs), [1050, 1021, 482]);
    assert_eq!(
        (pairs[0].dataset.as_str(), pairs[0].label),
        ("summarizefeedback", Some(Label::Tie))
    );
    assert_eq!(
        (pairs[1].dataset.as_str(), pairs[1].label),
        ("rlhf-reward-chinese", Some(Label::Model2))
    );
    assert_eq!((pairs[3].dataset.as_str(), pairs[3].query.as_str()), ("mt-bench", ""));
    let changes = pairs.windows(2).filter(|two| two[0].dataset != two[1].dataset).count();
    assert_eq!(changes, 2374);
}

#[test]
fn the_hash_is_that_of_the_file() {
    let bytes = std::fs::read(shared("llmeval2/LLMEval2_benchmark.json")).unwrap();
    assert_eq!(bytes.len(), 4_006_962);
    assert_eq!(LLMEVAL2.blake3, blake3::hash(&bytes).to_hex().to_string());
}

#[test]
fn counts_families_and_task_types_per_dataset_are_those_of_table_2_1() {
    let table = [
        ("bagel", [80, 80, 15], "data-to-text", "Data-to-Text Generation"),
        ("code-contests", [21, 24, 0], "code", "Programming"),
        ("eli5", [77, 72, 0], "qa", "Open-domain QA"),
        ("hellaswag", [81, 79, 0], "nli", "Commonsense NLI"),
        ("hh-rlhf", [73, 67, 0], "dialogue", "Dialogue"),
        ("mt-bench", [71, 72, 132], "multi-dialogue", "Dialogue"),
        ("openmeva", [67, 51, 127], "story", "Story Generation"),
        ("pku-saferlhf", [80, 80, 0], "safety", "Open-domain QA"),
        ("reward-aira-portuguese", [80, 80, 0], "qa", "Open-domain QA"),
        ("rlhf-reward-chinese", [80, 80, 0], "qa", "Open-domain QA"),
        ("rlhf-reward-russian", [77, 83, 0], "dialogue", "Dialogue"),
        ("shp", [80, 80, 0], "qa", "Open-domain QA"),
        ("summarizefeedback", [80, 80, 122], "summary", "Text Summarization"),
        ("summeval", [27, 30, 34], "summary", "Text Summarization"),
        ("webgpt", [76, 63, 52], "qa", "Retrieval QA"),
    ];
    let taxonomy = Taxonomy::embedded();
    let pairs = &LLMEVAL2.pairs;
    for (dataset, labels, family, task_type) in table {
        assert_eq!(label_counts(of(pairs, dataset)), labels, "{dataset}");
        assert_eq!(taxonomy.family(dataset).family, family);
        assert_eq!(taxonomy.task_type(dataset), Some(task_type));
        assert!(!taxonomy.abilities(dataset).is_empty(), "{dataset}");
    }
    assert_eq!(
        table.iter().flat_map(|(_, labels, ..)| labels).sum::<usize>(),
        pairs.len()
    );
}

#[test]
fn rows_per_family_and_task_type_are_those_of_the_specification() {
    let taxonomy = Taxonomy::embedded();
    let mut families: BTreeMap<&str, usize> = BTreeMap::new();
    let mut task_types: BTreeMap<&str, usize> = BTreeMap::new();
    for pair in &LLMEVAL2.pairs {
        *families.entry(taxonomy.family(&pair.dataset).family).or_default() += 1;
        *task_types
            .entry(taxonomy.task_type(&pair.dataset).unwrap())
            .or_default() += 1;
    }
    let expected = [
        ("code", 45),
        ("data-to-text", 175),
        ("dialogue", 300),
        ("multi-dialogue", 275),
        ("nli", 160),
        ("qa", 820),
        ("safety", 160),
        ("story", 245),
        ("summary", 373),
    ];
    assert_eq!(families, expected.into());
    let expected = [
        ("Open-domain QA", 789),
        ("Dialogue", 575),
        ("Text Summarization", 373),
        ("Story Generation", 245),
        ("Retrieval QA", 191),
        ("Data-to-Text Generation", 175),
        ("Commonsense NLI", 160),
        ("Programming", 45),
    ];
    assert_eq!(task_types, expected.into());
}

#[test]
fn no_text_is_changed_by_reading() {
    let bytes = std::fs::read_to_string(shared("llmeval2/LLMEval2_benchmark.json")).unwrap();
    for (line, pair) in bytes.lines().zip(&LLMEVAL2.pairs) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["query"], pair.query.as_str());
        assert_eq!(line["response1"], pair.response1.as_str());
        assert_eq!(line["response2"], pair.response2.as_str());
    }
    let pairs = &LLMEVAL2.pairs;
    let spaced = |pair: &&Pair| pair.response1.starts_with(' ') && pair.response2.starts_with(' ');
    assert!(of(pairs, "summarizefeedback").iter().all(spaced));
    // One of 280 hh-rlhf responses starts with a newline instead.
    let odd: Vec<_> = of(pairs, "hh-rlhf").into_iter().filter(|pair| !spaced(pair)).collect();
    assert_eq!(odd.iter().map(|pair| pair.index).collect::<Vec<_>>(), [2196]);
    assert!(odd[0].response1.starts_with('\n') && odd[0].response2.starts_with(' '));
    for pair in of(pairs, "hh-rlhf") {
        assert!(
            pair.query.starts_with("\n\nHuman:") && pair.query.ends_with("Assistant:"),
            "row {}",
            pair.index
        );
    }
    for pair in of(pairs, "code-contests") {
        assert!(pair.query.starts_with("Description: ") && pair.query.ends_with(char::is_whitespace));
    }
    assert!(of(pairs, "bagel").iter().all(|pair| pair.query.starts_with("inform(")));
    // An escaped backslash followed by these letters is no escape of a character.
    let latex = |row: usize| pairs[row].query.matches("\\under").count();
    assert_eq!([latex(1525), latex(2113)], [3, 8]);
}

#[test]
fn the_anomalies_are_found_where_the_specification_saw_them() {
    let pairs = &LLMEVAL2.pairs;
    let empty = indices(pairs, |pair| pair.query.is_empty());
    assert_eq!(empty.len(), 275);
    assert_eq!(empty, indices(pairs, |pair| pair.dataset == "mt-bench"));
    let blank = indices(pairs, anomalies::has_blank_response);
    assert_eq!(
        blank,
        [570, 676, 785, 838, 887, 970, 1123, 1329, 1756, 2033, 2076, 2381, 2427]
    );
    assert_eq!(pairs[2427].response1, "\n");
    assert!(anomalies::is_blank(&pairs[887].response2));
    assert_eq!(
        indices(pairs, anomalies::has_identical_responses),
        [194, 461, 719, 1242]
    );
    assert_eq!(pairs[719].label, Some(Label::Model1));

    let swapped = anomalies::swapped_duplicates(pairs);
    assert_eq!(swapped.len(), 22);
    assert_eq!(
        swapped[..5],
        [(13, 2252), (57, 1068), (88, 2551), (152, 902), (226, 2478)]
    );
    assert!(
        swapped
            .iter()
            .all(|&(i, j)| pairs[i].dataset == "mt-bench" && pairs[j].dataset == "mt-bench")
    );
    let agree = swapped
        .iter()
        .filter(|&&(i, j)| pairs[i].label == pairs[j].label.map(Label::swapped))
        .count();
    assert_eq!(agree, 15);
}

#[test]
fn the_longest_row_is_2215_with_14341_characters() {
    let length = |pair: &Pair| -> usize {
        [&pair.query, &pair.response1, &pair.response2]
            .map(|text| text.chars().count())
            .iter()
            .sum()
    };
    let longest = LLMEVAL2.pairs.iter().max_by_key(|pair| length(pair)).unwrap();
    assert_eq!((longest.index, length(longest)), (2215, 14_341));
}

#[test]
fn a_sample_of_200_keeps_the_share_of_every_dataset_and_label() {
    let mut some = LLMEVAL2.pairs.clone();
    let selection = Selection {
        sample: Some(Sample { n: 200, seed: 1 }),
        ..Selection::default()
    };
    selection.apply(&mut some).unwrap();
    assert_eq!(some.len(), 200);
    assert!(some.is_sorted_by(|a, b| a.index < b.index));
    for dataset in LLMEVAL2.pairs.iter().map(|pair| pair.dataset.as_str()) {
        let all = label_counts(of(&LLMEVAL2.pairs, dataset));
        for (all, some) in all.into_iter().zip(label_counts(of(&some, dataset))) {
            let exact = all as f64 * 200.0 / 2553.0;
            assert!((some as f64 - exact).abs() < 1.0, "{dataset}: {some} of {exact}");
        }
    }
}

#[test]
fn one_dataset_can_be_selected() {
    let mut some = LLMEVAL2.pairs.clone();
    let selection = Selection {
        datasets: vec!["summeval".to_owned()],
        limit: Some(5),
        ..Selection::default()
    };
    selection.apply(&mut some).unwrap();
    assert_eq!(
        some,
        of(&LLMEVAL2.pairs, "summeval")
            .into_iter()
            .take(5)
            .cloned()
            .collect::<Vec<_>>()
    );
}
