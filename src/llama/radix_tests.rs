//! The tree against prompts that are compared one by one.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn tokens(text: &str) -> Vec<Token> {
    text.bytes()
        .map(|byte| llama_cpp_2::token::LlamaToken(i32::from(byte)))
        .collect()
}

fn tree(prompts: &[&str]) -> PrefixTree {
    let mut tree = PrefixTree::new();
    for (id, prompt) in (0..).zip(prompts) {
        tree.insert(id, &tokens(prompt));
    }
    tree
}

const ALL: fn(Id) -> usize = |_| usize::MAX;
const IDLE: fn(Id) -> bool = |_| true;

#[test]
fn a_prompt_finds_who_holds_most_of_it() {
    let tree = tree(&["the fox runs", "the fox sleeps", "a dog"]);
    let found = tree.longest(&tokens("the fox sleds"), ALL);
    assert_eq!(found.promised, 11);
    assert_eq!(found.ready, Some((11, 1)));
    assert_eq!(tree.longest(&tokens("no"), ALL).ready, None);
    assert_eq!(tree.longest(&tokens("a dog barks"), ALL).ready, Some((5, 2)));
}

#[test]
fn what_is_promised_is_told_from_what_is_there() {
    let tree = tree(&["the fox runs", "the fox sleeps"]);
    let found = tree.longest(&tokens("the fox sleeps"), |id| if id == 0 { 12 } else { 2 });
    assert_eq!(found.promised, 14);
    assert_eq!(
        found.ready,
        Some((8, 0)),
        "the other one has the common part, and the next `s` is not its own"
    );
}

#[test]
fn the_oldest_ending_goes_first_and_the_common_beginning_last() {
    let mut tree = tree(&["pair one: role a", "pair one: role b", "pair one: role c"]);
    let mut order = Vec::new();
    while let Some(id) = tree.oldest_leaf(IDLE) {
        order.push((id, tree.cut(id)));
    }
    assert_eq!(
        order,
        [(0, Cut::Gone), (1, Cut::Gone), (2, Cut::To(15)), (2, Cut::Gone)],
        "`pair one: role ` outlives the three letters"
    );
    assert_eq!(tree.nodes.len() - tree.vacant.len(), 1, "only the root is left");
}

#[test]
fn what_an_active_sequence_holds_is_not_evicted() {
    let mut tree = tree(&["shared x", "shared y"]);
    let idle = |id| id == 0;
    assert_eq!(tree.oldest_leaf(idle), Some(0));
    assert_eq!(tree.cut(0), Cut::Gone);
    assert_eq!(tree.oldest_leaf(idle), None);
    assert_eq!(tree.longest(&tokens("shared z"), ALL).ready, Some((7, 1)));
}

#[test]
fn a_prompt_that_another_continues_is_covered_by_it_once_that_is_evaluated() {
    let tree = tree(&["the fox", "the fox runs", "the cat"]);
    assert!(tree.is_covered(0, ALL));
    assert!(!tree.is_covered(0, |_| 6));
    assert!(!tree.is_covered(1, ALL));
    assert!(!tree.is_covered(2, ALL));
}

#[derive(Debug, Clone)]
enum Act {
    Insert(Vec<u8>),
    Remove(usize),
    Evict,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let text = prop::collection::vec(0_u8..3, 0..9);
    let act = prop_oneof![
        4 => text.prop_map(Act::Insert),
        1 => (0_usize..8).prop_map(Act::Remove),
        1 => Just(Act::Evict),
    ];
    prop::collection::vec(act, 1..40)
}

proptest! {
    #[test]
    fn the_tree_finds_what_comparing_with_every_sequence_finds(acts in acts(), prompt in prop::collection::vec(0_u8..3, 0..9)) {
        let token = |byte: &u8| llama_cpp_2::token::LlamaToken(i32::from(*byte));
        let mut tree = PrefixTree::new();
        let mut plain: Vec<(Id, Vec<Token>)> = Vec::new();
        for (id, act) in (0..).zip(acts) {
            match act {
                Act::Insert(text) => {
                    let tokens: Vec<Token> = text.iter().map(token).collect();
                    tree.insert(id, &tokens);
                    plain.push((id, tokens));
                }
                Act::Remove(at) if at < plain.len() => {
                    let (id, _) = plain.remove(at);
                    tree.remove(id);
                }
                Act::Remove(_) => {}
                Act::Evict => {
                    if let Some(id) = tree.oldest_leaf(IDLE) {
                        let at = plain.iter().position(|(held, _)| *held == id).unwrap();
                        match tree.cut(id) {
                            Cut::To(length) => plain[at].1.truncate(length),
                            Cut::Gone => drop(plain.remove(at)),
                        }
                    }
                }
            }
            let prompt: Vec<Token> = prompt.iter().map(token).collect();
            let evaluated = |id: Id| usize::try_from(id).unwrap() % 7;
            let best = plain.iter().map(|(_, text)| common(text, &prompt)).max().unwrap_or(0);
            let ready = plain.iter().map(|(id, text)| common(text, &prompt).min(evaluated(*id))).max().unwrap_or(0);
            let found = tree.longest(&prompt, evaluated);
            prop_assert_eq!(found.promised, best);
            prop_assert_eq!(found.ready.map_or(0, |(length, _)| length), ready);
            if let Some((length, id)) = found.ready {
                let (_, text) = plain.iter().find(|(held, _)| *held == id).unwrap();
                prop_assert!(common(text, &prompt).min(evaluated(id)) >= length);
            }
        }
        for (id, _) in plain {
            tree.remove(id);
        }
        prop_assert_eq!(tree.nodes.len() - tree.vacant.len(), 1, "nothing but the root is left");
    }
}
