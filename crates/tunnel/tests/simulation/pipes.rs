//! The kernel's pipes: an entry and an exit each, and the bytes between them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use websockify_tunnel::Pipe;

/// All pipes of a world, known to both sockets and to what hands them out.
#[derive(Clone, Default)]
pub(crate) struct Pipes(Rc<RefCell<BTreeMap<i32, Vec<u8>>>>);

impl Pipes {
    pub(crate) fn open(&self) -> Pipe {
        let mut pipes = self.0.borrow_mut();
        let entry = pipes.keys().last().map_or(100, |last| last + 1);
        pipes.insert(entry, Vec::new());
        Pipe { entry, exit: -entry }
    }

    /// Closes a pipe, in which so many bytes have to be.
    pub(crate) fn close(&self, pipe: Pipe, len: usize) {
        let left = self.0.borrow_mut().remove(&pipe.entry).expect("a pipe that is open");
        assert_eq!(left.len(), len, "another number of bytes is left in a pipe");
    }

    pub(crate) fn fill(&self, pipe: Pipe, bytes: &[u8]) {
        let mut pipes = self.0.borrow_mut();
        let place = pipes.get_mut(&pipe.entry).expect("a pipe that is open");
        assert!(place.is_empty(), "a pipe is filled that is not empty");
        place.extend_from_slice(bytes);
    }

    /// What is in the pipe, which stays there until [`Pipes::drop_front`].
    pub(crate) fn content(&self, pipe: Pipe) -> Vec<u8> {
        assert_eq!(pipe.entry, -pipe.exit, "the ends of two pipes");
        self.0.borrow().get(&pipe.entry).expect("a pipe that is open").clone()
    }

    pub(crate) fn drop_front(&self, pipe: Pipe, len: usize) {
        self.0.borrow_mut().get_mut(&pipe.entry).expect("a pipe that is open").drain(..len);
    }
}
