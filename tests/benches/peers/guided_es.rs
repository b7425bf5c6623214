//! One step of Guided-ES without the objective: the basis of the last gradients, the draws, the estimate.

use metricopt_host::engine::config::EsConfig;
use metricopt_host::engine::guided_es::{GuidingSubspace, search_gradient};
use metricopt_host::engine::random::{normals, stream};
use std::hint::black_box;

use crate::row::Row;

pub(crate) fn rows<'a>() -> Vec<Row<'a>> {
    [
        (400, "D = 400"),
        (2240, "D = 2,240"),
        (20_000, "D = 20,000"),
    ]
    .map(|(dimensions, what)| row(dimensions, what))
    .into()
}

fn row<'a>(dimensions: usize, what: &str) -> Row<'a> {
    let config = EsConfig::default();
    let mut rng = stream(0, "peers", 0);
    let phi = vec![0.0; dimensions];
    let mut subspace = GuidingSubspace::new(config.subspace);
    let gradients: Vec<Vec<f32>> = (0..config.subspace)
        .map(|_| normals(&mut rng, dimensions, 1.0))
        .collect();
    for gradient in &gradients {
        subspace.push(gradient);
    }
    let values: Vec<f64> = (0..2 * config.pairs).map(|i| (i as f64).sin()).collect();
    let mut step = 0;
    Row {
        what: what.to_owned(),
        peer: "evosax",
        target: Some(1.0),
        tolerance: 0.0,
        ours: Box::new(move || {
            subspace.push(&gradients[step % gradients.len()]);
            step += 1;
            let gradient =
                search_gradient(&config, 0.5, &phi, &subspace, &mut rng, |candidates| {
                    black_box(candidates);
                    Ok(values.clone())
                })?;
            black_box(gradient);
            Ok(None)
        }),
    }
}
