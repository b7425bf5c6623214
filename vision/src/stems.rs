//! Activations in front of the first FiLM site, which no adapter changes: computed once, kept where they are used.

use metricopt_sdk::tch::{Device, Tensor, no_grad};
use metricopt_sdk::{Call, Error, Result, SharedTensor};
use rayon::prelude::*;

/// Activations in front of the first FiLM site of all images of a split.
pub struct Stems {
    kept: Kept,
    /// `[channels, height, width]` of one image.
    shape: [usize; 3],
}

enum Kept {
    /// Row-major `[N, height, width, channels]`, so that a run of images is a slice.
    InMemory(Vec<f32>),
    /// f32 `[N, channels, height, width]`: what a step needs of it never leaves the device.
    OnDevice(SharedTensor),
}

impl Stems {
    /// Computes and keeps them: `compute` gives f32 `[n, channels, height, width]` of some images, at most `block` at a time. On
    /// the CPU blocks are shared out among the threads of `pool`.
    ///
    /// # Errors
    ///
    /// Those of `compute` and of libtorch, or that the user asked to stop.
    pub fn keep(
        images: usize,
        block: usize,
        (shape, device): ([usize; 3], Device),
        compute: &(dyn Fn(&[u32]) -> Result<Tensor> + Sync),
        pool: &rayon::ThreadPool,
        call: &Call<'_>,
    ) -> Result<Self> {
        let rows: Vec<u32> = (0..images as u32).collect();
        let of_block = |rows: &[u32]| -> Result<Tensor> {
            call.check()?;
            no_grad(|| compute(rows))
        };
        let kept = if device == Device::Cpu {
            let values_of_block = |rows: &[u32]| -> Result<Vec<f32>> {
                let inner = of_block(rows)?.f_permute([0, 2, 3, 1])?;
                Ok(Vec::try_from(inner.f_contiguous()?.f_reshape([-1])?)?)
            };
            let blocks: Result<Vec<Vec<f32>>> =
                pool.install(|| rows.par_chunks(block).map(values_of_block).collect());
            Kept::InMemory(blocks?.concat())
        } else {
            let blocks: Result<Vec<Tensor>> = rows.chunks(block).map(of_block).collect();
            Kept::OnDevice(SharedTensor::new(Tensor::f_cat(&blocks?, 0)?))
        };
        Ok(Self { kept, shape })
    }

    /// Those of some images, f32 `[n, channels, height, width]`, on the device.
    ///
    /// # Errors
    ///
    /// Those of libtorch, for example if there is no image of a row.
    pub fn rows(&self, rows: &[u32]) -> Result<Tensor> {
        let run = rows.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let run = rows.first().copied().filter(|_| run);
        match &self.kept {
            Kept::InMemory(values) => self.gather(values, rows, run),
            Kept::OnDevice(kept) => {
                let kept = kept.get();
                if let Some(first) = run {
                    return Ok(kept.f_narrow(0, i64::from(first), rows.len() as i64)?);
                }
                let rows: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
                let rows = Tensor::f_from_slice(&rows)?.f_to_device(kept.device())?;
                Ok(kept.f_index_select(0, &rows)?)
            }
        }
    }

    fn gather(&self, values: &[f32], rows: &[u32], run: Option<u32>) -> Result<Tensor> {
        let one = self.shape.iter().product::<usize>();
        let of = |first: u32, count: usize| {
            let start = first as usize * one;
            let found = values.get(start..start + count * one);
            found
                .ok_or_else(|| Error::failed(format!("image {first} and following were asked for")))
        };
        let tensor = match run {
            Some(first) => Tensor::f_from_slice(of(first, rows.len())?)?,
            None => {
                let mut gathered = Vec::with_capacity(rows.len() * one);
                for &row in rows {
                    gathered.extend_from_slice(of(row, 1)?);
                }
                Tensor::f_from_slice(&gathered)?
            }
        };
        let [channels, height, width] = self.shape.map(|extent| extent as i64);
        Ok(tensor
            .f_view([rows.len() as i64, height, width, channels])?
            .f_permute([0, 3, 1, 2])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricopt_sdk::tch::Kind;

    const SHAPE: [usize; 3] = [2, 3, 4];

    /// Of each image numbers of its own.
    fn of_rows(rows: &[u32]) -> Result<Tensor> {
        let numbers = Tensor::f_arange(24, (Kind::Float, Device::Cpu))?.f_view([1, 2, 3, 4])?;
        let rows: Vec<f32> = rows.iter().map(|&row| 100.0 * row as f32).collect();
        Ok(numbers.f_add(&Tensor::f_from_slice(&rows)?.f_view([-1, 1, 1, 1])?)?)
    }

    /// Kept in both ways; the second is that of a GPU, on the CPU.
    fn both() -> [Stems; 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .build()
            .unwrap();
        let call = Call {
            threads: 2,
            cancelled: &|| false,
        };
        let in_memory = Stems::keep(7, 3, (SHAPE, Device::Cpu), &of_rows, &pool, &call).unwrap();
        let all: Vec<u32> = (0..7).collect();
        let on_device = Stems {
            kept: Kept::OnDevice(SharedTensor::new(of_rows(&all).unwrap())),
            shape: SHAPE,
        };
        [in_memory, on_device]
    }

    #[test]
    fn any_rows_are_what_was_computed_however_they_are_kept() {
        for stems in both() {
            for rows in [
                vec![0, 1, 2, 3, 4, 5, 6],
                vec![2, 3],
                vec![5, 1, 1],
                vec![6],
            ] {
                let found = stems.rows(&rows).unwrap();
                let wanted = of_rows(&rows).unwrap();
                assert_eq!(found.size(), wanted.size());
                assert!(found.equal(&wanted), "{rows:?}");
            }
            assert!(stems.rows(&[7]).is_err() && stems.rows(&[9, 1]).is_err());
        }
    }

    #[test]
    fn a_wish_to_stop_is_heard() {
        let pool = rayon::ThreadPoolBuilder::new().build().unwrap();
        let call = Call {
            threads: 1,
            cancelled: &|| true,
        };
        assert!(Stems::keep(7, 3, (SHAPE, Device::Cpu), &of_rows, &pool, &call).is_err());
    }
}
