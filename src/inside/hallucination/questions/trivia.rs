//! OpenTriviaQA: blocks of `#Q` question, `^` answer and options `A` to `D`.

use std::path::Path;

use super::{Kind, Question, QuestionsError, same_text};

#[derive(Debug, Default)]
struct Block {
    line: usize,
    question: String,
    answer: Option<String>,
    options: Vec<String>,
}

pub(super) fn questions(path: &Path, text: &str, set: &str) -> Result<Vec<Question>, QuestionsError> {
    let mut blocks: Vec<Block> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim());
        if let Some(question) = line.strip_prefix("#Q") {
            blocks.push(Block {
                line: number,
                question: question.trim().to_owned(),
                ..Block::default()
            });
            continue;
        }
        let Some(block) = blocks.last_mut() else {
            if line.is_empty() {
                continue;
            }
            return Err(QuestionsError::line(path, number, "expected `#Q` and a question"));
        };
        if let Some(answer) = line.strip_prefix('^') {
            block.answer = Some(answer.trim().to_owned());
        } else if let Some(option) = option(line).filter(|_| block.answer.is_some()) {
            block.options.push(option.to_owned());
        } else if block.answer.is_none() && !line.is_empty() {
            // A question may go on over several lines.
            block.question = format!("{} {line}", block.question);
        }
    }
    blocks.into_iter().map(|block| block.question(path, set)).collect()
}

fn option(line: &str) -> Option<&str> {
    let (letter, rest) = line.split_once(' ')?;
    (letter.len() == 1 && letter.as_bytes()[0].is_ascii_uppercase()).then(|| rest.trim())
}

impl Block {
    fn question(self, path: &Path, set: &str) -> Result<Question, QuestionsError> {
        let fault = |problem: &str| QuestionsError::line(path, self.line, problem);
        if self.question.is_empty() {
            return Err(fault("the question is blank"));
        }
        let answer = self
            .answer
            .filter(|answer| !answer.is_empty())
            .ok_or_else(|| fault("the question has no answer: a line that begins with `^` is expected"))?;
        Ok(Question {
            id: format!("{set}_{}", self.line),
            set: set.to_owned(),
            group: same_text(&self.question),
            text: self.question,
            kind: Kind::Answerable,
            wrong: self.options.into_iter().filter(|option| *option != answer).collect(),
            golds: vec![answer],
            matching: None,
            stratum: set.to_owned(),
        })
    }
}
