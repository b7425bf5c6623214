//! Predictions that are kept while trajectories are collected, so that another metric can be evaluated on them later
//! without the network.
//!
//! Kept is what the task emitted for every observed adapter on each observation fold, and for `phi_0` on the whole
//! validation split and on the folds of the acceptance test. Any other part is made from these: the whole of any
//! adapter by joining its folds along the first axis, another number of folds by cutting the whole where
//! [`Part::indices`] says. Joining is tried on `phi_0`, whose whole is known: a task for which it does not give the
//! same numbers, but for rounding, keeps nothing. Cutting takes tensors with one row a unit.

mod columns;

use metricopt_sdk::{Error, Part, Result, Rows, Split, Views};
use safetensors::{SafeTensors, tensor::TensorView};
use std::collections::HashMap;

use super::memory::{Key, values_key};
use crate::numbers::{Numbers, OwnedTensor};
use columns::Columns;
pub use columns::Entry;

/// The predictions of some adapters on a part of the validation split.
#[derive(Clone, Debug, PartialEq)]
struct Sheet {
    part: Part,
    /// Places of the adapters in the common list.
    of: Vec<usize>,
    columns: Columns,
}

/// Takes predictions as they come.
#[derive(Debug)]
pub struct Keeper {
    limit: usize,
    bytes: usize,
    phis: Vec<Vec<f32>>,
    places: HashMap<Key, usize>,
    sheets: Vec<Sheet>,
    /// Why nothing is kept.
    closed: Option<String>,
}

impl Keeper {
    /// One that keeps at most so many mebibytes.
    pub fn new(mebibytes: usize) -> Self {
        Self {
            limit: mebibytes.saturating_mul(1 << 20),
            bytes: 0,
            phis: Vec::new(),
            places: HashMap::new(),
            sheets: Vec::new(),
            closed: None,
        }
    }

    /// Whether it still takes any.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Adds the predictions of adapters on a part. Where they do not fit, or cannot be kept, all are given up.
    pub fn add(&mut self, phis: &[impl AsRef<[f32]>], part: Part, predictions: Vec<Emitted>) {
        if let Err(error) = self.try_add(phis, part, predictions) {
            self.close(error.to_string());
        } else if self.bytes > self.limit {
            self.close(format!(
                "they take more than the {} MiB of `observation.keep_predictions_mib`",
                self.limit.div_ceil(1 << 20)
            ));
        }
    }

    fn try_add(
        &mut self,
        phis: &[impl AsRef<[f32]>],
        part: Part,
        predictions: Vec<Emitted>,
    ) -> Result<()> {
        let at = self.sheets.iter().position(|sheet| sheet.part == part);
        let at = at.unwrap_or_else(|| {
            self.sheets.push(Sheet {
                part,
                of: Vec::new(),
                columns: Columns::default(),
            });
            self.sheets.len() - 1
        });
        for (phi, tensors) in phis.iter().zip(predictions) {
            let phi = phi.as_ref();
            let place = *self.places.entry(name_of(phi)).or_insert_with(|| {
                self.phis.push(phi.to_vec());
                self.phis.len() - 1
            });
            let sheet = &mut self.sheets[at];
            // Trajectories that meet again share their predictions.
            if !sheet.of.contains(&place) {
                sheet.of.push(place);
                self.bytes += sheet.columns.push(tensors)?;
            }
        }
        Ok(())
    }

    /// Gives up all that was kept, and takes no more.
    pub fn close(&mut self, reason: String) {
        *self = Self {
            closed: Some(reason),
            ..Self::new(0)
        };
    }

    /// What was kept for adapters on that many observation folds, of a validation split of so many units; or why
    /// nothing was.
    pub fn finish(self, folds: usize, units: usize) -> std::result::Result<Predictions, String> {
        match self.closed {
            Some(reason) => Err(reason),
            None => Predictions::new(self.phis, self.sheets, folds, units),
        }
    }
}

/// The tensors of one prediction, sorted by name.
pub type Emitted = Vec<OwnedTensor>;

/// Copies what a task emitted for one adapter.
///
/// # Errors
///
/// If a tensor has a type of number that this host does not know.
pub fn copy(views: &Views<'_>) -> Result<Emitted> {
    let copies: Result<Emitted> = views.tensors().iter().map(OwnedTensor::copy).collect();
    let mut copies = copies?;
    copies.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(copies)
}

