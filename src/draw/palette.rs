//! The colours of drawn pictures.

use super::canvas::Ink;

pub(super) const BLACK: Ink = Ink::grey(0);
pub(super) const WHITE: Ink = Ink::grey(255);
/// The background.
pub(super) const PANEL: Ink = Ink::grey(24);
pub(super) const BRIGHT: Ink = Ink::grey(235);
pub(super) const DIM: Ink = Ink::grey(160);
