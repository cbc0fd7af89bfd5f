//! From activations and texts to counts on disk.

use std::path::Path;

use widedeep::inside::language::{
    Accumulator, Counts, CountsError, LanguageCounts, Origin, Rule, Sample, Shape,
    counts::Clamped,
    published::{Header, PublishedError},
    rule::{Border, Cutting, First, Prefix, Remainder, RuleError, border},
    store::ReadError,
    text::{self, Reading, TextError},
};

const SHAPE: Shape = Shape { layers: 2, width: 3 };

fn language(name: &str, tokens: u64, active: [u32; 6]) -> LanguageCounts {
    LanguageCounts::new(name, tokens, active.to_vec()).unwrap()
}

fn counts(languages: Vec<LanguageCounts>) -> Counts {
    let origin = Origin {
        model: "m".into(),
        rule: Some(Rule::default()),
        ..Origin::default()
    };
    Counts::new(SHAPE, languages, origin).unwrap()
}

#[test]
fn only_values_strictly_above_zero_are_active() {
    let mut sw = Accumulator::new("sw", SHAPE);
    for layer in 0..2 {
        sw.token(layer, &[0.0, 1e-30, -1.0]).unwrap();
        sw.token(layer, &[-0.0, f32::NAN, 2.0]).unwrap();
        sw.batch(layer, &[5, 0, 7], 8).unwrap();
    }
    let sw = sw.finish().unwrap();
    assert_eq!((sw.name(), sw.tokens()), ("sw", 10));
    assert_eq!(sw.active(), [5, 1, 8, 5, 1, 8]);
}