/// Predictions of several adapters on the same rows as one answer to remember.
///
/// # Errors
///
/// If they do not fit together.
pub fn encode(predictions: &[Emitted]) -> Result<Vec<u8>> {
    let mut columns = Columns::default();
    for tensors in predictions {
        columns.push(tensors.clone())?;
    }
    let entries = columns.entries("p");
    let views: std::result::Result<Vec<_>, _> = entries
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect();
    views
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error: safetensors::SafeTensorError| {
            Error::failed(format!("cannot keep predictions: {error}"))
        })
}

/// The predictions of an answer, if it holds those of so many adapters.
pub fn decode(answer: &[u8], count: usize) -> Option<Vec<Emitted>> {
    let file = SafeTensors::deserialize(answer).ok()?;
    let columns = Columns::read(&file, "p", count)?;
    (0..count).map(|candidate| columns.get(candidate)).collect()
}

/// The kept predictions of one run.
#[derive(Clone, Debug)]
pub struct Predictions {
    phis: Vec<Vec<f32>>,
    sheets: Vec<Sheet>,
    /// Observation folds, of which the whole of an adapter is joined.
    folds: usize,
    units: usize,
    /// Where an adapter stands: sheet and place in it.
    index: HashMap<Key, (usize, usize)>,
    /// Whether there is one row a unit, so that the whole can be cut into any folds.
    by_rows: bool,
}

impl Predictions {
    /// Checks that the whole can be joined from folds.
    fn new(
        phis: Vec<Vec<f32>>,
        sheets: Vec<Sheet>,
        folds: usize,
        units: usize,
    ) -> std::result::Result<Self, String> {
        let names = |sheet: &Sheet| -> Vec<String> {
            let columns = sheet.columns.0.iter();
            columns.map(|column| column.name.clone()).collect()
        };
        if sheets
            .windows(2)
            .any(|pair| names(&pair[0]) != names(&pair[1]))
        {
            return Err("there are other tensors on other rows".to_owned());
        }
        let mut index = HashMap::new();
        for (at, sheet) in sheets.iter().enumerate() {
            for (candidate, &place) in sheet.of.iter().enumerate() {
                let phi = phis.get(place).ok_or("an adapter is missing")?;
                index.insert(key(phi, sheet.part), (at, candidate));
            }
        }
        let mut this = Self {
            folds,
            units,
            index,
            by_rows: false,
            sheets,
            phis,
        };
        let pretrained = vec![0.0; this.phis.first().map_or(0, Vec::len)];
        let whole = this.exact(&pretrained, Part::All);
        let (Some(whole), Some(joined)) = (whole, this.joined(&pretrained)) else {
            return Err(format!(
                "those of the pre-trained network on {folds} folds and on the whole are not both there"
            ));
        };
        let same = whole.len() == joined.len();
        if !same || !whole.iter().zip(&joined).all(|(a, b)| a.is_close(b)) {
            return Err(format!(
                "those on {folds} folds put together are not those on the whole validation split"
            ));
        }
        this.by_rows = whole
            .iter()
            .all(|tensor| tensor.shape.first() == Some(&units));
        Ok(this)
    }

    /// Number of adapters.
    pub fn count(&self) -> usize {
        self.phis.len()
    }

    /// What the network predicts for an adapter on a part of the validation split, if that is known.
    pub fn find(&self, phi: &[f32], part: Part) -> Option<Emitted> {
        self.exact(phi, part).or_else(|| match part {
            Part::All => self.joined(phi),
            Part::Fold { .. } if self.by_rows => {
                let whole = self.exact(phi, Part::All).or_else(|| self.joined(phi))?;
                let rows = part.indices(self.units);
                let (first, last) = (*rows.first()? as usize, *rows.last()? as usize);
                let cut = whole.iter().map(|tensor| tensor.rows(first, last + 1));
                cut.collect()
            }
            _ => None,
        })
    }

    fn exact(&self, phi: &[f32], part: Part) -> Option<Emitted> {
        let &(sheet, candidate) = self.index.get(&key(phi, part))?;
        self.sheets[sheet].columns.get(candidate)
    }

    /// The folds of an adapter, put together.
    fn joined(&self, phi: &[f32]) -> Option<Emitted> {
        let count = self.folds;
        let mut whole = self.exact(phi, Part::Fold { index: 0, count })?;
        for index in 1..count {
            let more = self.exact(phi, Part::Fold { index, count })?;
            let fits = whole.len() == more.len()
                && whole
                    .iter_mut()
                    .zip(&more)
                    .all(|(top, below)| top.append(below));
            if !fits {
                return None;
            }
        }
        Some(whole)
    }

