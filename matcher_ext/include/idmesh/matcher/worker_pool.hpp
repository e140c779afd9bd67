// A fixed number of threads that share out the work of searches.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace idmesh::matcher {

class WorkerPool {
  public:
    // worker, unit
    using Work = std::function<void(std::size_t, std::size_t)>;

    // workers: 0 is one for each core.
    explicit WorkerPool(std::size_t workers);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    std::size_t size() const noexcept { return threads_.size(); }

    // Calls work for every unit in [0, units), on the workers, and returns when all is done. A
    // worker has one unit at a time, and begins with the same stretch of them each time, whose
    // memory it may have in its cache; then it helps the others. Callers take turns unit by unit.
    // What a unit throws ends the job, and is thrown here.
    void run(std::size_t units, const Work& work);

  private:
    struct Stretch {
        std::size_t next, last;
    };
    struct Job {
        const Work* work;
        std::vector<Stretch> stretches;  // one for each worker
        std::size_t waiting;             // units that no worker has taken
        std::size_t running;
        std::exception_ptr failure;
        std::condition_variable done;
    };

    void serve(std::size_t worker);
    Job& next_job();
    static std::size_t take(Job& job, std::size_t worker);
    void drop(Job& job);

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Job*> jobs_;  // with units that are waiting
    std::size_t turn_ = 0;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace idmesh::matcher