#[test]
fn layers_that_saw_different_numbers_of_tokens_are_refused() {
    let mut sw = Accumulator::new("sw", SHAPE);
    sw.batch(0, &[1, 1, 1], 9).unwrap();
    sw.batch(1, &[1, 1, 1], 1).unwrap();
    let error = sw.finish().unwrap_err();
    assert!(
        matches!(
            error,
            CountsError::Uneven {
                first: 9,
                layer: 1,
                other: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn batches_of_another_model_are_refused() {
    let mut sw = Accumulator::new("sw", SHAPE);
    assert!(matches!(
        sw.token(2, &[0.0; 3]),
        Err(CountsError::Batch { layer: 2, .. })
    ));
    assert!(matches!(
        sw.token(0, &[0.0; 4]),
        Err(CountsError::Batch { width: 4, .. })
    ));
    assert!(matches!(
        sw.batch(0, &[0; 3], 1 << 32),
        Err(CountsError::Overflow { .. })
    ));
}

#[test]
fn runs_add_up_and_a_prefix_is_taken_away_with_a_clamp_at_zero() {
    let a = counts(vec![
        language("en", 10, [1, 2, 3, 4, 5, 6]),
        language("sw", 5, [0, 1, 0, 1, 0, 1]),
    ]);
    let b = counts(vec![language("sw", 7, [7; 6]), language("th", 1, [1; 6])]);
    let sum = a.clone().plus(&b).unwrap();
    let names: Vec<&str> = sum.languages().iter().map(LanguageCounts::name).collect();
    assert_eq!(names, ["en", "sw", "th"]);
    assert_eq!(
        (sum.languages()[1].tokens(), sum.languages()[1].active()),
        (12, [7, 8, 7, 8, 7, 8].as_slice())
    );

    let full = counts(vec![language("en", 10, [5, 5, 5, 5, 5, 5])]);
    let prefix = counts(vec![language("en", 4, [1, 2, 6, 5, 0, 9])]);
    let (answers, clamped) = full.clone().minus(&prefix).unwrap();
    assert_eq!(clamped, Clamped { entries: 2 });
    assert_eq!(
        (answers.languages()[0].tokens(), answers.languages()[0].active()),
        (6, [4, 3, 0, 0, 5, 0].as_slice())
    );
    assert_eq!(
        full.clone().minus(&a).unwrap_err(),
        CountsError::Differ { field: "languages" }
    );
    assert_eq!(prefix.minus(&full).unwrap().0.languages()[0].tokens(), 1);
}

#[test]
fn runs_of_other_models_or_rules_or_of_the_same_text_do_not_add_up() {
    let one = counts(vec![language("en", 10, [1; 6])]);
    let differing = |origin: Origin| Counts::new(SHAPE, vec![language("en", 10, [1; 6])], origin).unwrap();
    let origin = one.origin().clone();
    let other = differing(Origin {
        rule: Some(Rule::PAPER),
        ..origin.clone()
    });
    assert_eq!(
        one.clone().plus(&other).unwrap_err(),
        CountsError::Differ { field: "rule" }
    );
    let other = differing(Origin {
        model: "n".into(),
        ..origin.clone()
    });
    assert_eq!(one.plus(&other).unwrap_err(), CountsError::Differ { field: "model" });
    let texts = [("en".to_owned(), vec!["abc".to_owned()])].into();
    let same = differing(Origin { texts, ..origin });
    assert!(matches!(same.clone().plus(&same), Err(CountsError::Twice { .. })));
}

#[test]
fn languages_must_differ_and_have_tokens() {
    let twice = vec![language("en", 1, [0; 6]), language("en", 1, [0; 6])];
    assert!(matches!(
        Counts::new(SHAPE, twice, Origin::default()),
        Err(CountsError::Repeated { .. })
    ));
    assert!(matches!(
        LanguageCounts::new("en", 0, vec![0; 6]),
        Err(CountsError::NoTokens { .. })
    ));
    let short = vec![LanguageCounts::new("en", 1, vec![0; 5]).unwrap()];
    assert!(matches!(
        Counts::new(SHAPE, short, Origin::default()),
        Err(CountsError::Length { found: 5, .. })
    ));
}

#[test]
fn counts_are_stored_as_an_array_that_numpy_opens_and_read_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.npy");
    let counts = counts(vec![
        language("en", 10, [1, 2, 3, 4, 5, 6]),
        language("sw", 5, [0, 1, 0, 1, 0, u32::MAX]),
    ]);
    counts.write(&path).unwrap();
    assert_eq!(Counts::read(&folder.path().join("counts.json")).unwrap(), counts);

    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let header = std::str::from_utf8(&bytes[10..end]).unwrap();
    for part in ["'descr': '<u4'", "'fortran_order': False", "'shape': (2, 2, 3)"] {
        assert!(header.contains(part), "{header}");
    }
    assert_eq!((end + 1) % 64, 0);
    assert_eq!(bytes.len() - end - 1, 4 * 12);
    assert_eq!(bytes[end + 1..end + 9], [1, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn broken_counts_say_which_file_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.npy");
    assert!(matches!(Counts::read(&path), Err(ReadError::Io { path, .. }) if path.ends_with("counts.json")));
    counts(vec![language("en", 10, [1; 6])]).write(&path).unwrap();
    let sidecar = path.with_extension("json");
    let text = std::fs::read_to_string(&sidecar).unwrap();
    std::fs::write(&sidecar, text.replace("\"width\": 3", "\"width\": 4")).unwrap();
    assert!(matches!(Counts::read(&path), Err(ReadError::Shape { path, .. }) if path.ends_with("counts.npy")));
    std::fs::write(&sidecar, text.replace("\"format\": 1", "\"format\": 2, \"new\": 0")).unwrap();
    assert!(matches!(Counts::read(&path), Err(ReadError::Newer { found: 2, .. })));
    std::fs::write(&sidecar, text.replace("\"axes\"", "\"axis\"")).unwrap();
    let error = Counts::read(&path).unwrap_err();
    assert!(matches!(error, ReadError::Sidecar { line, .. } if line > 1), "{error}");
    std::fs::write(&sidecar, &text).unwrap();
    std::fs::write(&path, b"no array").unwrap();
    assert!(matches!(Counts::read(&path), Err(ReadError::Array { .. })));
}

#[test]
fn published_counts_of_another_size_or_still_compressed_are_refused() {
    let header = Header {
        model: String::new(),
        languages: vec!["en".into()],
        layers: 1,
        width: 2,
        tokens: [("en".to_owned(), 3)].into(),
    };
    assert_eq!(
        header.counts([1, 0, 0, 0, 0, 1, 0, 0].as_slice()).unwrap().languages()[0].active(),
        [1, 256]
    );
    assert!(matches!(
        header.counts([0; 7].as_slice()),
        Err(PublishedError::Size { found: 7, expected: 8 })
    ));
    let compressed = [0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0];
    assert!(matches!(
        header.counts(compressed.as_slice()),
        Err(PublishedError::Compressed)
    ));
}

#[test]
fn the_border_of_a_response_is_its_first_whole_token() {
    let at = |token| Border {
        token,
        straddled: false,
    };
    // BOS, `Why`, `?`, ` So`: 7 bytes, 4 of them prefix.
    assert_eq!(border(&[0, 3, 1, 3], 7, 4).unwrap(), at(3));
    // SentencePiece puts a space before the text.
    assert_eq!(border(&[0, 4, 1, 3], 7, 4).unwrap(), at(3));
    // `? So` is one token: it is not counted.
    assert_eq!(
        border(&[0, 3, 2, 2], 7, 4).unwrap(),
        Border {
            token: 3,
            straddled: true
        }
    );
    assert_eq!(
        border(&[0, 3, 4], 7, 4).unwrap(),
        Border {
            token: 3,
            straddled: true
        }
    );
    // Nothing is prefix: only the special token stands before the text.
    assert_eq!(border(&[0, 3, 4], 7, 0).unwrap(), at(1));
    // A tokenizer that rewrites the text has no border.
    assert_eq!(
        border(&[0, 2, 2], 7, 4).unwrap_err(),
        RuleError::Rewritten { tokens: 4, text: 7 }
    );
}

#[test]
fn positions_count_from_the_border_and_position_0_only_if_asked() {
    let border = Border {
        token: 3,
        straddled: false,
    };
    let rule = |first, prefix| Rule {
        first,
        prefix,
        cutting: Cutting::Samples,
    };
    assert_eq!(rule(First::Leave, Prefix::Position).counted(8, 4, border), 3..8);
    assert_eq!(rule(First::Leave, Prefix::Subtraction).counted(8, 4, border), 1..8);
    assert_eq!(rule(First::Count, Prefix::Subtraction).counted(8, 4, border), 0..8);
    assert_eq!(rule(First::Leave, Prefix::Position).counted(8, 0, border), 1..8);
    assert_eq!(rule(First::Leave, Prefix::Position).counted(2, 4, border), 2..2);
}

#[test]
fn counting_by_position_and_by_subtraction_count_the_same_number_of_tokens() {
    // A border between tokens: 5 tokens of prefix with BOS, 7 in all.
    let border = Border {
        token: 5,
        straddled: false,
    };
    for first in [First::Leave, First::Count] {
        let position = Rule {
            first,
            prefix: Prefix::Position,
            ..Rule::default()
        }
        .counted(7, 9, border)
        .len();
        let subtraction = Rule {
            first,
            prefix: Prefix::Subtraction,
            ..Rule::default()
        };
        assert_eq!(
            position,
            subtraction.counted(7, 9, border).len() - subtraction.counted(5, 9, border).len()
        );
    }
}

#[test]
fn every_token_of_a_stream_counts_once_whatever_the_cutting() {
    for cutting in [
        Cutting::Samples,
        Cutting::Blocks {
            length: 7,
            remainder: Remainder::Keep,
        },
        Cutting::Windows { length: 7, overlap: 3 },
        Cutting::Windows { length: 7, overlap: 6 },
    ] {
        let rule = Rule {
            first: First::Count,
            cutting,
            ..Rule::default()
        };
        for tokens in 0..40 {
            let windows = rule.windows(tokens).unwrap();
            let counted: Vec<usize> = windows.iter().flat_map(|window| window.counted.clone()).collect();
            assert_eq!(counted, (0..tokens).collect::<Vec<_>>(), "{cutting:?}");
            assert!(
                windows
                    .iter()
                    .all(|window| window.fed.end == window.counted.end && window.fed.start <= window.counted.start)
            );
        }
    }
}

#[test]
fn blocks_may_drop_what_is_left_and_leave_out_their_first_positions() {
    let cutting = Cutting::Blocks {
        length: 4,
        remainder: Remainder::Drop,
    };
    let windows = Rule {
        cutting,
        ..Rule::default()
    }
    .windows(10)
    .unwrap();
    let ranges: Vec<_> = windows.into_iter().map(|window| (window.fed, window.counted)).collect();
    assert_eq!(ranges, [(0..4, 1..4), (4..8, 5..8)]);
    let stuck = Rule {
        cutting: Cutting::Windows { length: 4, overlap: 4 },
        ..Rule::default()
    };
    assert_eq!(
        stuck.windows(9).unwrap_err(),
        RuleError::Stuck { length: 4, overlap: 4 }
    );
}

fn file(folder: &Path, name: &str, content: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn text_files_are_read_by_lines_or_whole_and_named_by_their_language() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "sw.txt",
        "\u{feff}Habari \n\n  ya asubuhi\r\n".as_bytes(),
    );
    let corpora = text::read(&path, None, Reading::Lines).unwrap();
    assert_eq!((corpora.len(), corpora[0].language.as_str()), (1, "sw"));
    assert_eq!(
        corpora[0].samples,
        [Sample::plain("Habari "), Sample::plain("  ya asubuhi")]
    );
    let whole = text::read(&path, Some("x"), Reading::Whole).unwrap();
    assert_eq!(whole[0].language, "x");
    assert_eq!(whole[0].samples, [Sample::plain("Habari \n\n  ya asubuhi\r\n")]);
    assert_eq!(whole[0].hash, corpora[0].hash);
    let [even, odd] = corpora[0].clone().halves();
    assert_eq!((even.samples.len(), odd.samples.len()), (1, 1));
    assert_ne!(even.hash, odd.hash);
}

#[test]
fn json_lines_hold_plain_texts_or_prefix_and_response_in_several_languages() {
    let folder = tempfile::tempdir().unwrap();
    let lines = concat!(
        r#"{"text": "one", "id": 7}"#,
        "\n\n",
        r#"{"prefix": "Swali: ", "response": "Jibu", "language": "sw"}"#,
        "\n",
        r#"{"question": "Q", "answer": "A"}"#,
        "\n"
    );
    let corpora = text::read(&file(folder.path(), "en.jsonl", lines.as_bytes()), None, Reading::Lines).unwrap();
    let names: Vec<&str> = corpora.iter().map(|corpus| corpus.language.as_str()).collect();
    assert_eq!(names, ["en", "sw"]);
    assert_eq!(corpora[0].samples, [Sample::plain("one"), Sample::response("Q", "A")]);
    let sw = &corpora[1].samples[0];
    assert_eq!(
        (sw.text(), sw.prefix(), sw.has_prefix()),
        ("Swali: Jibu", "Swali: ", true)
    );
}

#[test]
fn unreadable_texts_are_named_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let read =
        |name: &str, content: &[u8]| text::read(&file(folder.path(), name, content), None, Reading::Lines).unwrap_err();
    assert!(matches!(
        read("a.txt", b"fine\nbad \xff\n"),
        TextError::NotUtf8 { line: 2, .. }
    ));
    assert!(matches!(read("a.txt", b" \n\n"), TextError::Empty { .. }));
    assert!(matches!(
        read("a.jsonl", b"{\"text\": \"x\"}\n{\n"),
        TextError::Line { line: 2, .. }
    ));
    for both in [
        "{\"text\": \"x\", \"response\": \"y\"}",
        "{\"prefix\": \"x\"}",
        "{\"text\": \"\"}",
        "{}",
    ] {
        assert!(
            matches!(read("a.jsonl", both.as_bytes()), TextError::Fields { line: 1, .. }),
            "{both}"
        );
    }
    let missing = text::read(&folder.path().join("none.txt"), None, Reading::Lines).unwrap_err();
    assert!(missing.to_string().contains("none.txt"));
}

#[test]
fn the_multilingual_texts_are_read_line_by_line_in_every_language() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/multilingual/txt"));
    assert!(
        folder.exists(),
        "`{}` is missing: the data stand in `shared/data` beside the checkout",
        folder.display()
    );
    for name in ["bn", "de", "en", "es", "fr", "ja", "ru", "sw", "th", "zh"] {
        let corpora = text::read(&folder.join(name).with_extension("txt"), None, Reading::Lines).unwrap();
        assert_eq!((corpora.len(), corpora[0].language.as_str()), (1, name));
        // Preamble, 15 articles of one paragraph or more, and 50 questions.
        assert!(corpora[0].samples.len() > 66, "{name}: {}", corpora[0].samples.len());
    }
}