    /// What goes into a file; `place` finds an adapter among the trajectories, `[k, t]`.
    ///
    /// # Errors
    ///
    /// If an adapter is neither there nor `phi_0`.
    pub fn entries(&self, place: impl Fn(&[f32]) -> Option<[usize; 2]>) -> Result<Vec<Entry>> {
        let mut places = Vec::with_capacity(2 * self.phis.len());
        for phi in &self.phis {
            match place(phi) {
                Some(at) => places.extend(at.map(|at| at as i64)),
                None if phi.iter().all(|&x| x == 0.0) => places.extend([-1, -1]),
                None => {
                    return Err(Error::failed(
                        "predictions of an adapter that is on no trajectory",
                    ));
                }
            }
        }
        let i64s = |name: &str, shape: &[usize], values: Vec<i64>| {
            let (dtype, bytes) = Numbers::I64(values).to_bytes();
            (name.to_owned(), dtype, shape.to_vec(), bytes)
        };
        let mut entries = vec![
            i64s("places", &[self.phis.len(), 2], places),
            i64s("folds", &[1], vec![self.folds as i64]),
            i64s("units", &[1], vec![self.units as i64]),
        ];
        for sheet in &self.sheets {
            let name = part_name(sheet.part);
            let of = sheet.of.iter().map(|&at| at as i64).collect();
            entries.push(i64s(&format!("adapters/{name}"), &[sheet.of.len()], of));
            entries.extend(sheet.columns.entries(&name));
        }
        Ok(entries)
    }

    /// The reverse of [`entries`](Self::entries); `point` is the adapter of a trajectory `k` at step `t`, of
    /// `dimensions` numbers.
    ///
    /// # Errors
    ///
    /// What does not fit, in words.
    pub fn read(
        file: &SafeTensors<'_>,
        dimensions: usize,
        point: impl Fn(usize, usize) -> Option<Vec<f32>>,
    ) -> std::result::Result<Self, String> {
        let integers = |name: &str| -> std::result::Result<Vec<i64>, String> {
            let view = file
                .tensor(name)
                .map_err(|_| format!("no tensor `{name}`"))?;
            match Numbers::read(view.dtype(), view.data()) {
                Some(Numbers::I64(values)) => Ok(values),
                _ => Err(format!("tensor `{name}` is {:?}", view.dtype())),
            }
        };
        let number = |name: &str| -> std::result::Result<usize, String> {
            match integers(name)?[..] {
                [value] => usize::try_from(value).map_err(|_| format!("`{name}` is {value}")),
                _ => Err(format!("tensor `{name}` holds not one value")),
            }
        };
        let mut phis = Vec::new();
        for at in integers("places")?.chunks(2) {
            let phi = match *at {
                [-1, -1] => Some(vec![0.0; dimensions]),
                [k, t] => usize::try_from(k)
                    .ok()
                    .zip(usize::try_from(t).ok())
                    .and_then(|(k, t)| point(k, t)),
                _ => None,
            };
            phis.push(phi.ok_or("an adapter is on no trajectory")?);
        }
        let names = file.names().into_iter();
        let mut names: Vec<&str> = names
            .filter_map(|name| name.strip_prefix("adapters/"))
            .collect();
        names.sort_unstable();
        let mut sheets = Vec::with_capacity(names.len());
        for name in names {
            let part = parse_part(name).ok_or_else(|| format!("no part of a split: `{name}`"))?;
            let of: Option<Vec<usize>> = integers(&format!("adapters/{name}"))?
                .into_iter()
                .map(|at| usize::try_from(at).ok())
                .collect();
            let of = of.ok_or_else(|| format!("the adapters of `{name}` are no places"))?;
            let columns = Columns::read(file, name, of.len())
                .ok_or_else(|| format!("the tensors of `{name}` do not fit together"))?;
            sheets.push(Sheet { part, of, columns });
        }
        Self::new(phis, sheets, number("folds")?, number("units")?)
    }
}

fn name_of(phi: &[f32]) -> Key {
    key(phi, Part::All)
}

/// Names an adapter on a part of the validation split. A start without deviation holds zeros of either sign: it is
/// `phi_0` all the same.
pub(super) fn key(phi: &[f32], part: Part) -> Key {
    let unsigned: Vec<f32> = phi.iter().map(|x| x + 0.0).collect();
    let split = Split::Validation;
    values_key(&[unsigned], &Rows { split, part })
}

fn part_name(part: Part) -> String {
    match part {
        Part::All => "all".to_owned(),
        Part::Fold { index, count } => format!("fold.{index}.{count}"),
        Part::Sample { seed, size } => format!("sample.{seed}.{size}"),
    }
}

