//! The verdicts that need no model, against the published confusion matrices.

use crate::*;

#[test]
fn the_longer_response_gives_the_published_confusion() {
    let pairs = &LLMEVAL2.pairs;
    assert_eq!(
        confusion(pairs, baseline::longer),
        [[572, 471, 7], [440, 575, 6], [237, 241, 4]]
    );
    let with_margin = confusion(pairs, |pair| baseline::longer_by(pair, 20));
    assert_eq!(with_margin, [[484, 371, 195], [357, 484, 180], [195, 191, 96]]);
    assert_eq!(
        confusion(pairs, baseline::shorter),
        [[471, 572, 7], [575, 440, 6], [241, 237, 4]]
    );
    assert_eq!(
        confusion(pairs, baseline::always(Label::Tie)),
        [[0, 0, 1050], [0, 0, 1021], [0, 0, 482]]
    );
}

#[test]
fn bytes_and_characters_disagree_on_five_rows_only() {
    let differ = indices(&LLMEVAL2.pairs, |pair| {
        baseline::longer(pair) != baseline::longer_bytes(pair)
    });
    assert_eq!(differ, [129, 148, 233, 1239, 2523]);
    let table = confusion(&LLMEVAL2.pairs, baseline::longer_bytes);
    let accuracy = (0..3).map(|i| table[i][i]).sum::<usize>() as f64 / 2553.0;
    assert!((accuracy - 0.451_234).abs() < 5e-7, "{accuracy}");
}

#[test]
fn on_faireval_the_longer_answer_is_vicunas_59_times() {
    let table = confusion(&FAIREVAL.pairs, baseline::longer);
    assert_eq!(table.iter().map(|row| row[1]).sum::<usize>(), 59);
    assert_eq!((0..3).map(|i| table[i][i]).sum::<usize>(), 39);
    let table = confusion(&FAIREVAL.pairs, baseline::always(Label::Model1));
    assert_eq!(table[0][0], 41);
}
