//! The inner loops of the convolutions for each instruction set: sums of products of pairs of channels, sixteen images at once.
//!
//! Every set gives the same integers. On x86-64 the plain one is SSE2, which all such processors have; the wider ones are
//! used only where the processor says that it has them. Elsewhere the loops are left to the compiler.
#![allow(
    unsafe_code,
    reason = "calls of functions for instructions that were detected, casts between plain integers"
)]

use super::{LANES, Pairs};

/// Sums of the images.
pub(super) type Sums = [i32; LANES];

/// An instruction set.
///
/// The functions may only be called where the processor has its instructions, which only [`super::Prepared`] does.
pub(super) trait Isa {
    /// Output channels that are computed together, as many as registers hold.
    const OUTPUTS: usize;

    /// Adds to `sums[o]` the products of the pairs at `x[at(i)]` with the weights `w[i][o]`.
    fn add<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], at: &[u32], w: &[[[i16; 2]; O]]);

    /// The same for all of `x` in order.
    fn add_all<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], w: &[[[i16; 2]; O]]);
}

/// What the compiler makes of the definition.
pub(super) struct Plain;

impl Isa for Plain {
    const OUTPUTS: usize = 2;

    #[inline(always)]
    fn add<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], at: &[u32], w: &[[[i16; 2]; O]]) {
        for (&at, w) in at.iter().zip(w) {
            plain(sums, &x[at as usize], w);
        }
    }

    #[inline(always)]
    fn add_all<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], w: &[[[i16; 2]; O]]) {
        for (x, w) in x.iter().zip(w) {
            plain(sums, x, w);
        }
    }
}

#[inline(always)]
fn plain<const O: usize>(sums: &mut [Sums; O], x: &Pairs, w: &[[i16; 2]; O]) {
    for (sums, w) in sums.iter_mut().zip(w) {
        for (sum, x) in sums.iter_mut().zip(x.as_chunks::<2>().0) {
            let products = [0, 1].map(|i| i32::from(x[i]).wrapping_mul(w[i].into()));
            *sum = sum.wrapping_add(products[0]).wrapping_add(products[1]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Isa, LANES, Pairs, Sums};
    use std::arch::x86_64::*;
    use std::mem::transmute;

    /// Defines an instruction set by its features, vector, vectors of sixteen sums, outputs, and how one vector of pairs is
    /// multiplied and added.
    macro_rules! isa {
        ($(#[$doc:meta])* $name:ident, $module:ident, $features:literal, $vector:ty, $vectors:literal, $outputs:literal,
         $splat:ident, |$sum:ident, $x:ident, $w:ident| $add:expr) => {
            $(#[$doc])*
            pub(in super::super) struct $name;

            mod $module {
                use super::*;

                type Vectors = [$vector; $vectors];

                #[inline(always)]
                fn of_sums(sums: Sums) -> Vectors {
                    const { assert!(size_of::<Sums>() == size_of::<Vectors>()) };
                    // SAFETY: both are plain integers of the same size.
                    unsafe { transmute(sums) }
                }

                #[inline(always)]
                fn to_sums(vectors: Vectors) -> Sums {
                    // SAFETY: as above.
                    unsafe { transmute(vectors) }
                }

                #[inline(always)]
                fn of_pairs(pairs: Pairs) -> Vectors {
                    const { assert!(size_of::<Pairs>() == size_of::<Vectors>()) };
                    // SAFETY: as above.
                    unsafe { transmute(pairs) }
                }

                #[target_feature(enable = $features)]
                #[inline]
                fn step<const O: usize>(sums: &mut [Vectors; O], x: &Pairs, w: &[[i16; 2]; O]) {
                    let x = of_pairs(*x);
                    for (sums, w) in sums.iter_mut().zip(w) {
                        let $w = $splat(i32::from(w[0] as u16) | i32::from(w[1]) << 16);
                        for (sum, x) in sums.iter_mut().zip(x) {
                            let ($sum, $x) = (*sum, x);
                            *sum = $add;
                        }
                    }
                }

                #[target_feature(enable = $features)]
                #[inline]
                pub(super) fn add<const O: usize>(
                    sums: &mut [Sums; O],
                    x: &[Pairs],
                    at: &[u32],
                    w: &[[[i16; 2]; O]],
                ) {
                    let mut vectors = sums.map(of_sums);
                    for (&at, w) in at.iter().zip(w) {
                        step(&mut vectors, &x[at as usize], w);
                    }
                    *sums = vectors.map(to_sums);
                }

                #[target_feature(enable = $features)]
                #[inline]
                pub(super) fn add_all<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], w: &[[[i16; 2]; O]]) {
                    let mut vectors = sums.map(of_sums);
                    for (x, w) in x.iter().zip(w) {
                        step(&mut vectors, x, w);
                    }
                    *sums = vectors.map(to_sums);
                }
            }

            impl Isa for $name {
                const OUTPUTS: usize = $outputs;

                #[inline(always)]
                fn add<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], at: &[u32], w: &[[[i16; 2]; O]]) {
                    // SAFETY: the trait asks its callers that the processor has the instructions.
                    unsafe { $module::add(sums, x, at, w) }
                }

                #[inline(always)]
                fn add_all<const O: usize>(sums: &mut [Sums; O], x: &[Pairs], w: &[[[i16; 2]; O]]) {
                    // SAFETY: as above.
                    unsafe { $module::add_all(sums, x, w) }
                }
            }
        };
    }

    const _: () = assert!(LANES == 16);

    isa!(
        /// Every x86-64.
        Sse2, sse2, "sse2", __m128i, 4, 2, _mm_set1_epi32, |sum, x, w| _mm_add_epi32(sum, _mm_madd_epi16(x, w))
    );
    isa!(
        /// AVX2.
        Avx2, avx2, "avx2", __m256i, 2, 4, _mm256_set1_epi32,
        |sum, x, w| _mm256_add_epi32(sum, _mm256_madd_epi16(x, w))
    );
    isa!(
        /// AVX-512 with its instruction for neural networks.
        Avx512, avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", __m512i, 1, 8, _mm512_set1_epi32,
        |sum, x, w| _mm512_dpwssd_epi32(sum, x, w)
    );
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512, Sse2};
