//! What is said to a judge, and how its reply is read.
//!
//! A prompt is made of three things: a [`Family`] (the wording for one kind of task), a [`Layout`] (the order in which things are
//! said) and what is [`Shown`] (query and candidates, in the order displayed). [`Prompts`] holds all families and layouts and
//! renders the three kinds of prompt: *roles* (which angles of view matter for this pair), *judge* (layer 1) and *deeper*
//! (layers from 2 on, with the reviews of the layer before). Which family a dataset is judged with is said by a
//! [`Taxonomy`](crate::pair::Taxonomy).
//!
//! Candidate text is data. It is inserted by value: never trimmed, never escaped, never scanned again for slots. In the
//! [`Layout::Shared`] layout the block markers carry a [`Nonce`] that occurs in none of the texts, so no candidate can close its
//! own block.
//!
//! Replies are read by [`parse`] (scores) and [`roles`] (angles of view), each in a `robust` reading for use and a `compat`
//! reading that does what the published code does. [`relabel`] moves a review between the two presentation orders.
//!
//! ```
//! use widedeep::prompt::{Layout, Nonce, Prompts, Shown, parse};
//!
//! let prompts = Prompts::embedded();
//! let shown = Shown { query: "Why is the sky blue?", first: "Rayleigh scattering.", second: "It is not." };
//! let nonce = Nonce::for_pair(7, &[shown.query, shown.first, shown.second]);
//! let family = prompts.family("qa")?;
//! let prompt = prompts.judge(Layout::Shared, family, &shown, &nonce, Some("Accuracy"))?;
//! assert!(prompt.user.ends_with("Your angle of view: Accuracy"));
//!
//! let scores = parse::robust::parse("Score of Assistant 1: 9\nScore of Assistant 2: 2.5").expect("two score lines");
//! assert_eq!(scores.score2.as_str(), "2.5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod family;
mod layout;
mod library;
mod nonce;
mod render;
mod shown;
mod sources;

pub mod parse;
pub mod relabel;
pub mod roles;

pub use error::{PromptError, RenderError};
pub use family::{Candidate, Context, Delimited, DelimitedBy, Family};
pub use layout::{Layout, Template};
pub use library::Prompts;
pub use nonce::Nonce;
pub use shown::{Angles, Defects, History, Member, Rendered, Shown};
