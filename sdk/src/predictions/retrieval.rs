//! Embeddings and labels.

use super::{Kind, Predictions, check_finite, check_shape};
use crate::{Error, Result, View, Views};

/// Embeddings of `N` items with the class of each, and of `Q` queries where these are not the items themselves.
///
/// Without queries of its own each item is a query to all the others, or only the items at some rows are: then they search
/// all items but themselves, which is how a part of the items is looked at without making the search easier.
///
/// ```
/// use metricopt_sdk::Retrieval;
///
/// let input = Retrieval::new(&[1.0, 0.0, 0.0, 1.0], 2, &[7, 7])?;
/// assert_eq!((input.len(), input.dimensions()), (2, 2));
/// let split = input.with_queries(&[0.5, 0.5], &[7])?;
/// assert_eq!(split.query_labels(), Some(&[7][..]));
/// let first = input.with_query_rows(&[0])?;
/// assert_eq!(first.query_rows(), Some(&[0][..]));
/// # Ok::<(), metricopt_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Retrieval<'a> {
    items: Items<'a>,
    queries: Queries<'a>,
    dimensions: usize,
}

/// What the items are searched for.
#[derive(Clone, Copy, Debug)]
enum Queries<'a> {
    /// Each item.
    All,
    /// The items at these rows.
    Rows(&'a [i64]),
    /// Others.
    Own(Items<'a>),
}

#[derive(Clone, Copy, Debug)]
struct Items<'a> {
    embeddings: &'a [f32],
    labels: &'a [i64],
}

impl<'a> Items<'a> {
    fn new(
        [embeddings_name, labels_name]: [&str; 2],
        embeddings: &'a [f32],
        dimensions: usize,
        labels: &'a [i64],
    ) -> Result<Self> {
        if dimensions == 0 {
            return Err(Error::data(format!(
                "tensor `{embeddings_name}` has no columns"
            )));
        }
        if labels.len().checked_mul(dimensions) != Some(embeddings.len()) {
            return Err(Error::data(format!(
                "tensor `{embeddings_name}` has {} rows, `{labels_name}` has {}",
                embeddings.len() / dimensions,
                labels.len()
            )));
        }
        check_finite(embeddings_name, embeddings)?;
        Ok(Self { embeddings, labels })
    }
}

/// Names of the tensors of the items, and of the queries.
const ITEMS: [&str; 2] = ["embeddings", "labels"];
const QUERIES: [&str; 2] = ["query_embeddings", "query_labels"];
const ROWS: &str = "query_rows";

impl<'a> Retrieval<'a> {
    /// Embeddings `[N, dimensions]`, row-major, and labels `[N]`.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit or an embedding is not finite.
    pub fn new(embeddings: &'a [f32], dimensions: usize, labels: &'a [i64]) -> Result<Self> {
        Ok(Self {
            items: Items::new(ITEMS, embeddings, dimensions, labels)?,
            queries: Queries::All,
            dimensions,
        })
    }

    /// The items as a gallery that is searched for other queries: embeddings `[Q, dimensions]`, row-major, and labels
    /// `[Q]`.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit or an embedding is not finite.
    pub fn with_queries(self, embeddings: &'a [f32], labels: &'a [i64]) -> Result<Self> {
        let queries = Items::new(QUERIES, embeddings, self.dimensions, labels)?;
        Ok(Self {
            queries: Queries::Own(queries),
            ..self
        })
    }

    /// Only the items at these rows are queries, each to all other items; a row that stands there twice counts twice.
    ///
    /// # Errors
    ///
    /// If there is no such row.
    pub fn with_query_rows(self, rows: &'a [i64]) -> Result<Self> {
        let exists = |&row: &i64| usize::try_from(row).is_ok_and(|row| row < self.len());
        if let Some(at) = rows.iter().position(|row| !exists(row)) {
            return Err(Error::data(format!(
                "tensor `{ROWS}` holds {} at element {at}, and there are {} items",
                rows[at],
                self.len()
            )));
        }
        Ok(Self {
            queries: Queries::Rows(rows),
            ..self
        })
    }

    /// Number of items `N`.
    pub fn len(&self) -> usize {
        self.items.labels.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.items.labels.is_empty()
    }

    /// Length of an embedding `D`.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The embeddings, row-major `[N, D]`.
    pub fn embeddings(&self) -> &'a [f32] {
        self.items.embeddings
    }

    /// The class of each item, any integers.
    pub fn labels(&self) -> &'a [i64] {
        self.items.labels
    }

    /// The embeddings of the queries, row-major `[Q, D]`; none if items are the queries.
    pub fn query_embeddings(&self) -> Option<&'a [f32]> {
        match self.queries {
            Queries::Own(queries) => Some(queries.embeddings),
            _ => None,
        }
    }

    /// The class of each query; none if items are the queries.
    pub fn query_labels(&self) -> Option<&'a [i64]> {
        match self.queries {
            Queries::Own(queries) => Some(queries.labels),
            _ => None,
        }
    }

    /// The rows of the items that are queries; none if all are, or none is.
    pub fn query_rows(&self) -> Option<&'a [i64]> {
        match self.queries {
            Queries::Rows(rows) => Some(rows),
            _ => None,
        }
    }
}

