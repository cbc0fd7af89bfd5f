//! The governor against a simulated machine.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

/// Cores, of which some are taken by others; the engine's batches of 8 rows take 10 ms on all cores.
struct Machine {
    cores: usize,
    taken: usize,
    counts: Counts,
    now: Duration,
    waited: Duration,
    idle: Duration,
}

#[derive(PartialEq)]
enum Counts {
    Kernel,
    Nothing,
}

impl Machine {
    fn new(cores: usize, counts: Counts) -> Self {
        Self {
            cores,
            taken: 0,
            counts,
            now: Duration::ZERO,
            waited: Duration::ZERO,
            idle: Duration::ZERO,
        }
    }

    fn sample(&self) -> Sample {
        if self.counts == Counts::Nothing {
            return Sample::default();
        }
        Sample {
            waited: Some(self.waited),
            idle: Some(self.idle),
        }
    }

    fn governor(&self) -> Governor {
        Governor::new(self.cores, self.now, self.sample())
    }

    /// Runs for a while; returns the most and the fewest threads used and how many batches were done.
    fn run(&mut self, governor: &mut Governor, for_: Duration) -> (usize, usize, usize) {
        let end = self.now + for_;
        let (mut most, mut fewest, mut batches) = (0, usize::MAX, 0);
        while self.now < end {
            let threads = governor.threads();
            (most, fewest, batches) = (most.max(threads), fewest.min(threads), batches + 1);
            let over = (threads + self.taken).saturating_sub(self.cores);
            let mut took =
                Duration::from_millis(10) * u32::try_from(self.cores).unwrap() / u32::try_from(threads).unwrap();
            // With too few cores every batch is ten times slower, and almost all the time somebody waits.
            if over > 0 && threads > 1 {
                took *= 10;
                self.waited += took * 9 / 10 * u32::try_from(over).unwrap();
            }
            self.idle += took * u32::try_from(self.cores.saturating_sub(threads + self.taken)).unwrap();
            self.now += took;
            let sample = self.sample();
            governor.learn(self.now, 8, took, || sample);
        }
        (most, fewest, batches)
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_quiet_machine_is_used_in_full() {
    for counts in [Counts::Kernel, Counts::Nothing] {
        let mut machine = Machine::new(4, counts);
        let mut governor = machine.governor();
        assert_eq!(machine.run(&mut governor, 10 * SECOND), (4, 4, 1000));
    }
}

#[test]
fn a_busy_core_is_given_up_within_two_batches_and_taken_back_when_it_is_idle() {
    let mut machine = Machine::new(2, Counts::Kernel);
    let mut governor = machine.governor();
    machine.run(&mut governor, SECOND);
    machine.taken = 1;
    machine.run(&mut governor, SECOND / 4);
    assert_eq!(governor.threads(), 1);
    machine.taken = 0;
    machine.run(&mut governor, SECOND / 2 + SECOND / 10);
    assert_eq!(governor.threads(), 2, "an idle core is noticed within half a second");
}

#[test]
fn while_the_load_lasts_attempts_become_rare() {
    for counts in [Counts::Kernel, Counts::Nothing] {
        let mut machine = Machine::new(2, counts);
        let mut governor = machine.governor();
        machine.run(&mut governor, SECOND);
        machine.taken = 1;
        machine.run(&mut governor, 60 * SECOND);
        let (_, fewest, batches) = machine.run(&mut governor, 60 * SECOND);
        assert_eq!(fewest, 1);
        // One thread alone would have done 3000.
        assert!(batches > 2900, "{batches}");
    }
}

#[test]
fn after_a_long_load_idle_cores_are_taken_back_as_soon() {
    let mut machine = Machine::new(2, Counts::Kernel);
    let mut governor = machine.governor();
    machine.taken = 1;
    machine.run(&mut governor, 200 * SECOND);
    // It ends just after another attempt has failed, when the wait for the next is longest.
    for threads in [2, 1] {
        while governor.threads() != threads {
            machine.run(&mut governor, SECOND / 100);
        }
    }
    machine.taken = 0;
    machine.run(&mut governor, SECOND + SECOND / 4);
    assert_eq!(governor.threads(), 2);
}

#[test]
fn only_as_many_threads_are_given_up_as_have_no_core() {
    let mut machine = Machine::new(16, Counts::Kernel);
    let mut governor = machine.governor();
    machine.taken = 3;
    machine.run(&mut governor, SECOND);
    assert_eq!(governor.threads(), 13);
    machine.taken = 0;
    machine.run(&mut governor, SECOND);
    assert_eq!(governor.threads(), 16, "three idle cores are taken back at once");
}

#[test]
fn cores_that_are_idle_because_the_engine_is_are_not_taken_for_spare() {
    let mut machine = Machine::new(2, Counts::Kernel);
    let mut governor = machine.governor();
    machine.taken = 1;
    machine.run(&mut governor, SECOND / 4);
    assert_eq!(governor.threads(), 1);
    let (before, mut most) = (machine.now, 0);
    // Half of the time there is nothing to do, and then the engine's one core is idle.
    while machine.now < before + SECOND / 2 {
        machine.now += Duration::from_millis(20);
        machine.idle += Duration::from_millis(20);
        most = most.max(machine.run(&mut governor, Duration::from_millis(20)).0);
    }
    assert_eq!(most, 1);
}

#[test]
fn one_thread_is_never_given_up() {
    let mut machine = Machine::new(1, Counts::Kernel);
    let mut governor = machine.governor();
    machine.taken = 4;
    assert_eq!(machine.run(&mut governor, SECOND).1, 1);
}

#[test]
fn threads_are_written_as_auto_or_a_number() {
    assert_eq!("auto".parse(), Ok(Threads::Auto));
    assert_eq!("3".parse(), Ok(Threads::Fixed(NonZeroUsize::new(3).unwrap())));
    for wrong in ["0", "-1", "two", ""] {
        assert!(wrong.parse::<Threads>().unwrap_err().contains("`auto`"), "{wrong}");
    }
}
