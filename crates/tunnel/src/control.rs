//! The control frames that wait for their way to the client.

use websockify_protocol::encoder::ControlFrame;
use websockify_protocol::frame::Opcode;

/// How many frames may wait; beyond it the oldest pong is given up (RFC 6455 section 5.5.3: "it MAY elect to send
/// a Pong frame for only the most recently processed Ping frame").
const LIMIT: usize = 16;

/// Control frames in the order they go out. Holds memory only while a frame waits.
#[derive(Default)]
pub(crate) struct ControlQueue {
    /// The first one never moves once it has been offered to the client's connection.
    frames: Vec<ControlFrame>,
    /// How much of the first frame is sent.
    sent: usize,
    /// The first frame was offered and not taken whole: nothing may go before its rest.
    begun: bool,
    /// A Close frame is in the queue, or through it: nothing may follow.
    closed: bool,
}

impl ControlQueue {
    /// Appends `frame`, unless a Close frame has gone before it; `false` when memory is out.
    pub(crate) fn push(&mut self, frame: ControlFrame) -> bool {
        if self.closed {
            return true;
        }
        self.closed = frame.opcode() == Opcode::Close;
        if self.frames.capacity() == 0 && self.frames.try_reserve_exact(LIMIT + 1).is_err() {
            return false;
        }
        // The place in front of the limit is for the frame that is being sent.
        if self.frames.len() == LIMIT + usize::from(self.begun) {
            self.give_up_oldest_pong();
        }
        self.frames.push(frame);
        true
    }

    /// A ping of our own stays: whoever asked for it takes it as sent once the queue is empty.
    fn give_up_oldest_pong(&mut self) {
        let waiting = usize::from(self.begun)..self.frames.len();
        let is_pong = |&at: &usize| self.frames[at].opcode() == Opcode::Pong;
        if let Some(oldest) = waiting.into_iter().find(is_pong) {
            self.frames.remove(oldest);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the first frame is the only one.
    pub(crate) fn is_at_last(&self) -> bool {
        self.frames.len() == 1
    }

    /// The bytes to offer next. From here on they are begun.
    pub(crate) fn begin(&mut self) -> &[u8] {
        self.begun = true;
        self.frames.first().map_or(&[], |frame| frame.as_bytes().get(self.sent..).unwrap_or_default())
    }

    /// Takes note that `len` bytes of [`ControlQueue::begin`] went out.
    pub(crate) fn advance(&mut self, len: usize) {
        self.sent += len;
        if self.frames.first().is_some_and(|frame| self.sent >= frame.as_bytes().len()) {
            self.frames.remove(0);
            self.sent = 0;
            self.begun = false;
            if self.frames.is_empty() {
                self.frames = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(number: u8) -> ControlFrame {
        ControlFrame::pong(&[number])
    }

    fn drain(queue: &mut ControlQueue) -> Vec<u8> {
        let mut numbers = Vec::new();
        while !queue.is_empty() {
            let frame = queue.begin().to_vec();
            numbers.push(frame[2]);
            queue.advance(frame.len());
        }
        numbers
    }

    #[test]
    fn frames_leave_in_their_order() {
        let mut queue = ControlQueue::default();
        for number in 0..10 {
            assert!(queue.push(pong(number)));
        }
        assert_eq!(drain(&mut queue), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn at_most_sixteen_pongs_are_owed_and_the_newest_are_kept() {
        let mut queue = ControlQueue::default();
        for number in 0..40 {
            assert!(queue.push(pong(number)));
        }
        assert_eq!(drain(&mut queue), (24..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_ping_of_our_own_is_not_given_up() {
        let mut queue = ControlQueue::default();
        queue.push(ControlFrame::ping(&[100]));
        for number in 0..40 {
            queue.push(pong(number));
        }
        let expected: Vec<u8> = [100].into_iter().chain(25..40).collect();
        assert_eq!(drain(&mut queue), expected);
    }

    #[test]
    fn a_frame_that_has_begun_is_finished_first_and_stays_where_it_is() {
        let mut queue = ControlQueue::default();
        queue.push(pong(0));
        let at = queue.begin().as_ptr();
        queue.advance(1);
        for number in 1..40 {
            queue.push(pong(number));
        }
        assert_eq!(queue.begin().as_ptr(), at.wrapping_add(1));
        assert_eq!(queue.begin(), &pong(0).as_bytes()[1..]);
        queue.advance(2);
        assert_eq!(drain(&mut queue), (24..40).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_follows_a_close() {
        let mut queue = ControlQueue::default();
        queue.push(pong(1));
        queue.push(ControlFrame::close(None, ""));
        queue.push(pong(2));
        assert_eq!(queue.frames.len(), 2);
    }

    #[test]
    fn memory_is_held_only_while_a_frame_waits() {
        let mut queue = ControlQueue::default();
        queue.push(pong(1));
        drain(&mut queue);
        assert_eq!(queue.frames.capacity(), 0);
    }
}
