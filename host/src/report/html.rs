//! Text on its way into a page.

use std::fmt::Write;

/// Text as it may stand between tags and within quoted attributes.
///
/// ```
/// use metricopt_host::report::html::escape;
///
/// assert_eq!(escape("<b a='1'>&\"\u{7}"), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\u{FFFD}");
/// ```
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(character),
            // No page may hold them, escaped or not.
            _ if character.is_control() => escaped.push('\u{FFFD}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The text itself if it is short, else its beginning and an ellipsis.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{start}…")
}

/// A number as tables show it; a dash where there is none.
pub fn number(value: f64, decimals: usize) -> String {
    if value.is_finite() {
        // A true minus sign is as wide as a plus.
        format!("{value:.decimals$}").replace('-', "−")
    } else {
        "–".to_owned()
    }
}

/// The same with its sign.
pub fn signed(value: f64, decimals: usize) -> String {
    if value.is_finite() {
        format!("{value:+.decimals$}").replace('-', "−")
    } else {
        "–".to_owned()
    }
}

/// A number of unknown size with four significant digits.
pub fn general(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&size) {
        let digits = if size >= 1.0 {
            size.log10() as usize
        } else {
            0
        };
        number(value, 4 - digits.min(4))
    } else if value.is_finite() {
        format!("{value:.3e}").replace('-', "−")
    } else {
        number(value, 0)
    }
}

/// A table whose first column names its rows. Cells are text, not yet escaped.
pub fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption>{0}</caption><thead><tr>",
        escape(caption)
    );
    // Writing to a `String` cannot fail.
    for cell in head {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(cell));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let _ = if column == 0 {
                write!(html, "<th scope=\"row\">{}</th>", escape(cell))
            } else {
                write!(html, "<td>{}</td>", escape(cell))
            };
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    html
}

/// The numbers of a figure, folded away.
pub fn data(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    format!(
        "<details><summary>Numbers: {}</summary>{}</details>",
        escape(caption),
        table(caption, head, rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_escaped_opens_a_tag() {
        let escaped = escape("</style><script>alert('x')</script>\" onload=\"y");
        assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped}");
    }

    #[test]
    fn numbers_keep_their_size() {
        assert_eq!(general(0.0), "0.0000");
        assert_eq!(general(0.12345), "0.1235");
        assert_eq!(general(-1234.56), "−1234.6");
        assert_eq!(general(1e9), "1.000e9");
        assert_eq!(general(f64::NAN), "–");
        assert_eq!(signed(0.5, 1), "+0.5");
    }

    #[test]
    fn tables_escape_their_cells() {
        let html = table("a<b", &["x&y"], &[vec!["<i>".into(), "2".into()]]);
        assert!(html.contains("<th scope=\"row\">&lt;i&gt;</th><td>2</td>"));
        assert!(html.contains("<caption>a&lt;b</caption>") && html.contains("x&amp;y"));
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shorten("größe", 5), "größe");
        assert_eq!(shorten("größer", 5), "größ…");
    }
}
