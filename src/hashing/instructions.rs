//! SHA-256 (FIPS 180-4) by the processor's own instructions, of one stream or of two at once.
//!
//! Each round of one hash waits for the one before it, so that the instructions idle half of the time; the rounds of
//! another hash fit between them. Two at once take little more time than one.

/// That the processor has the instructions; only [`ShaInstructions::detect`] says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShaInstructions(());

/// What is hashed at a time.
pub(super) type Block = [u8; 64];

#[cfg(target_arch = "x86_64")]
impl ShaInstructions {
    pub(super) fn detect() -> Option<Self> {
        let has_all = std::arch::is_x86_feature_detected!("sha")
            && std::arch::is_x86_feature_detected!("ssse3")
            && std::arch::is_x86_feature_detected!("sse4.1");
        has_all.then_some(Self(()))
    }

    /// Takes blocks into a state.
    pub(super) fn compress(self, state: &mut [u32; 8], blocks: &[Block]) {
        // SAFETY: the processor has what the function is compiled for, as `self` proves.
        #[allow(unsafe_code)]
        unsafe {
            x86::compress(state, blocks);
        }
    }

    /// Takes blocks of two streams into their states, as many as both have.
    pub(super) fn compress_two(self, states: [&mut [u32; 8]; 2], blocks: [&[Block]; 2]) {
        // SAFETY: as above.
        #[allow(unsafe_code)]
        unsafe {
            x86::compress_two(states, blocks);
        }
    }
}

/// Elsewhere nothing is detected, so that nothing of it is called.
#[cfg(not(target_arch = "x86_64"))]
impl ShaInstructions {
    pub(super) fn detect() -> Option<Self> {
        None
    }

    pub(super) fn compress(self, state: &mut [u32; 8], blocks: &[Block]) {
        sha2::block_api::compress256(state, blocks);
    }

    pub(super) fn compress_two(self, [one, two]: [&mut [u32; 8]; 2], [of_one, of_two]: [&[Block]; 2]) {
        let common = of_one.len().min(of_two.len());
        self.compress(one, of_one.get(..common).unwrap_or_default());
        self.compress(two, of_two.get(..common).unwrap_or_default());
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
        _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    };

    use super::Block;

    /// The constants of the rounds, four by four.
    const ROUNDS: [[u32; 4]; 16] = [
        [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
        [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
        [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
        [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
        [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
        [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
        [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
        [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
        [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
        [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
        [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
        [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
        [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
        [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
        [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
        [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
    ];

    /// A hash between two blocks. The instructions want its eight words as A, B, E, F and C, D, G, H, the first ones
    /// highest.
    type State = [__m128i; 2];

    /// Goes through all rounds of a block. Written out, because the compiler keeps all of it in registers only if every
    /// index is a constant.
    macro_rules! rounds {
        ($($state:ident $words:ident)*) => {
            rounds!(@ [$($state $words)*] 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
        };
        (@ $streams:tt $($group:literal)*) => {$(
            rounds!(@@ $streams $group);
        )*};
        (@@ [$($state:ident $words:ident)*] $group:literal) => {
            let constants = quad(ROUNDS[$group]);
            $($state = rounds::<$group>($state, &mut $words, constants);)*
        };
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub(super) fn compress(state: &mut [u32; 8], blocks: &[Block]) {
        let mut one = load(state);
        for block in blocks {
            let before = one;
            let mut words = words(block);
            rounds!(one words);
            one = add(one, before);
        }
        *state = store(one);
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    pub(super) fn compress_two(states: [&mut [u32; 8]; 2], blocks: [&[Block]; 2]) {
        let [first, second] = states;
        let [mut one, mut two] = [load(first), load(second)];
        for (block_one, block_two) in blocks[0].iter().zip(blocks[1]) {
            let (before_one, before_two) = (one, two);
            let (mut words_one, mut words_two) = (words(block_one), words(block_two));
            rounds!(one words_one two words_two);
            one = add(one, before_one);
            two = add(two, before_two);
        }
        (*first, *second) = (store(one), store(two));
    }

    /// Four rounds, which take the next four words of the message schedule.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn rounds<const GROUP: usize>([abef, cdgh]: State, words: &mut [__m128i; 4], constants: __m128i) -> State {
        if GROUP >= 4 {
            let (w0, w1) = (words[GROUP % 4], words[(GROUP + 1) % 4]);
            let (w2, w3) = (words[(GROUP + 2) % 4], words[(GROUP + 3) % 4]);
            let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
            words[GROUP % 4] = _mm_sha256msg2_epu32(sum, w3);
        }
        let input = _mm_add_epi32(words[GROUP % 4], constants);
        let after_two = _mm_sha256rnds2_epu32(cdgh, abef, input);
        [_mm_sha256rnds2_epu32(abef, after_two, _mm_shuffle_epi32::<0b00_00_11_10>(input)), after_two]
    }

    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn add(one: State, other: State) -> State {
        [_mm_add_epi32(one[0], other[0]), _mm_add_epi32(one[1], other[1])]
    }

    /// A block's sixteen words, which are sent highest byte first.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn words(block: &Block) -> [__m128i; 4] {
        let (halves, _) = block.as_chunks::<8>();
        let half = |i: usize| i64::from_le_bytes(halves[i]);
        let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        [
            _mm_shuffle_epi8(_mm_set_epi64x(half(1), half(0)), swap),
            _mm_shuffle_epi8(_mm_set_epi64x(half(3), half(2)), swap),
            _mm_shuffle_epi8(_mm_set_epi64x(half(5), half(4)), swap),
            _mm_shuffle_epi8(_mm_set_epi64x(half(7), half(6)), swap),
        ]
    }

    /// Four words, the first one lowest.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn quad([a, b, c, d]: [u32; 4]) -> __m128i {
        _mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn load(&[a, b, c, d, e, f, g, h]: &[u32; 8]) -> State {
        [quad([f, e, b, a]), quad([h, g, d, c])]
    }

    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn store([abef, cdgh]: State) -> [u32; 8] {
        [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ]
        .map(i32::cast_unsigned)
    }
}
