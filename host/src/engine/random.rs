//! Named random streams: each purpose draws from its own, so that adding draws in one place changes no other.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// The generator of the engine.
pub type Stream = Pcg64Mcg;

/// The seed of stream `index` for a purpose.
pub fn stream_seed(seed: u64, purpose: &str, index: u64) -> u64 {
    // FNV-1a over the parts: a fixed function, unlike the standard library's hashers.
    let bytes = purpose
        .bytes()
        .chain(seed.to_le_bytes())
        .chain(index.to_le_bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Stream `index` for a purpose.
pub fn stream(seed: u64, purpose: &str, index: u64) -> Stream {
    Stream::seed_from_u64(stream_seed(seed, purpose, index))
}

/// `n` draws from `N(0, sd^2)`.
pub fn normals(rng: &mut Stream, n: usize, sd: f64) -> Vec<f32> {
    (0..n)
        .map(|_| {
            let draw: f64 = StandardNormal.sample(rng);
            (sd * draw) as f32
        })
        .collect()
}
