//! Exact search: the ranks of the relevant items for every query, tile by tile.
//!
//! Memory is that of one packed copy of the embeddings, and for each thread a block of queries with the relevant items
//! of each: never queries by items. A block first meets the items of its own classes, which tells how near an item must be
//! to matter, and then all items.

use metricopt_sdk::{Call, Result, Retrieval};
use pulp::Arch;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Distance;
use super::classes::{Classes, Query};
use super::panels::{self, ITEMS, QUERIES, Tile};
use super::ranking::{Ranking, Seen, Wanted};

/// Groups of queries in a block: with 512 components a block takes 200 KB, which a level-2 cache holds.
const GROUPS: usize = 8;
/// Queries of a block.
const BLOCK: usize = GROUPS * QUERIES;

/// A metric as the mean over the queries of a number that follows from the ranks of the relevant items.
pub(super) trait ByRanks: Sync + Sized {
    /// The distance that ranks.
    fn distance(&self) -> Distance;

    /// The ranks that are needed of a query with so many relevant items.
    fn wanted(&self, relevant: usize) -> Wanted;

    /// The number of a query with so many relevant items: `ranks` has the wanted ones, from 0 on, ascending.
    fn score(&self, ranks: impl Iterator<Item = usize>, relevant: usize) -> f64;

    /// The value of one input, on this thread.
    fn value(&self, input: Retrieval<'_>) -> Result<f64> {
        let call = Call {
            threads: 1,
            cancelled: &|| false,
        };
        let classes = Classes::new(&input)?;
        mean(self, &input, &classes, &call, &mut Buffers::default())
    }

    /// The score of each query that has something to find, with its row, in the order in which they are added up.
    fn of_queries(&self, input: Retrieval<'_>, call: &Call<'_>) -> Result<Vec<(usize, f64)>> {
        let classes = Classes::new(&input)?;
        let scores = scores(self, &input, &classes, call, &mut Buffers::default())?;
        let rows = classes.queries.iter().map(|query| query.row);
        Ok(rows.zip(scores).collect())
    }

    /// The values of several inputs; those with the same labels share all that depends on labels alone, and all share the
    /// buffers.
    fn values(&self, inputs: &[Retrieval<'_>], call: &Call<'_>) -> Result<Vec<f64>> {
        let mut shared: Option<Classes<'_>> = None;
        let mut buffers = Buffers::default();
        let each = inputs.iter().map(|input| {
            let classes = match shared.take().filter(|classes| classes.fit(input)) {
                Some(classes) => classes,
                None => Classes::new(input)?,
            };
            mean(self, input, shared.insert(classes), call, &mut buffers)
        });
        each.collect()
    }
}

/// The mean of the scores of the queries that have something to find.
fn mean<M: ByRanks>(
    metric: &M,
    input: &Retrieval<'_>,
    classes: &Classes<'_>,
    call: &Call<'_>,
    buffers: &mut Buffers,
) -> Result<f64> {
    let scores = scores(metric, input, classes, call, buffers)?;
    // In the order of the classes, on one thread: the same bits however the blocks were shared out.
    Ok(scores.iter().sum::<f64>() / scores.len() as f64)
}

/// Memory that one search leaves to the next.
#[derive(Default)]
struct Buffers {
    /// The gallery in panels.
    gallery: Vec<f32>,
    /// One for each thread.
    blocks: Vec<Block>,
}

/// The scores of all queries that have something to find, in the order of their classes.
fn scores<M: ByRanks>(
    metric: &M,
    input: &Retrieval<'_>,
    classes: &Classes<'_>,
    call: &Call<'_>,
    buffers: &mut Buffers,
) -> Result<Vec<f64>> {
    let dimensions = input.dimensions();
    let scaling = metric.distance().scaling(input);
    let items = classes.gallery.iter();
    let items = items.map(|&row| embedding(input.embeddings(), row, dimensions));
    panels::pack(&mut buffers.gallery, items, dimensions, ITEMS, scaling);

    let mut scores = vec![0.0; classes.queries.len()];
    let threads = call
        .threads
        .clamp(1, classes.queries.len().div_ceil(BLOCK).max(1));
    buffers.blocks.resize_with(threads, Block::default);
    let gallery = Gallery {
        arch: Arch::new(),
        distance: metric.distance(),
        dimensions,
        panels: &buffers.gallery,
        rows: &classes.gallery,
    };
    let embeddings = input.query_embeddings().unwrap_or(input.embeddings());
    let work = classes.queries.chunks(BLOCK).zip(scores.chunks_mut(BLOCK));
    let work = Mutex::new(work);
    let run = |block: &mut Block| -> Result<()> {
        loop {
            let next = work.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((queries, scores)) = next else {
                return Ok(());
            };
            call.check()?;
            let rows = queries.iter();
            let rows = rows.map(|query| embedding(embeddings, query.row, dimensions));
            panels::pack(&mut block.packed, rows, dimensions, QUERIES, scaling);
            block.search(metric, queries, &gallery);
            for ((query, ranking), score) in queries.iter().zip(&block.rankings).zip(scores) {
                *score = metric.score(ranking.ranks(), query.relevant());
            }
        }
    };
    thread::scope(|scope| {
        let Some((own, others)) = buffers.blocks.split_first_mut() else {
            return Ok(());
        };
        // A thread that cannot be had leaves its share to the others.
        let started: Vec<_> = others
            .iter_mut()
            .filter_map(|block| {
                thread::Builder::new()
                    .spawn_scoped(scope, || run(block))
                    .ok()
            })
            .collect();
        let mut outcome = run(own);
        for thread in started {
            let other = thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            outcome = outcome.and(other);
        }
        outcome
    })?;
    Ok(scores)
}

fn embedding(embeddings: &[f32], row: usize, dimensions: usize) -> &[f32] {
    &embeddings[row * dimensions..][..dimensions]
}

/// What one thread needs for a block of queries.
#[derive(Default)]
struct Block {
    /// The queries in groups.
    packed: Vec<f32>,
    /// The relevant items of each query.
    relevant: Vec<Vec<Seen>>,
    rankings: Vec<Ranking>,
    /// How far items matter to each query, by groups.
    reach: Vec<[f32; QUERIES]>,
}

impl Block {
    /// Finds the ranks of at most [`BLOCK`] queries, which are packed.
    fn search<M: ByRanks>(&mut self, metric: &M, queries: &[Query], gallery: &Gallery<'_>) {
        self.see_relevant(queries, gallery);
        self.rankings.resize_with(queries.len(), Ranking::default);
        self.reach.clear();
        let groups = queries.len().div_ceil(QUERIES);
        self.reach.resize(groups, [f32::NEG_INFINITY; QUERIES]);
        for (at, query) in queries.iter().enumerate() {
            let ranking = &mut self.rankings[at];
            ranking.begin(&mut self.relevant[at], metric.wanted(query.relevant()));
            self.reach[at / QUERIES][at % QUERIES] = ranking.reach();
        }
        self.see_others(queries, gallery);
    }

