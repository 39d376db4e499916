//! How the operators of one query divide its share of memory: pure.
//!
//! What can't spill may take all that is left. What can spill has an equal part of one half,
//! always, and may go beyond it as long as all together hold no more than the other half: a single
//! grouping among many operators that hold nothing has half of the share, not a twentieth, and
//! nobody's appetite takes another's part. Both halves are the share, so it is never exceeded.

/// What the operators of a query hold, in bytes.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// The most that they may hold.
    most: usize,
    /// Operators that can spill.
    spilling: usize,
    /// What those hold.
    spillable: usize,
    /// What the others hold.
    fixed: usize,
}

impl Share {
    /// At most this many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// One more operator that can spill.
    pub(super) fn joins(&mut self) {
        self.spilling += 1;
    }

    /// One operator less that can spill.
    pub(super) fn leaves(&mut self) {
        self.spilling = self.spilling.saturating_sub(1);
    }

    /// What all hold.
    pub(super) fn held(&self) -> usize {
        self.spillable.saturating_add(self.fixed)
    }

    /// Whether an operator that holds `own` bytes may have `more`.
    pub(super) fn allows(&self, can_spill: bool, own: usize, more: usize) -> bool {
        let then = self.held().saturating_add(more);
        if !can_spill {
            return then <= self.most;
        }
        let part = self.most.saturating_sub(self.fixed) / 2 / self.spilling.max(1);
        own.saturating_add(more) <= part || then <= self.most / 2
    }

    /// Gives it, allowed or not.
    pub(super) fn give(&mut self, can_spill: bool, bytes: usize) {
        let held = self.of(can_spill);
        *held = held.saturating_add(bytes);
    }

    /// Takes it back.
    pub(super) fn take_back(&mut self, can_spill: bool, bytes: usize) {
        let held = self.of(can_spill);
        *held = held.saturating_sub(bytes);
    }

    fn of(&mut self, can_spill: bool) -> &mut usize {
        match can_spill {
            true => &mut self.spillable,
            false => &mut self.fixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_alone_in_holding_anything_has_half_of_the_share() {
        let mut share = Share::new(1_000);
        (0..20).for_each(|_| share.joins());
        assert!(share.allows(true, 0, 500));
        assert!(!share.allows(true, 0, 501));
    }

    #[test]
    fn everybody_has_an_equal_part_of_a_half_whoever_went_beyond_his() {
        let mut share = Share::new(1_000);
        (0..4).for_each(|_| share.joins());
        share.give(true, 500);
        for _ in 0..3 {
            assert!(!share.allows(true, 0, 126));
            assert!(share.allows(true, 0, 125));
            share.give(true, 125);
        }
        assert!(share.held() <= 1_000);
        share.take_back(true, 500);
        assert!(share.allows(true, 0, 125));
        share.leaves();
        assert!(share.allows(true, 0, 166), "fewer have larger parts");
    }

    #[test]
    fn what_can_not_spill_may_take_what_is_left_and_makes_parts_smaller() {
        let mut share = Share::new(1_000);
        (0..2).for_each(|_| share.joins());
        share.give(false, 800);
        assert!(!share.allows(false, 800, 201));
        assert!(share.allows(false, 800, 200));
        assert!(share.allows(true, 0, 50));
        assert!(!share.allows(true, 0, 51));
    }
}
