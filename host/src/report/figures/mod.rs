//! The figures, one file each. A figure is a section of the page, or a sentence that says why it is not there.

pub mod classes;
pub mod curves;
pub mod embedding;
pub mod forest;
pub mod found;
pub mod landscape;
pub mod sites;
pub mod trajectories;
pub mod value_function;

use super::html::escape;

/// A section of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its anchor.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is in it.
    pub content: Content,
}

/// What a section shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// HTML.
    Drawn(String),
    /// Why there is nothing to see.
    LeftOut(String),
}

impl Figure {
    /// The section.
    pub fn html(&self) -> String {
        let Self { id, title, content } = self;
        let body = match content {
            Content::Drawn(html) => html.clone(),
            Content::LeftOut(why) => {
                format!("<p class=\"left-out\">Left out: {}.</p>", escape(why))
            }
        };
        format!(
            "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>{body}</section>"
        )
    }
}

/// Panels side by side with a caption; the caption is HTML.
pub fn figure(panels: &[String], caption: &str) -> String {
    format!(
        "<figure><div class=\"panels\">{}</div><figcaption>{caption}</figcaption></figure>",
        panels.concat()
    )
}
