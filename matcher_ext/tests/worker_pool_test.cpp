#include "idmesh/matcher/worker_pool.hpp"

#include <atomic>
#include <memory>
#include <stdexcept>

#include "check.hpp"

using namespace idmesh::matcher;

namespace {

void every_unit_is_done_once_and_a_worker_does_one_at_a_time() {
    for (const std::size_t workers : {1, 2, 3, 7}) {
        WorkerPool pool(workers);
        CHECK(pool.size() == workers);
        for (const std::size_t units : {0, 1, 2, 6, 1000}) {
            std::vector<std::atomic<int>> done(units);
            std::vector<std::atomic<int>> busy(workers);
            pool.run(units, [&](std::size_t worker, std::size_t unit) {
                CHECK(worker < workers && unit < units);
                CHECK(busy[worker]++ == 0);
                done[unit] += 1;
                busy[worker] -= 1;
            });
            for (const auto& times : done) {
                CHECK(times == 1);
            }
        }
    }
}

void what_a_unit_throws_ends_the_job_alone() {
    WorkerPool pool(2);
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> done{0};
        bool thrown = false;
        try {
            pool.run(10000, [&](std::size_t, std::size_t unit) {
                if (unit == 3) {
                    throw std::runtime_error("three");
                }
                done += 1;
            });
        } catch (const std::runtime_error& error) {
            thrown = std::string(error.what()) == "three";
        }
        CHECK(thrown && done < 10000);
        done = 0;
        pool.run(10, [&](std::size_t, std::size_t) { done += 1; });
        CHECK(done == 10);
    }
}

// A caller with much to do does not hold up one with little: they take turns.
void callers_take_turns() {
    WorkerPool pool(1);
    std::atomic<int> of_the_long{0};
    std::atomic<bool> started{false};
    std::thread busy([&] {
        pool.run(2000, [&](std::size_t, std::size_t) {
            started = true;
            of_the_long += 1;
            std::this_thread::sleep_for(std::chrono::microseconds(100));
        });
    });
    while (!started) {
        std::this_thread::yield();
    }
    int before = 0;
    pool.run(5, [&](std::size_t, std::size_t) { before = of_the_long; });
    CHECK(before < 2000);
    busy.join();
    CHECK(of_the_long == 2000);
}

void many_callers_at_once_are_served() {
    WorkerPool pool(3);
    std::vector<std::thread> callers;
    std::atomic<int> done{0};
    for (int caller = 0; caller < 8; ++caller) {
        callers.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                pool.run(7, [&](std::size_t, std::size_t) { done += 1; });
            }
        });
    }
    for (std::thread& caller : callers) {
        caller.join();
    }
    CHECK(done == 8 * 200 * 7);
}

}  // namespace

int main() {
    every_unit_is_done_once_and_a_worker_does_one_at_a_time();
    what_a_unit_throws_ends_the_job_alone();
    callers_take_turns();
    many_callers_at_once_are_served();
}
