//! Against the definitions taken literally, in `f64`: all distances of a query, fully sorted.

use metricopt_metrics::{Distance, MapAtR, Mrr, Ndcg, RPrecision, RecallAtK};
use metricopt_sdk::{Call, ErrorKind, Metric, Result, Retrieval};

use super::predictions::{Embedded, Rows, generate};
use crate::support::{Lcg, assert_close};

const CASES: u64 = 200;

/// For each query that has something to find whether each item is relevant, the nearest first. None where the distances of
/// different embeddings are so close that `f32` may order them otherwise.
fn reference(input: &Embedded, distance: Distance) -> Option<Vec<Vec<bool>>> {
    let rows = |rows: &'_ Rows| -> Vec<Vec<f64>> {
        let rows = rows.embeddings.chunks(input.dimensions);
        rows.map(|row| row.iter().copied().map(f64::from).collect())
            .collect()
    };
    let gallery = rows(&input.items);
    let asking = input.queries.as_ref().unwrap_or(&input.items);
    let mut lists = Vec::new();
    for (at, (query, label)) in rows(asking).iter().zip(&asking.labels).enumerate() {
        let others = (0..gallery.len()).filter(|&item| input.queries.is_some() || item != at);
        let mut order: Vec<(f64, usize)> = others
            .map(|item| (apart(query, &gallery[item], distance), item))
            .collect();
        order.sort_by(|a, b| a.partial_cmp(b).unwrap());
        for pair in order.windows(2) {
            let [(near, a), (far, b)] = [pair[0], pair[1]];
            if near < far && far - near < 1e-5 * far.abs().max(1.0) && gallery[a] != gallery[b] {
                return None;
            }
        }
        let relevant: Vec<bool> = order
            .iter()
            .map(|&(_, item)| input.items.labels[item] == *label)
            .collect();
        if relevant.contains(&true) {
            lists.push(relevant);
        }
    }
    Some(lists)
}

fn apart(a: &[f64], b: &[f64], distance: Distance) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    match distance {
        Distance::L2 => a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum(),
        Distance::Cosine => {
            let lengths = (product(a, a) * product(b, b)).sqrt();
            1.0 - if lengths > 0.0 {
                product(a, b) / lengths
            } else {
                0.0
            }
        }
    }
}

fn relevant_among(list: &[bool], k: usize) -> f64 {
    list.iter().take(k).filter(|&&hit| hit).count() as f64
}

fn recall(list: &[bool], k: usize) -> f64 {
    f64::from(u8::from(relevant_among(list, k) > 0.0))
}

fn map_at_r(list: &[bool]) -> f64 {
    let r = relevant_among(list, list.len());
    let hits = (1..=r as usize).filter(|i| list[i - 1]);
    hits.map(|i| relevant_among(list, i) / i as f64)
        .sum::<f64>()
        / r
}

fn r_precision(list: &[bool]) -> f64 {
    let r = relevant_among(list, list.len());
    relevant_among(list, r as usize) / r
}

fn reciprocal_rank(list: &[bool]) -> f64 {
    1.0 / (list.iter().position(|&hit| hit).unwrap() + 1) as f64
}

fn ndcg(list: &[bool], k: usize) -> f64 {
    let dcg = |list: &[bool]| -> f64 {
        let gains = list.iter().take(k).zip(2_u32..);
        gains
            .filter(|&(&hit, _)| hit)
            .map(|(_, place)| f64::from(place).log2().recip())
            .sum()
    };
    let mut ideal = list.to_vec();
    ideal.sort_by_key(|&hit| !hit);
    dcg(list) / dcg(&ideal)
}

/// Compares one metric with the mean of `number` over the lists.
fn compare<M>(metric: &M, input: &Embedded, lists: &[Vec<bool>], number: impl Fn(&[bool]) -> f64)
where
    M: for<'a> Metric<Input<'a> = Retrieval<'a>>,
{
    let value = metric.evaluate(input.view());
    if lists.is_empty() {
        assert_eq!(value.unwrap_err().kind(), ErrorKind::Undefined);
        return;
    }
    let expected = lists.iter().map(|list| number(list)).sum::<f64>() / lists.len() as f64;
    assert_close(value.unwrap(), expected, 1e-12, M::NAME);
}

fn compare_all(input: &Embedded, distance: Distance, lists: &[Vec<bool>]) {
    for k in [1, 2, 5, 1000] {
        compare(&RecallAtK { k, distance }, input, lists, |list| {
            recall(list, k)
        });
        compare(&Ndcg { k, distance }, input, lists, |list| ndcg(list, k));
    }
    compare(&MapAtR { distance }, input, lists, map_at_r);
    compare(&RPrecision { distance }, input, lists, r_precision);
    compare(&Mrr { distance }, input, lists, reciprocal_rank);
}

/// A number below `bound`.
fn below(random: &mut Lcg, bound: usize) -> usize {
    (random.bits() as usize * bound) >> 24
}

