//! Sets in CSV, told apart by their headers: SimpleQA Verified, TruthfulQA, FalseQA.

use std::path::Path;

use super::{Kind, Question, QuestionsError, same_text};

pub(super) fn questions(path: &Path, text: &str, set: &str) -> Result<Vec<Question>, QuestionsError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let fault = |error: &csv::Error| {
        let line = error
            .position()
            .map_or(1, |position| usize::try_from(position.line()).unwrap_or(0));
        QuestionsError::line(path, line, format!("no valid CSV: {error}"))
    };
    let header: Vec<String> = reader
        .headers()
        .map_err(|error| fault(&error))?
        .iter()
        .map(str::to_owned)
        .collect();
    let Some(columns) = Columns::of(&header) else {
        let problem = format!("its columns are {}", header.join(", "));
        return Err(QuestionsError::Format {
            path: path.to_owned(),
            problem,
        });
    };
    let mut questions = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| fault(&error))?;
        let line = row
            .position()
            .map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
        let cell = |column: usize| {
            let text = row.get(column).unwrap_or("").trim();
            if text.is_empty() {
                let name = header.get(column).map_or("", String::as_str);
                return Err(QuestionsError::line(path, line, format!("`{name}` is blank")));
            }
            Ok(text)
        };
        questions.push(columns.question(path, line, set, cell)?);
    }
    Ok(questions)
}

/// Where the columns of a set are.
enum Columns {
    SimpleQa {
        id: usize,
        problem: usize,
        answer: usize,
        kind: usize,
    },
    TruthfulQa {
        question: usize,
        correct: usize,
        incorrect: usize,
        category: usize,
    },
    FalseQa {
        question: usize,
        answer: usize,
        label: usize,
    },
    Plain {
        question: usize,
        answer: usize,
    },
}

impl Columns {
    fn of(header: &[String]) -> Option<Self> {
        let at = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        if let (Some(id), Some(problem), Some(answer), Some(kind)) =
            (at("original_index"), at("problem"), at("answer"), at("answer_type"))
        {
            return Some(Self::SimpleQa {
                id,
                problem,
                answer,
                kind,
            });
        }
        let question = at("question")?;
        if let (Some(correct), Some(incorrect), Some(category)) =
            (at("Correct Answers"), at("Incorrect Answers"), at("Category"))
        {
            return Some(Self::TruthfulQa {
                question,
                correct,
                incorrect,
                category,
            });
        }
        let answer = at("answer")?;
        Some(match at("label") {
            Some(label) => Self::FalseQa {
                question,
                answer,
                label,
            },
            None => Self::Plain { question, answer },
        })
    }

    fn question<'r>(
        &self,
        path: &Path,
        line: usize,
        set: &str,
        cell: impl Fn(usize) -> Result<&'r str, QuestionsError>,
    ) -> Result<Question, QuestionsError> {
        let plain = |text: &str, golds: Vec<String>| Question {
            id: format!("{set}_{line}"),
            set: set.to_owned(),
            text: text.to_owned(),
            kind: Kind::Answerable,
            golds,
            wrong: Vec::new(),
            matching: None,
            stratum: set.to_owned(),
            group: same_text(text),
        };
        Ok(match *self {
            Self::SimpleQa {
                id,
                problem,
                answer,
                kind,
            } => Question {
                id: format!("simpleqa_{}", cell(id)?),
                stratum: cell(kind)?.to_owned(),
                ..plain(cell(problem)?, vec![cell(answer)?.to_owned()])
            },
            Self::TruthfulQa {
                question,
                correct,
                incorrect,
                category,
            } => Question {
                wrong: listed(cell(incorrect)?),
                stratum: cell(category)?.to_owned(),
                ..plain(cell(question)?, listed(cell(correct)?))
            },
            Self::FalseQa {
                question,
                answer,
                label,
            } => {
                let label = cell(label)?;
                let kind = match label {
                    "1" => Kind::FalsePremise,
                    "0" => Kind::Answerable,
                    _ => {
                        let problem = format!("`label` is `{label}`; expected 1 (the premise is false) or 0");
                        return Err(QuestionsError::line(path, line, problem));
                    }
                };
                Question {
                    kind,
                    ..plain(cell(question)?, literal(cell(answer)?))
                }
            }
            Self::Plain { question, answer } => plain(cell(question)?, vec![cell(answer)?.to_owned()]),
        })
    }
}

/// `a; b; c`.
fn listed(text: &str) -> Vec<String> {
    let parts = text.split(';').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A Python list of strings, in single or double quotes, or one plain text.
fn literal(text: &str) -> Vec<String> {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return vec![text.to_owned()];
    };
    let (mut strings, mut rest) = (Vec::new(), inner.chars());
    while let Some(quote) = rest.find(|c| *c == '\'' || *c == '"') {
        let mut string = String::new();
        loop {
            match rest.next() {
                Some('\\') => string.extend(rest.next()),
                Some(c) if c == quote => break,
                Some(c) => string.push(c),
                None => return vec![text.to_owned()],
            }
        }
        strings.push(string);
    }
    if strings.is_empty() {
        vec![text.to_owned()]
    } else {
        strings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_lists_are_read_with_either_quote() {
        assert_eq!(
            literal(r#"['It isn\'t.', "No, it isn't."]"#),
            ["It isn't.", "No, it isn't."]
        );
        assert_eq!(literal("A man cannot."), ["A man cannot."]);
        assert_eq!(literal("[sic]"), ["[sic]"]);
    }
}
