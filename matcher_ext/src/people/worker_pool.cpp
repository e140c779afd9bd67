#include "idmesh/matcher/worker_pool.hpp"

#include <pthread.h>
#include <algorithm>
#include <cassert>
#include <csignal>
#include <cstdio>

namespace idmesh::matcher {

namespace {

// Signals are for the threads of the program, not for these.
class NoSignals {
  public:
    NoSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

  private:
    sigset_t before_;
};

void name_thread(std::size_t worker) noexcept {
#if defined(__linux__)
    char name[16];
    std::snprintf(name, sizeof name, "matcher-%zu", worker % 10000);
    pthread_setname_np(pthread_self(), name);
#else
    (void)worker;
#endif
}

}  // namespace

WorkerPool::WorkerPool(std::size_t workers) {
    if (workers == 0) {
        workers = std::max(1U, std::thread::hardware_concurrency());
    }
    const NoSignals blocked;
    threads_.reserve(workers);
    for (std::size_t worker = 0; worker < workers; ++worker) {
        threads_.emplace_back([this, worker] { serve(worker); });
    }
}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

void WorkerPool::run(std::size_t units, const Work& work) {
    if (units == 0) {
        return;
    }
    const std::size_t workers = threads_.size();
    Job job{&work, std::vector<Stretch>(workers), units, 0, nullptr, {}};
    for (std::size_t worker = 0; worker < workers; ++worker) {
        job.stretches[worker] = {units * worker / workers, units * (worker + 1) / workers};
    }
    std::unique_lock lock(mutex_);
    jobs_.push_back(&job);
    wake_.notify_all();
    job.done.wait(lock, [&] { return job.waiting == 0 && job.running == 0; });
    if (job.failure) {
        std::rethrow_exception(job.failure);
    }
}

void WorkerPool::serve(std::size_t worker) {
    name_thread(worker);
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
        if (jobs_.empty()) {
            return;
        }
        Job& job = next_job();
        const std::size_t unit = take(job, worker);
        job.waiting -= 1;
        job.running += 1;
        if (job.waiting == 0) {
            drop(job);
        }
        lock.unlock();
        std::exception_ptr failure;
        try {
            (*job.work)(worker, unit);
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        if (failure && !job.failure) {
            job.failure = failure;
            if (job.waiting != 0) {
                job.waiting = 0;
                drop(job);
            }
        }
        job.running -= 1;
        if (job.waiting == 0 && job.running == 0) {
            job.done.notify_one();
        }
    }
}

WorkerPool::Job& WorkerPool::next_job() {
    turn_ = (turn_ + 1) % jobs_.size();
    return *jobs_[turn_];
}

// The worker's own next unit; of another's stretch, the longest one, the last unit.
std::size_t WorkerPool::take(Job& job, std::size_t worker) {
    Stretch& own = job.stretches[worker];
    if (own.next < own.last) {
        return own.next++;
    }
    Stretch& longest = *std::max_element(
        job.stretches.begin(), job.stretches.end(),
        [](const Stretch& a, const Stretch& b) { return a.last - a.next < b.last - b.next; });
    assert(longest.next < longest.last);
    return --longest.last;
}

void WorkerPool::drop(Job& job) {
    std::erase(jobs_, &job);
}

}  // namespace idmesh::matcher