/// Number of columns of two tensors that belong together.
fn columns(
    names: [&str; 2],
    embeddings: &View<'_>,
    labels: &View<'_>,
    length: &str,
) -> Result<usize> {
    let &[rows, dimensions] = embeddings.shape() else {
        return Err(Error::data(format!(
            "tensor `{}` has shape {:?}, expected [{length}, D]",
            names[0],
            embeddings.shape()
        )));
    };
    check_shape(names[1], labels.shape(), &[rows])?;
    Ok(dimensions)
}

impl<'a> Predictions<'a> for Retrieval<'a> {
    const KIND: Kind = Kind::Retrieval;

    fn from_views(views: &Views<'a>) -> Result<Self> {
        let [embeddings, labels] = [views.get(ITEMS[0])?, views.get(ITEMS[1])?];
        let dimensions = columns(ITEMS, embeddings, labels, "N")?;
        let items = Self::new(embeddings.f32()?, dimensions, labels.i64()?)?;
        let own = QUERIES.iter().any(|name| views.find(name).is_some());
        if let Some(rows) = views.find(ROWS) {
            let &[_] = rows.shape() else {
                return Err(Error::data(format!(
                    "tensor `{ROWS}` has shape {:?}, expected [Q]",
                    rows.shape()
                )));
            };
            if own {
                return Err(Error::data(format!(
                    "there are both `{ROWS}` and `{}`: queries are items or others",
                    QUERIES[0]
                )));
            }
            return items.with_query_rows(rows.i64()?);
        }
        if !own {
            return Ok(items);
        }
        // One of the two alone is a mistake.
        let [embeddings, labels] = [views.get(QUERIES[0])?, views.get(QUERIES[1])?];
        let of_queries = columns(QUERIES, embeddings, labels, "Q")?;
        if of_queries != dimensions {
            return Err(Error::data(format!(
                "tensor `{}` has {of_queries} columns, `{}` has {dimensions}",
                QUERIES[0], ITEMS[0]
            )));
        }
        items.with_queries(embeddings.f32()?, labels.i64()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Data;

    fn refusal(tensors: &[(&str, &[usize], Data<'_>)]) -> String {
        let views: Vec<_> = tensors
            .iter()
            .map(|&(name, shape, data)| View::new(name, shape, data).unwrap())
            .collect();
        let items: [(&str, &[usize], Data<'_>); 2] = [
            ("embeddings", &[2, 2], Data::F32(&[0.0, 1.0, 2.0, 3.0])),
            ("labels", &[2], Data::I64(&[-1, 5])),
        ];
        let items = items.map(|(name, shape, data)| View::new(name, shape, data).unwrap());
        let all = [&items[..], &views].concat();
        Retrieval::from_views(&Views::new(&all))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn queries_that_do_not_fit() {
        let embeddings: (&str, &[usize], Data<'_>) =
            ("query_embeddings", &[1, 2], Data::F32(&[0.0, 1.0]));
        assert_eq!(
            refusal(&[embeddings]),
            "tensor `query_labels` is missing; there are `embeddings`, `labels`, `query_embeddings`"
        );
        assert_eq!(
            refusal(&[("query_labels", &[1], Data::I64(&[5]))]),
            "tensor `query_embeddings` is missing; there are `embeddings`, `labels`, `query_labels`"
        );
        assert_eq!(
            refusal(&[
                ("query_embeddings", &[1, 3], Data::F32(&[0.0; 3])),
                ("query_labels", &[1], Data::I64(&[5]))
            ]),
            "tensor `query_embeddings` has 3 columns, `embeddings` has 2"
        );
        assert_eq!(
            refusal(&[
                ("query_embeddings", &[2], Data::F32(&[0.0; 2])),
                ("query_labels", &[1], Data::I64(&[5]))
            ]),
            "tensor `query_embeddings` has shape [2], expected [Q, D]"
        );
        assert_eq!(
            refusal(&[embeddings, ("query_labels", &[2], Data::I64(&[5, 5]))]),
            "tensor `query_labels` has shape [2], expected [1]"
        );
        assert_eq!(
            refusal(&[
                (
                    "query_embeddings",
                    &[1, 2],
                    Data::F32(&[0.0, f32::INFINITY])
                ),
                ("query_labels", &[1], Data::I64(&[5]))
            ]),
            "tensor `query_embeddings` holds inf at element 1"
        );
        for (rows, at) in [(&[1, 2][..], "2 at element 1"), (&[-1], "-1 at element 0")] {
            assert_eq!(
                refusal(&[("query_rows", &[rows.len()], Data::I64(rows))]),
                format!("tensor `query_rows` holds {at}, and there are 2 items")
            );
        }
        assert_eq!(
            refusal(&[("query_rows", &[1, 1], Data::I64(&[0]))]),
            "tensor `query_rows` has shape [1, 1], expected [Q]"
        );
        assert_eq!(
            refusal(&[
                embeddings,
                ("query_labels", &[1], Data::I64(&[5])),
                ("query_rows", &[1], Data::I64(&[0]))
            ]),
            "there are both `query_rows` and `query_embeddings`: queries are items or others"
        );
    }
}
