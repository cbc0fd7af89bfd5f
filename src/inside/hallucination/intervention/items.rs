//! What is asked: questions, and wrong answers for the contexts.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::super::judge::{Matching, Verdict};
use super::super::questions::{Kind, Question};

/// A question that is asked in one way or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The question.
    pub question: Question,
    /// Another question's answer, which a context states; nothing for a false premise, and where the question's stratum has no other answer.
    pub wrong: Option<String>,
}

impl Item {
    /// How the answers of its set are compared.
    pub(super) fn matching(&self) -> Matching {
        self.question.matching.unwrap_or(Matching::Strict)
    }

    pub(super) fn verdict(&self, reply: &str) -> Verdict {
        self.matching().judge(reply, &self.question.golds)
    }
}

/// At most `most` false premises and as many questions with answers, drawn by `seed`, in the order of their files. A wrong answer is the answer to another
/// question of the same stratum (template or set): of the right kind, and known to be wrong as far as the accepted answers tell.
pub fn items(questions: &[Question], most: usize, seed: u64) -> Vec<Item> {
    let mut chosen: Vec<usize> = Vec::new();
    for kind in [Kind::FalsePremise, Kind::Answerable] {
        let of_kind = |question: &Question| question.kind == kind && (kind == Kind::FalsePremise || asks(question));
        let mut places: Vec<usize> = (0..questions.len())
            .filter(|&place| of_kind(&questions[place]))
            .collect();
        places.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        places.truncate(most);
        chosen.extend(places);
    }
    chosen.sort_unstable();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    chosen
        .into_iter()
        .map(|place| Item {
            question: questions[place].clone(),
            wrong: wrong(questions, &questions[place], &mut rng),
        })
        .collect()
}

/// Whether the question has an answer to be right about.
fn asks(question: &Question) -> bool {
    !question.golds.is_empty()
}

fn wrong(questions: &[Question], own: &Question, rng: &mut ChaCha8Rng) -> Option<String> {
    if own.kind != Kind::Answerable {
        return None;
    }
    let matching = own.matching.unwrap_or(Matching::Strict);
    let mut others: Vec<&String> = questions
        .iter()
        .filter(|other| other.kind == Kind::Answerable && other.stratum == own.stratum && other.group != own.group)
        .filter_map(|other| {
            let answer = other.golds.first()?;
            let theirs = other.matching.unwrap_or(Matching::Strict);
            let is_right = matching.judge(answer, &own.golds) == Verdict::Right
                || own
                    .golds
                    .iter()
                    .any(|gold| theirs.judge(gold, &other.golds) == Verdict::Right);
            (!is_right).then_some(answer)
        })
        .collect();
    others.sort_unstable();
    others.dedup();
    others.shuffle(rng);
    others.first().map(|answer| (*answer).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(id: usize, kind: Kind, stratum: &str, gold: &str) -> Question {
        Question {
            id: id.to_string(),
            set: "set".into(),
            text: format!("question {id}"),
            kind,
            golds: vec![gold.to_owned()],
            wrong: Vec::new(),
            matching: None,
            stratum: stratum.to_owned(),
            group: id.to_string(),
        }
    }

    #[test]
    fn wrong_answers_are_other_answers_of_the_stratum() {
        let questions = [
            question(0, Kind::Answerable, "capital", "Paris"),
            question(1, Kind::Answerable, "capital", "Rome"),
            question(2, Kind::Answerable, "capital", "rome."),
            question(3, Kind::Answerable, "continent", "Asia"),
            question(4, Kind::FalsePremise, "false", "No, it is not"),
            question(5, Kind::Invented, "invented", "nothing"),
        ];
        let found = items(&questions, 10, 7);
        let wrong: Vec<(&str, Option<&str>)> = found
            .iter()
            .map(|item| (item.question.id.as_str(), item.wrong.as_deref()))
            .collect();
        assert_eq!(wrong.len(), 5, "{wrong:?}");
        assert!(matches!(wrong[0], ("0", Some("Rome" | "rome."))), "{wrong:?}");
        // The same city in other letters is no wrong answer.
        assert_eq!(
            wrong[1..],
            [("1", Some("Paris")), ("2", Some("Paris")), ("3", None), ("4", None)]
        );
        assert_eq!(found, items(&questions, 10, 7));
        assert_eq!(items(&questions, 2, 7).len(), 3);
    }
}