    /// Collects the relevant items of each query.
    fn see_relevant(&mut self, queries: &[Query], gallery: &Gallery<'_>) {
        self.relevant.resize_with(queries.len(), Vec::new);
        let (Some(first), Some(last)) = (queries.first(), queries.last()) else {
            return;
        };
        let groups = self.packed.chunks_exact(QUERIES * gallery.dimensions);
        for panel in first.class.start / ITEMS..last.class.end.div_ceil(ITEMS) {
            let places = gallery.places(panel);
            let queries = queries.chunks(QUERIES);
            let queries = queries.zip(self.relevant.chunks_mut(QUERIES));
            for (group, (queries, relevant)) in groups.clone().zip(queries) {
                let mut tile = None;
                for (lane, (query, relevant)) in queries.iter().zip(relevant).enumerate() {
                    let from = query.class.start.max(places.start);
                    for place in from..query.class.end.min(places.end) {
                        let tile = tile.get_or_insert_with(|| gallery.tile(group, panel));
                        if query.own != Some(place) {
                            let far = tile[lane][place - places.start];
                            let row = gallery.rows[place];
                            relevant.push(Seen { far, row });
                        }
                    }
                }
            }
        }
    }

    /// Offers every item to each query that it may matter to.
    fn see_others(&mut self, queries: &[Query], gallery: &Gallery<'_>) {
        let groups = self.packed.chunks_exact(QUERIES * gallery.dimensions);
        for panel in 0..gallery.rows.len().div_ceil(ITEMS) {
            for ((at, group), reach) in groups.clone().enumerate().zip(&mut self.reach) {
                if *reach == [f32::NEG_INFINITY; QUERIES] {
                    continue;
                }
                let tile = gallery.tile(group, panel);
                for (lane, reach) in reach.iter_mut().enumerate() {
                    if is_within(&tile[lane], *reach) {
                        let query = at * QUERIES + lane;
                        let ranking = &mut self.rankings[query];
                        gallery.offer(panel, &tile[lane], &queries[query], ranking);
                        *reach = ranking.reach();
                    }
                }
            }
        }
    }
}

/// The packed items.
struct Gallery<'a> {
    arch: Arch,
    distance: Distance,
    dimensions: usize,
    panels: &'a [f32],
    /// The row at each place.
    rows: &'a [usize],
}

impl Gallery<'_> {
    /// The places that a panel holds.
    fn places(&self, panel: usize) -> Range<usize> {
        panel * ITEMS..((panel + 1) * ITEMS).min(self.rows.len())
    }

    fn tile(&self, group: &[f32], panel: usize) -> Tile {
        let size = ITEMS * self.dimensions;
        let panel = &self.panels[panel * size..][..size];
        panels::tile(self.arch, self.distance, group, panel)
    }

    /// Offers the items of other classes to a query, which is so far from those of the panel.
    fn offer(&self, panel: usize, far: &[f32; ITEMS], query: &Query, ranking: &mut Ranking) {
        for (place, &far) in self.places(panel).zip(far) {
            if far <= ranking.reach() && !query.class.contains(&place) {
                let row = self.rows[place];
                ranking.offer(Seen { far, row });
            }
        }
    }
}

/// Whether any item matters to the query.
fn is_within(row: &[f32; ITEMS], reach: f32) -> bool {
    // Without a branch for each item: most rows hold none.
    row.iter().fold(false, |any, &far| any | (far <= reach))
}