fn parse_part(name: &str) -> Option<Part> {
    let mut words = name.split('.');
    let part = match (words.next()?, words.next(), words.next()) {
        ("all", None, None) => Part::All,
        ("fold", Some(index), Some(count)) => Part::Fold {
            index: index.parse().ok()?,
            count: count.parse().ok()?,
        },
        ("sample", Some(seed), Some(size)) => Part::Sample {
            seed: seed.parse().ok()?,
            size: size.parse().ok()?,
        },
        _ => return None,
    };
    words.next().is_none().then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [i64; 6] = [0, 1, 1, 0, 1, 0];

    /// What a network would emit: the score of a row is the adapter plus the row.
    fn emitted(phi: f32, part: Part) -> Emitted {
        let rows = part.indices(6);
        let labels = rows.iter().map(|&row| LABELS[row as usize]).collect();
        let scores = rows.iter().map(|&row| phi + row as f32).collect();
        let tensor = |name: &str, numbers| OwnedTensor {
            name: name.to_owned(),
            shape: vec![rows.len()],
            numbers,
        };
        vec![
            tensor("labels", Numbers::I64(labels)),
            tensor("scores", Numbers::F32(scores)),
        ]
    }

    fn fold(index: usize, count: usize) -> Part {
        Part::Fold { index, count }
    }

    fn keeper(limit: usize) -> Keeper {
        let mut keeper = Keeper::new(limit);
        keeper.add(&[[0.0]], Part::All, vec![emitted(0.0, Part::All)]);
        for index in 0..2 {
            let part = fold(index, 2);
            let group = |phis: [f32; 2]| phis.map(|phi| emitted(phi, part)).to_vec();
            // A zero of the other sign is the same adapter.
            keeper.add(&[[-0.0], [0.5]], part, group([0.0, 0.5]));
            keeper.add(&[[0.5], [2.0]], part, group([0.5, 2.0]));
        }
        keeper
    }

    #[test]
    fn any_part_of_any_adapter_is_what_the_network_would_say() {
        let kept = keeper(1).finish(2, 6).unwrap();
        assert_eq!(kept.count(), 3);
        for phi in [0.0, 0.5, 2.0] {
            for part in [Part::All, fold(1, 2), fold(0, 3), fold(2, 3), fold(5, 6)] {
                assert_eq!(kept.find(&[phi], part).unwrap(), emitted(phi, part));
            }
        }
        assert!(kept.find(&[3.0], Part::All).is_none());
        let sample = Part::Sample { seed: 1, size: 2 };
        assert!(kept.find(&[0.0], sample).is_none());
        // Labels stand there once, however many adapters.
        let labels = &kept.sheets[1].columns.0[0];
        assert_eq!((labels.tensors.len(), &labels.of[..]), (1, &[0, 0, 0][..]));
    }

    #[test]
    fn a_file_gives_back_what_went_in() {
        let kept = keeper(1).finish(2, 6).unwrap();
        let points = [0.5_f32, 2.0];
        let place = |phi: &[f32]| Some([0, points.iter().position(|x| phi[0] == *x)?]);
        let entries = kept.entries(place).unwrap();
        let views = entries.iter().map(|(name, dtype, shape, bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
        let file = safetensors::serialize(views, None).unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        let point = |k: usize, t: usize| (k == 0).then(|| points.get(t).map(|&x| vec![x]))?;
        let read = Predictions::read(&file, 1, point).unwrap();
        for part in [Part::All, fold(1, 2), fold(0, 3)] {
            assert_eq!(read.find(&[2.0], part), kept.find(&[2.0], part));
        }
        let error = Predictions::read(&file, 1, |_, _| None).unwrap_err();
        assert_eq!(error, "an adapter is on no trajectory");
    }

    #[test]
    fn too_much_is_not_kept_at_all() {
        let keeper = keeper(0);
        assert!(!keeper.is_open());
        let reason = keeper.finish(2, 6).unwrap_err();
        assert_eq!(
            reason,
            "they take more than the 0 MiB of `observation.keep_predictions_mib`"
        );
    }

    #[test]
    fn folds_that_do_not_make_up_the_whole_are_not_kept() {
        let mut keeper = keeper(1);
        // A task whose scores depend on what else is predicted.
        keeper.sheets[0].columns = Columns::default();
        let odd = emitted(1.0, Part::All);
        keeper.sheets[0].columns.push(odd).unwrap();
        let reason = keeper.finish(2, 6).unwrap_err();
        assert!(reason.contains("are not those on the whole"), "{reason}");
    }

    #[test]
    fn answers_come_back() {
        let group = [0.0, 0.5].map(|phi| emitted(phi, Part::All)).to_vec();
        let answer = encode(&group).unwrap();
        assert_eq!(decode(&answer, 2).unwrap(), group);
        assert!(decode(&answer, 3).is_none());
        assert!(decode(&answer[..40], 2).is_none());
    }
}
