//! Memory that is asked for before it is taken: the bytes are a camera's, and so is what they ask for.

/// Called before memory grows, and after it became smaller, with how many bytes there are to be in all. False if there is no
/// room for them; then less is held than before, or as much.
pub type MayHold<'m> = dyn FnMut(usize) -> bool + 'm;
