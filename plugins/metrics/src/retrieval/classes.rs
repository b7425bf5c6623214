//! Which items are relevant to which query: all that depends on labels alone, shared by the candidates of a step.

use metricopt_sdk::{Error, Result, Retrieval};
use std::ops::Range;

/// The gallery and the queries, both in the order of their classes, so that what is relevant to a query is one range.
pub(super) struct Classes<'a> {
    labels: &'a [i64],
    query_labels: Option<&'a [i64]>,
    query_rows: Option<&'a [i64]>,
    /// The rows of the items by class, ascending in each; a *place* is a position in it.
    pub(super) gallery: Vec<usize>,
    /// The queries that have something to find, by class.
    pub(super) queries: Vec<Query>,
}

/// A query that has something to find.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// Its row, among the queries.
    pub(super) row: usize,
    /// The places of the items of its class.
    pub(super) class: Range<usize>,
    /// Its own place, if it is an item itself.
    pub(super) own: Option<usize>,
}

impl Query {
    /// Number of items to find.
    pub(super) fn relevant(&self) -> usize {
        self.class.len() - usize::from(self.own.is_some())
    }
}

impl<'a> Classes<'a> {
    /// # Errors
    ///
    /// Undefined if no query has anything to find.
    pub(super) fn new(input: &Retrieval<'a>) -> Result<Self> {
        let labels = input.labels();
        let mut gallery: Vec<usize> = (0..labels.len()).collect();
        // Stable: rows stay ascending.
        gallery.sort_by_key(|&row| labels[row]);
        let query_labels = input.query_labels();
        let query_rows = input.query_rows();
        let queries = match (query_labels, query_rows) {
            (Some(query_labels), _) => with_gallery(labels, &gallery, query_labels),
            (None, None) => leave_one_out(labels, &gallery),
            (None, Some(rows)) => some_left_out(labels, &gallery, rows),
        };
        if queries.is_empty() {
            return Err(match query_labels {
                None if query_rows.is_some() => {
                    Error::undefined("no item at `query_rows` has another one of its class")
                }
                None => Error::undefined("no two items are of one class").hint(
                    "an item is a query only if there is another one of its class: give at least two of a class",
                ),
                Some(_) => Error::undefined("no item is of the class of a query")
                    .hint("check that `labels` and `query_labels` number the classes alike"),
            });
        }
        Ok(Self {
            labels,
            query_labels,
            query_rows,
            gallery,
            queries,
        })
    }

    /// Whether these are the labels of that input too.
    pub(super) fn fit(&self, input: &Retrieval<'_>) -> bool {
        self.labels == input.labels()
            && self.query_labels == input.query_labels()
            && self.query_rows == input.query_rows()
    }
}

/// The ranges of places that share a class.
fn ranges<'a>(labels: &'a [i64], gallery: &'a [usize]) -> impl Iterator<Item = Range<usize>> {
    let runs = gallery.chunk_by(|&a, &b| labels[a] == labels[b]);
    runs.scan(0, |end, run| {
        let start = *end;
        *end += run.len();
        Some(start..*end)
    })
}

fn leave_one_out(labels: &[i64], gallery: &[usize]) -> Vec<Query> {
    ranges(labels, gallery)
        .filter(|class| class.len() > 1)
        .flat_map(|class| {
            class.clone().map(move |own| Query {
                row: gallery[own],
                class: class.clone(),
                own: Some(own),
            })
        })
        .collect()
}

/// As [`leave_one_out`], but only of the items at some rows, each as often as its row stands there.
fn some_left_out(labels: &[i64], gallery: &[usize], rows: &[i64]) -> Vec<Query> {
    let mut times = vec![0; labels.len()];
    for &row in rows {
        times[row as usize] += 1;
    }
    let all = leave_one_out(labels, gallery).into_iter();
    all.flat_map(|query| {
        let times = times[query.row];
        std::iter::repeat_n(query, times)
    })
    .collect()
}

fn with_gallery(labels: &[i64], gallery: &[usize], query_labels: &[i64]) -> Vec<Query> {
    let mut rows: Vec<usize> = (0..query_labels.len()).collect();
    rows.sort_by_key(|&row| query_labels[row]);
    let mut classes = ranges(labels, gallery).peekable();
    let mut queries = Vec::new();
    for row in rows {
        let label = query_labels[row];
        let class_label = |class: &Range<usize>| labels[gallery[class.start]];
        while classes
            .next_if(|class| class_label(class) < label)
            .is_some()
        {}
        if let Some(class) = classes.peek().filter(|class| class_label(class) == label) {
            queries.push(Query {
                row,
                class: class.clone(),
                own: None,
            });
        }
    }
    queries
}
