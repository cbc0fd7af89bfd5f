//! Answer spans: official ones found in their tokens, and our rule beside them.

use widedeep::inside::hallucination::questions::official;
use widedeep::inside::hallucination::span::{answer_span, find, overlapping};

use crate::data::shared;

#[test]
fn official_answer_tokens_are_found_and_the_rule_agrees_with_most_of_them() {
    let items = official::read_spanned(&shared("h_neurons/mistral24b_answer_tokens_head200.jsonl")).unwrap();
    let (mut found, mut equal, mut whole) = (0, 0, 0);
    for item in &items {
        let Some(official) = find(&item.tokens, &item.answer, 0) else {
            continue;
        };
        found += 1;
        whole += usize::from(official.len() == item.tokens.len());
        let plain: Vec<String> = item.tokens.iter().map(|token| token.replace(['▁', 'Ġ'], " ")).collect();
        // Byte-level pieces of letters outside ASCII are spelled otherwise.
        let text = plain.concat();
        let lengths: Vec<usize> = plain.iter().map(String::len).collect();
        let ours = answer_span(&text).and_then(|span| overlapping(&lengths, &span));
        equal += usize::from(ours == Some(official));
    }
    assert_eq!(items.len(), 200);
    assert!(found >= 199, "{found}");
    assert!(
        equal * 100 >= found * 95,
        "{equal} of {found}; {whole} are the whole response"
    );
}

#[test]
fn the_ids_of_an_official_list_label_their_items() {
    let items = official::read_spanned(&shared("h_neurons/mistral24b_answer_tokens_head200.jsonl")).unwrap();
    let ids = official::read_ids(&shared("h_neurons/mistral24b_train_qids.json")).unwrap();
    let of = |list: &std::collections::BTreeSet<String>| items.iter().filter(|item| list.contains(&item.id)).count();
    let (faithful, hallucinated) = (of(&ids.faithful), of(&ids.hallucinated));
    assert_eq!(
        (faithful, hallucinated, items.len() - faithful - hallucinated),
        (101, 68, 31)
    );
    assert_eq!((ids.faithful.len(), ids.hallucinated.len()), (1000, 977));
    let times: usize = ids.repeated.iter().map(|(_, times)| times - 1).sum();
    assert_eq!(times, 23);
}
