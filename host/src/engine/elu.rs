//! Exponential linear units, many at a time.
//!
//! Training the value function asks for some seventy million of them a run. One call of the mathematical library each
//! took a third of that time, and is another function on another system; here vectors of them are computed by the same
//! arithmetic everywhere, without branches.

use pulp::Arch;

/// `z` where it is positive, else `exp(z) - 1` (Clevert et al. 2016, with `alpha = 1`).
pub(super) fn elu(values: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for z in values {
                *z = choose(*z > 0.0, *z, exp_m1_of_negative(*z));
            }
        },
    );
}

/// Slope of [`elu`] where it takes the value `a`.
pub(super) fn elu_slope(a: f32) -> f32 {
    if a > 0.0 { 1.0 } else { a + 1.0 }
}

/// `ln 2` in two parts, the upper one short, so that multiples of it up to 40 are exact.
const LN_2: [f32; 2] = [6.931_381e-1, 9.058_001e-6];

/// Below this, the result is -1 in single precision: `-27 ln 2`.
const LOWEST: f32 = -18.714_973;

/// `exp(x) - 1` for `x <= 0`, within one unit in the last place.
///
/// Argument reduction `x = k ln 2 + r` and the rational approximation of fdlibm's `expm1` (Sun Microsystems 1993),
/// in the same order of operations as its single-precision version: the bits are those of libraries that use it. All cases
/// are computed and one is chosen, so that the compiler makes vectors of it.
#[inline(always)]
fn exp_m1_of_negative(x: f32) -> f32 {
    // 0 and -1 have ranges of their own; the others are rounded to the nearest.
    let nearest = (std::f32::consts::LOG2_E * choose(x < LOWEST, LOWEST, x) - 0.5).trunc();
    let (is_zero, is_one) = (x >= -0.346_573_6, x > -1.039_720_8);
    let k = choose(is_zero, 0.0, choose(is_one, -1.0, nearest));
    let (high, low) = (x - k * LN_2[0], k * LN_2[1]);
    let r = high - low;
    let lost = (high - r) - low;

    let half = 0.5 * r;
    let square = r * half;
    let series = 1.0
        + square
            * (-3.333_333_5e-2
                + square
                    * (1.587_301_6e-3
                        + square
                            * (-7.936_510_7e-5
                                + square * (4.008_217_7e-6 + square * -2.010_992_1e-7))));
    let t = 3.0 - series * half;
    let error = square * ((series - t) / (6.0 - r * t));

    let near_zero = r - (r * error - square);
    let error = (r * (error - lost) - lost) - square;
    let half_way = 0.5 * (r - error) - 0.5;
    // 2^k by its exponent: the sum has the integer 127 + k in its lowest bits.
    let power = f32::from_bits((k + (8_388_608.0 + 127.0)).to_bits() << 23);
    let far = (1.0 - (error - r)) * power - 1.0;
    let value = choose(is_zero, near_zero, choose(is_one, half_way, far));
    choose(x <= LOWEST, -1.0, value)
}

/// `a` if so, else `b`, without a branch.
#[inline(always)]
fn choose(so: bool, a: f32, b: f32) -> f32 {
    let mask = u32::from(so).wrapping_neg();
    f32::from_bits((a.to_bits() & mask) | (b.to_bits() & !mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(z: f32) -> f32 {
        let mut values = [z];
        elu(&mut values);
        values[0]
    }

    /// Distance in units in the last place of the smaller of two numbers of one sign.
    fn steps_between(a: f32, b: f32) -> u32 {
        a.to_bits().abs_diff(b.to_bits())
    }

    #[test]
    fn negative_numbers_are_exact_to_one_step() {
        // Every 997th of the negative numbers, from -0 to minus infinity, and what stands at the borders.
        let all = (0x8000_0000_u32..=0xff80_0000).step_by(997);
        let borders = [0.346_573_6_f32, 1.039_720_8, 18.714_973, 2.980_232_2e-8];
        let around = borders.map(|border| (-border).to_bits());
        let around = around.into_iter().flat_map(|bits| bits - 2..=bits + 2);
        for x in all.chain(around).map(f32::from_bits) {
            let exact = f64::from(x).exp_m1() as f32;
            let found = one(x);
            assert!(
                steps_between(found, exact) <= 1,
                "{x:e}: {found:e} instead of {exact:e}"
            );
        }
    }

    #[test]
    fn positive_numbers_stay_and_what_is_no_number_is_none() {
        for z in [f32::MIN_POSITIVE, 1.0, 1e30, f32::INFINITY] {
            assert_eq!(one(z), z);
        }
        assert_eq!(one(0.0), 0.0);
        assert!(one(f32::NAN).is_nan());
    }

    #[test]
    fn numbers_do_not_depend_on_their_neighbours() {
        let alone: Vec<f32> = (0..100).map(|i| one(0.37 * i as f32 - 25.0)).collect();
        let mut together: Vec<f32> = (0..100).map(|i| 0.37 * i as f32 - 25.0).collect();
        elu(&mut together);
        assert_eq!(alone, together);
    }
}
