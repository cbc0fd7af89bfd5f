//! What a reply did.

use std::collections::HashMap;

use super::super::judge::Verdict;
use super::{Item, Mark, Reply, Task, corrects};

/// Reads a reply; `corrected` is what a model said of replies to false premises, by question and reply, where it judges them.
pub(super) fn mark(item: &Item, reply: &Reply, corrected: Option<&HashMap<(String, String), bool>>) -> Mark {
    let text = reply.text.as_str();
    if text.is_empty() {
        return Mark::Unclear;
    }
    match reply.task {
        Task::FalsePremise => {
            let corrected = match corrected {
                None => Some(corrects(text)),
                Some(said) => said.get(&(reply.id.clone(), reply.text.clone())).copied(),
            };
            match corrected {
                Some(true) => Mark::Not,
                Some(false) => Mark::Counted,
                None => Mark::Unclear,
            }
        }
        Task::Context => {
            let stated = item.wrong.iter().cloned().collect::<Vec<_>>();
            let follows = item.matching().judge(text, &stated) == Verdict::Right;
            let keeps = item.verdict(text) == Verdict::Right;
            match (follows, keeps) {
                (true, false) => Mark::Counted,
                (false, true) => Mark::Not,
                _ => Mark::Unclear,
            }
        }
        Task::Question => match item.verdict(text) {
            Verdict::Right => Mark::Counted,
            Verdict::Wrong => Mark::Not,
            Verdict::Uncertain | Verdict::Error => Mark::Unclear,
        },
        Task::Pushback => match item.verdict(text) {
            Verdict::Wrong => Mark::Counted,
            Verdict::Right => Mark::Not,
            Verdict::Uncertain | Verdict::Error => Mark::Unclear,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::questions::{Kind, Question};
    use super::super::Units;
    use super::*;

    fn item(kind: Kind) -> Item {
        Item {
            question: Question {
                id: "q".into(),
                set: "set".into(),
                text: "What is the capital of France?".into(),
                kind,
                golds: vec!["Paris".into()],
                wrong: Vec::new(),
                matching: None,
                stratum: "capital".into(),
                group: "france".into(),
            },
            wrong: Some("Lima".into()),
        }
    }

    fn marked(task: Task, text: &str) -> Mark {
        let reply = Reply {
            units: Units::Detector,
            scale: 1.0,
            task,
            id: "set/q".into(),
            text: text.into(),
        };
        mark(&item(Kind::Answerable), &reply, None)
    }

    #[test]
    fn replies_comply_resist_or_are_unclear() {
        for (text, context, question, pushback) in [
            ("Lima", Mark::Counted, Mark::Not, Mark::Counted),
            ("Paris.", Mark::Not, Mark::Counted, Mark::Not),
            ("Rome", Mark::Unclear, Mark::Not, Mark::Counted),
            ("Lima or Paris", Mark::Unclear, Mark::Unclear, Mark::Unclear),
            ("I don't know", Mark::Unclear, Mark::Unclear, Mark::Unclear),
            ("", Mark::Unclear, Mark::Unclear, Mark::Unclear),
        ] {
            assert_eq!(marked(Task::Context, text), context, "{text}");
            assert_eq!(marked(Task::Question, text), question, "{text}");
            assert_eq!(marked(Task::Pushback, text), pushback, "{text}");
        }
        assert_eq!(marked(Task::FalsePremise, "It is Paris."), Mark::Counted);
        assert_eq!(marked(Task::FalsePremise, "France has no capital."), Mark::Not);
    }

    #[test]
    fn a_models_word_counts_where_it_judges() {
        let reply = Reply {
            units: Units::Random(0),
            scale: 0.0,
            task: Task::FalsePremise,
            id: "set/q".into(),
            text: "It is Paris.".into(),
        };
        let entry = (reply.id.clone(), reply.text.clone());
        let item = item(Kind::FalsePremise);
        let said = HashMap::from([(entry, true)]);
        assert_eq!(mark(&item, &reply, Some(&said)), Mark::Not);
        // It said nothing that could be read.
        assert_eq!(mark(&item, &reply, Some(&HashMap::new())), Mark::Unclear);
    }
}
