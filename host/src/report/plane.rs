//! `report.safetensors`: the plane through the network as it was, the metric on it and the ways across it.

use metricopt_sdk::Result;
use std::path::Path;

use super::sites::{SiteChange, site_changes};
use super::tensors::TensorFile;

/// The plane of the two main directions of the ways across it.
#[derive(Clone, Debug)]
pub struct Plane {
    /// The way of each method, with the share of its last point's length that lies in the plane.
    pub ways: Vec<Way>,
    /// The grid; none if it was switched off or could not be measured.
    pub grid: Option<Grid>,
    /// What the tuned adapter changes, kept or not.
    pub tuned: Vec<SiteChange>,
}

/// The way of a method.
#[derive(Clone, Debug)]
pub struct Way {
    /// The method.
    pub method: String,
    /// Coordinates at the start and at each observation.
    pub points: Vec<(f64, f64)>,
    /// Length of each point outside the plane.
    pub outside: Vec<f64>,
}

/// Values on a grid, row-major from low to high.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Coordinates along the first direction.
    pub x: Vec<f64>,
    /// Coordinates along the second direction.
    pub y: Vec<f64>,
    /// The natural metric.
    pub metric: Vec<f64>,
    /// What the value function predicts, if there is one.
    pub predicted: Option<Vec<f64>>,
    /// Validation rows the metric was measured on.
    pub rows: usize,
}

impl Plane {
    /// Reads `report.safetensors`; none if there is none.
    ///
    /// # Errors
    ///
    /// If the file is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(file) = TensorFile::read(path, "report")? else {
            return Ok(None);
        };
        let mut ways = Vec::new();
        for name in file.names()? {
            if let Some(method) = name.strip_prefix("path.") {
                let array = file.get(&name, 2)?;
                if array.shape.get(1) != Some(&3) {
                    return Err(
                        file.damaged(format!("tensor `{name}` has shape {:?}", array.shape))
                    );
                }
                let rows = array.values.as_chunks::<3>().0;
                ways.push(Way {
                    method: method.to_owned(),
                    points: rows.iter().map(|&[x, y, _]| (x, y)).collect(),
                    outside: rows.iter().map(|&[_, _, outside]| outside).collect(),
                });
            }
        }
        Ok(Some(Self {
            ways,
            grid: read_grid(&file)?,
            tuned: site_changes(&file, "tuned.")?,
        }))
    }
}

fn read_grid(file: &TensorFile) -> Result<Option<Grid>> {
    let Some(metric) = file.find("metric")? else {
        return Ok(None);
    };
    let grid = Grid {
        x: file.get("x", 1)?.values,
        y: file.get("y", 1)?.values,
        metric: metric.values,
        predicted: file.find("predicted")?.map(|array| array.values),
        rows: file.value("rows")?.max(0.0) as usize,
    };
    let cells = grid.x.len() * grid.y.len();
    let fits = |values: &Vec<f64>| values.len() == cells;
    if grid.x.len() < 2
        || grid.y.len() < 2
        || !fits(&grid.metric)
        || !grid.predicted.as_ref().is_none_or(fits)
    {
        return Err(file.damaged("shapes do not fit together"));
    }
    Ok(Some(grid))
}
