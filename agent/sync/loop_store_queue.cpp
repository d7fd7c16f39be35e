#include "agent/sync/loop_store_queue.h"

namespace tributary::agent {

void LoopStoreQueue::run(std::function<void(Store&)> work, std::function<void()> done) {
    {
        const std::lock_guard lock(mutex_);
        short_jobs_.push_back({std::move(work), std::move(done)});
    }
    // Whoever comes first: this turn of the worker, or long work that breathes.
    loop_.work([this] { run_short_jobs(); }, {});
}

void LoopStoreQueue::run_long(LongWork work, std::function<void()> done) {
    {
        const std::lock_guard lock(mutex_);
        long_jobs_.push_back({std::move(work), std::move(done)});
    }
    // Whoever comes first: this turn of the worker, or reading work that breathes.
    loop_.work([this] { run_long_job(); }, {});
}

void LoopStoreQueue::run_reading(LongWork work, std::function<void()> done) {
    loop_.work(
        [this, work = std::move(work)] {
            work(store_, [this] {
                run_short_jobs();
                run_long_job();
                return !stopping_;
            });
        },
        std::move(done));
}

void LoopStoreQueue::run_long_job() {
    LongJob job;
    {
        const std::lock_guard lock(mutex_);
        if (long_jobs_.empty()) return;
        job = std::move(long_jobs_.front());
        long_jobs_.pop_front();
    }
    job.work(store_, [this] {
        run_short_jobs();
        return !stopping_;
    });
    job.work = nullptr;
    if (job.done) loop_.post(std::move(job.done));
    tell_when_closed();
}

void LoopStoreQueue::run_short_jobs() {
    for (;;) {
        Job job;
        {
            const std::lock_guard lock(mutex_);
            if (short_jobs_.empty()) return;
            job = std::move(short_jobs_.front());
            short_jobs_.pop_front();
        }
        job.work(store_);
        job.work = nullptr;  // what it holds goes before anyone hears that it is done
        if (job.done) loop_.post(std::move(job.done));
        tell_when_closed();
    }
}

// Here, because whoever wrote got an error and nobody else would know.
void LoopStoreQueue::tell_when_closed() {
    if (!when_closed_) return;
    if (const Status writable = store_.writable(); !writable)
        loop_.post([task = std::exchange(when_closed_, nullptr), error = writable.error()] {
            task(error);
        });
}

}  // namespace tributary::agent
