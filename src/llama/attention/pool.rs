//! Threads that help the one that evaluates: they sleep until there is work, and none is waited for that has not begun.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// What all do at once; each call takes pieces of the work until there are none.
type Work<'a> = &'a (dyn Fn() + Sync);

pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    work: Option<Work<'static>>,
    /// Helpers that may still join in.
    wanted: usize,
    /// Helpers that are at it.
    active: usize,
    failure: Option<Box<dyn Any + Send>>,
    stop: bool,
}

impl Pool {
    /// Starts so many, or as many as the system allows. They have the name of the thread that starts them, by which the engine's meter finds them.
    pub(super) fn start(count: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let threads = (0..count)
            .map_while(|_| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new().spawn(move || shared.help()).ok()
            })
            .collect();
        Self { shared, threads }
    }

    /// Calls `work` here and on up to `helpers` threads, and returns when all calls have.
    pub(super) fn run(&self, helpers: usize, work: Work<'_>) {
        let helpers = helpers.min(self.threads.len());
        if helpers == 0 {
            return work();
        }
        // SAFETY: only the lifetime is changed. `Finish` takes the work back when it is dropped, whether or not `work` panics here, and waits for every
        // helper that has begun; so no helper has it when this function returns.
        let lent: Work<'static> = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        {
            let mut state = self.shared.lock();
            state.work = Some(lent);
            state.wanted = helpers;
        }
        for _ in 0..helpers {
            self.shared.wake.notify_one();
        }
        let finish = Finish(&self.shared);
        work();
        drop(finish);
        let failure = self.shared.lock().failure.take();
        if let Some(failure) = failure {
            resume_unwind(failure);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A helper catches what panics, so there is nothing to hear of.
            drop(thread.join());
        }
    }
}

/// Takes the work back, and waits for those who have begun.
struct Finish<'a>(&'a Shared);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.work = None;
        state.wanted = 0;
        while state.active > 0 {
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help(&self) {
        let mut state = self.lock();
        while !state.stop {
            let Some(work) = state.work.filter(|_| state.wanted > 0) else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.wanted -= 1;
            state.active += 1;
            drop(state);
            let outcome = catch_unwind(AssertUnwindSafe(work));
            state = self.lock();
            state.active -= 1;
            if let Err(failure) = outcome {
                state.failure = Some(failure);
            }
            if state.active == 0 {
                self.done.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_piece_is_done_once_however_many_help() {
        let helpers = Pool::start(3);
        for count in [0, 1, 3, 9] {
            let next = AtomicUsize::new(0);
            let done: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
            helpers.run(count, &|| {
                while let Some(piece) = done.get(next.fetch_add(1, Ordering::Relaxed)) {
                    piece.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert!(
                done.iter().all(|piece| piece.load(Ordering::Relaxed) == 1),
                "{count} helpers"
            );
        }
    }

    #[test]
    fn a_panic_of_a_helper_is_the_callers() {
        let helpers = Pool::start(1);
        let caller = std::thread::current().id();
        let helped = AtomicUsize::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            helpers.run(1, &|| {
                if std::thread::current().id() == caller {
                    while helped.load(Ordering::Acquire) == 0 {
                        std::thread::yield_now();
                    }
                } else {
                    helped.store(1, Ordering::Release);
                    panic!("a helper's");
                }
            });
        }));
        assert_eq!(
            outcome
                .err()
                .and_then(|failure| failure.downcast_ref::<&str>().copied()),
            Some("a helper's")
        );
        // The helper is still there.
        helpers.run(1, &|| {});
    }
}