/// Components that are all 1 or -1 in 1, 4, 16 or 64 dimensions: lengths are powers of two, so that distances are exact
/// and many are equal. Some are longer, by powers of two, and some are zero.
fn signs(random: &mut Lcg, rows: usize, classes: usize, dimensions: usize) -> Rows {
    let mut drawn = Rows::default();
    for _ in 0..rows {
        let length = [0.0, 1.0, 1.0, 1.0, 4.0][below(random, 5)];
        // Few signs vary, so that there are duplicates too.
        let varied = 1 + below(random, 6);
        let signs = (0..dimensions).map(|at| match at < varied && below(random, 2) == 1 {
            true => -length,
            false => length,
        });
        drawn.embeddings.extend(signs);
        drawn.labels.push(below(random, classes) as i64 - 2);
    }
    drawn
}

/// Anywhere, with some rows repeated.
fn anywhere(random: &mut Lcg, rows: usize, classes: usize, dimensions: usize) -> Rows {
    let mut drawn = generate(rows, classes as u64, dimensions, random.bits());
    for _ in 0..rows / 4 {
        let [from, to] = [below(random, rows), below(random, rows)].map(|row| row * dimensions);
        drawn.embeddings.copy_within(from..from + dimensions, to);
    }
    drawn
}

fn draw(case: u64, again: u64) -> Embedded {
    let random = &mut Lcg(case + 1_000_003 * again);
    random.bits();
    // Around the sizes of tiles and blocks.
    let rows = [2, 5, 15, 16, 17, 33, 60, 95, 97, 130][below(random, 10)];
    let most = [2, 6, rows, 2 * rows][below(random, 4)];
    let classes = 1 + below(random, most);
    let exact = case.is_multiple_of(2);
    let dimensions = match exact {
        true => [1, 4, 16, 64][below(random, 4)],
        false => [2, 3, 7, 24][below(random, 4)],
    };
    let mut draw = |rows| match exact {
        true => signs(random, rows, classes, dimensions),
        false => anywhere(random, rows, classes, dimensions),
    };
    let items = draw(rows);
    Embedded {
        dimensions,
        items,
        queries: (case % 4 > 1).then(|| draw(rows / 2 + 1)),
    }
}

#[test]
fn equal_to_a_full_sort_on_random_cases() {
    let (mut ties, mut singletons, mut undefined) = (0, 0, 0);
    for case in 0..CASES {
        for distance in [Distance::Cosine, Distance::L2] {
            let (input, lists) = (0..)
                .find_map(|again| {
                    let input = draw(case, again);
                    reference(&input, distance).map(|lists| (input, lists))
                })
                .unwrap();
            compare_all(&input, distance, &lists);
            let queries = input.queries.as_ref().unwrap_or(&input.items);
            singletons += queries.labels.len() - lists.len();
            undefined += u32::from(lists.is_empty());
            let mut rows: Vec<_> = input.items.embeddings.chunks(input.dimensions).collect();
            let all = rows.len();
            rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
            rows.dedup();
            ties += all - rows.len();
        }
    }
    // The cases are what they are meant to be.
    assert!(
        ties > 1000 && singletons > 1000 && undefined > 2,
        "{ties} {singletons} {undefined}"
    );
}

/// Blocks of queries shared out, classes larger than a block, candidates with other embeddings and with other labels.
#[test]
fn the_same_bits_for_any_number_of_threads_and_candidates() {
    let of = |seed, classes| Embedded {
        dimensions: 5,
        items: generate(700, classes, 5, seed),
        queries: None,
    };
    let mut all = vec![of(1, 3), of(2, 40)];
    let relabelled = |labels: &Embedded, seed| {
        let mut other = of(seed, 9);
        other.items.labels.clone_from(&labels.items.labels);
        other
    };
    all.extend([relabelled(&all[1], 3), relabelled(&all[1], 4)]);
    all.push(of(5, 300).with_queries(&[0.5; 35], &[1, 2, 3, 4, 5, 6, 7]));
    let views: Vec<_> = all.iter().map(Embedded::view).collect();

    fn bits<M>(metric: &M, views: &[Retrieval<'_>])
    where
        M: for<'a> Metric<Input<'a> = Retrieval<'a>>,
    {
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let singly: Result<Vec<f64>> = views.iter().map(|&view| metric.evaluate(view)).collect();
        let singly = bits(singly.unwrap());
        for threads in [1, 2, 3, 8, 1000] {
            let call = Call {
                threads,
                cancelled: &|| false,
            };
            let together = metric.evaluate_many(views, &call).unwrap();
            assert_eq!(bits(together), singly, "{} {threads}", M::NAME);
        }
    }
    bits(&RecallAtK::default(), &views);
    bits(&MapAtR::default(), &views);
    bits(&RPrecision::default(), &views);
    bits(&Mrr::default(), &views);
    bits(&Ndcg::default(), &views);
    for input in &all {
        for distance in [Distance::Cosine, Distance::L2] {
            let by_number = reference(input, distance);
            if let Some(lists) = by_number {
                compare_all(input, distance, &lists);
            }
        }
    }
}

#[test]
fn a_search_can_be_stopped() {
    let input = Embedded {
        dimensions: 3,
        items: generate(500, 20, 3, 1),
        queries: None,
    };
    for threads in [1, 3] {
        let call = Call {
            threads,
            cancelled: &|| true,
        };
        let stopped = Mrr::default().evaluate_many(&[input.view()], &call);
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
    }
}
