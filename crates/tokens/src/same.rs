//! Comparison that takes as long for a wrong token as for the right one.

use std::hint::black_box;

/// Whether both hold the same bytes. How long it takes depends on their lengths alone.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (mut one, mut other, mut differences) = (one, other, 0);
    while let (Some((a, one_behind)), Some((b, other_behind))) =
        (one.split_first_chunk(), other.split_first_chunk())
    {
        // The compiler may not know that one difference decides.
        differences = black_box(differences | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)));
        (one, other) = (one_behind, other_behind);
    }
    for (a, b) in one.iter().zip(other) {
        differences = black_box(differences | u64::from(a ^ b));
    }
    differences == 0
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn sees_each_bit() {
        let token = *b"0123456789abcdefghi";
        assert!(same(&token, &token));
        for bit in 0..token.len() * 8 {
            let mut other = token;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!same(&token, &other), "{bit}");
        }
    }

    #[test]
    fn lengths_count() {
        assert!(same(b"", b""));
        assert!(!same(b"", b"a"));
        assert!(!same(b"ab", b"a"));
    }
}
