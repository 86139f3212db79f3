//! Text in, terms out; a complaint has the place of the culprit.

use std::ops::Range;

use super::Term;
use super::field::{FIELDS, Field, OPERATORS, Test};
use crate::spanned::{Diagnostic, did_you_mean};
use crate::text::SafeText;

/// Reads a filter; `None` if there is nothing in it.
pub(super) fn parse(text: &str) -> Result<Option<Term>, Diagnostic> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    parser.skip_blanks();
    if parser.rest().is_empty() {
        return Ok(None);
    }
    let term = parser.either()?;
    match parser.peek() {
        // `either` ends at the end of the text or before a `)`.
        None => Ok(Some(term)),
        Some(_) => Err(Diagnostic::new("this `)` closes nothing", parser.at..parser.at + 1)),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

/// Text as it was typed, without its quotes.
struct Value {
    text: String,
    span: Range<usize>,
}

impl<'t> Parser<'t> {
    /// Terms with `|` between them.
    fn either(&mut self) -> Result<Term, Diagnostic> {
        let mut terms = vec![self.all()?];
        while self.eat('|') {
            terms.push(self.all()?);
        }
        Ok(alone_or(terms, Term::Any))
    }

    /// Terms with blanks between them.
    fn all(&mut self) -> Result<Term, Diagnostic> {
        let start = self.at;
        let mut terms = Vec::new();
        loop {
            self.skip_blanks();
            if matches!(self.peek(), None | Some('|' | ')')) {
                break;
            }
            terms.push(self.term()?);
        }
        if terms.is_empty() {
            // Where nothing is, point at what wanted something.
            let before = self.text.get(..start).unwrap_or_default().trim_end();
            let span = match (before.chars().last(), self.peek()) {
                (Some('|' | '('), _) => before.len() - 1..before.len(),
                (_, Some(c)) => self.at..self.at + c.len_utf8(),
                _ => self.at..self.at,
            };
            return Err(Diagnostic::new("nothing to look for here", span));
        }
        Ok(alone_or(terms, Term::All))
    }

    fn term(&mut self) -> Result<Term, Diagnostic> {
        let start = self.at;
        if self.depth >= MAX_DEPTH {
            return Err(Diagnostic::new(
                "too many `!` and `(` within each other",
                start..start + 1,
            ));
        }
        self.depth += 1;
        let term = if self.eat('!') {
            match self.peek() {
                None | Some('|' | ')') => {
                    Err(Diagnostic::new("nothing follows this `!`", start..start + 1))
                }
                Some(c) if c.is_whitespace() => {
                    Err(Diagnostic::new("nothing follows this `!`", start..start + 1))
                }
                Some(_) => self.term().map(|it| Term::Not(Box::new(it))),
            }
        } else if self.eat('(') {
            let term = self.either()?;
            if self.eat(')') {
                Ok(term)
            } else {
                Err(Diagnostic::new("this `(` is never closed", start..start + 1))
            }
        } else {
            self.claim()
        };
        self.depth -= 1;
        term
    }

    /// `FIELD OPERATOR values`, or values alone.
    fn claim(&mut self) -> Result<Term, Diagnostic> {
        let start = self.at;
        let word = self.rest().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let after = self.rest().get(word.len()..).unwrap_or_default();
        let operator = OPERATORS.iter().find(|it| after.starts_with(**it));
        let Some(operator) = operator.filter(|_| !word.is_empty()) else {
            let value = self.value(&[])?;
            return Ok(Term::Test(Test::bare(&value.text)));
        };
        let name = start..start + word.len();
        let Some(field) = FIELDS.iter().find(|it| it.name.eq_ignore_ascii_case(word)) else {
            return Err(Self::unknown_field(word, name));
        };
        self.at += word.len();
        if !field.operators.contains(operator) {
            let message = format!("`{}` does not take `{operator}`", field.name);
            let hint = format!("it takes {}, as in {}", field.operators.join(" "), field.example);
            let span = self.at..self.at + operator.len();
            return Err(Diagnostic::new(message, span).with_hint(hint));
        }
        self.at += operator.len();
        let mut terms = vec![self.test(field, operator)?];
        while self.peek() == Some(',') {
            self.at += 1;
            terms.push(self.test(field, operator)?);
        }
        Ok(alone_or(terms, Term::Any))
    }

    /// One value of a field.
    fn test(&mut self, field: &Field, operator: &str) -> Result<Term, Diagnostic> {
        let before = self.at;
        let value = self.value(&[','])?;
        if value.text.is_empty() {
            let message = format!("`{}` has no value", field.name);
            let hint = format!("write it as in {}", field.example);
            return Err(Diagnostic::new(message, before.saturating_sub(1)..before).with_hint(hint));
        }
        let test = (field.test)(operator, &value.text);
        test.map(Term::Test)
            .map_err(|(message, hint)| Diagnostic::new(message, value.span).with_hint(hint))
    }

    /// Text up to a blank, an operator between terms, or one of `ends`; not within quotes.
    fn value(&mut self, ends: &[char]) -> Result<Value, Diagnostic> {
        let start = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if c == '"' {
                let quote = self.at;
                self.at += 1;
                let Some(length) = self.rest().find('"') else {
                    return Err(Diagnostic::new("this quote is never closed", quote..quote + 1));
                };
                text.push_str(self.rest().get(..length).unwrap_or_default());
                self.at += length + 1;
            } else if c.is_whitespace() || matches!(c, '|' | '(' | ')') || ends.contains(&c) {
                break;
            } else {
                text.push(c);
                self.at += c.len_utf8();
            }
        }
        Ok(Value { text, span: start..self.at })
    }

    fn unknown_field(word: &str, span: Range<usize>) -> Diagnostic {
        let known = FIELDS.iter().map(|it| it.name);
        let hint = match did_you_mean(&word.to_ascii_lowercase(), known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the fields are {}; text is searched for in quotes",
                known.collect::<Vec<_>>().join(", ")
            ),
        };
        let message = format!("unknown field `{}`", SafeText::capped(word, 80));
        Diagnostic::new(message, span).with_hint(hint)
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.at += wanted.len_utf8();
        }
        is_there
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// The only term, or all of them together.
fn alone_or(mut terms: Vec<Term>, together: fn(Vec<Term>) -> Term) -> Term {
    match terms.len() {
        1 => terms.remove(0),
        _ => together(terms),
    }
}

/// Deeper than anybody types; the parser and the terms call themselves once per level.
const MAX_DEPTH: usize = 64;
