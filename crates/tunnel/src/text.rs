//! Text frames: each holds whole characters, wherever the target's bytes were cut.

use std::ops::Range;

/// The most that a character's beginning can be without being one.
pub(crate) const MAX_CARRY: usize = 3;

/// The beginning of a character whose rest has not come yet.
#[derive(Default)]
pub(crate) struct Carry {
    bytes: [u8; MAX_CARRY],
    len: usize,
}

impl Carry {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Finds the text in what was carried and `raw`, in front of which there has to be room for [`MAX_CARRY`] bytes. A
    /// character that is cut at the end is carried on. Returns where the text stands, and whether that is all that
    /// can be had: `false` if what follows it is not UTF-8 and never will be.
    pub(crate) fn text_within(&mut self, buffer: &mut [u8], raw: Range<usize>) -> (Range<usize>, bool) {
        let all = raw.start - self.len..raw.end;
        buffer[all.start..raw.start].copy_from_slice(&self.bytes[..self.len]);
        self.len = 0;
        let Err(fault) = std::str::from_utf8(&buffer[all.clone()]) else { return (all, true) };
        let text = all.start..all.start + fault.valid_up_to();
        if fault.error_len().is_some() {
            return (text, false);
        }
        let rest = &buffer[text.end..all.end];
        self.len = rest.len();
        self.bytes[..self.len].copy_from_slice(rest);
        (text, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `pieces`: the text of each, and whether the last one was UTF-8.
    fn carried(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let (mut carry, mut texts, mut is_utf8) = (Carry::default(), Vec::new(), true);
        for piece in pieces {
            let mut buffer = [&[0; MAX_CARRY][..], piece].concat();
            let raw = MAX_CARRY..buffer.len();
            let (text, good) = carry.text_within(&mut buffer, raw);
            texts.push(buffer[text].to_vec());
            is_utf8 = good;
        }
        (texts, is_utf8 && carry.is_empty())
    }

    #[test]
    fn a_text_cut_in_two_anywhere_is_the_same_text() {
        let text = "a\u{e9}\u{2318}\u{1f5a5}z".as_bytes();
        for at in 0..=text.len() {
            let (texts, is_utf8) = carried(&[&text[..at], &text[at..]]);
            assert!(is_utf8, "cut at {at}");
            assert_eq!(texts.concat(), text, "cut at {at}");
            assert!(texts.iter().all(|text| std::str::from_utf8(text).is_ok()), "cut at {at}");
        }
    }

    #[test]
    fn byte_by_byte_each_character_comes_with_its_last_byte() {
        let pieces: Vec<&[u8]> = "\u{1f5a5}!".as_bytes().chunks(1).collect();
        let (texts, is_utf8) = carried(&pieces);
        assert!(is_utf8);
        assert_eq!(texts, [&b""[..], b"", b"", "\u{1f5a5}".as_bytes(), b"!"]);
    }

    #[test]
    fn what_is_no_utf_8_is_told_behind_the_text_in_front_of_it() {
        for wrong in [&b"\x80"[..], b"\xc0\xaf", b"\xe2\x82z", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"]
        {
            let (texts, is_utf8) = carried(&[&[b"ok", wrong].concat()]);
            assert_eq!((texts, is_utf8), (vec![b"ok".to_vec()], false), "{wrong:?}");
        }
    }

    #[test]
    fn a_beginning_that_goes_on_wrongly_is_told_as_well() {
        let (texts, is_utf8) = carried(&[b"a\xe2\x82", b"b"]);
        assert_eq!((texts.concat(), is_utf8), (b"a".to_vec(), false));
    }

    #[test]
    fn a_beginning_without_an_end_is_no_text() {
        assert_eq!(carried(&[b"a\xf0\x9f\x96"]), (vec![b"a".to_vec()], false));
    }
}
