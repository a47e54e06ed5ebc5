// server.cc - gRPC C++: --kind sync | callback | cq for the echo role; the roles of W6, "forward",
// "fan" and "burn", use the sync server with its defaults.
#include "bench.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <string.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "echo.grpc.pb.h"

using bench::Echo;
using bench::Msg;
using grpc::Status;

namespace
{

std::string GrpcAddr(const char *addr)
{
    return strncmp(addr, "tcp:", 4) == 0 ? addr + 4 : addr;
}

std::chrono::system_clock::time_point After(uint32_t ms)
{
    return std::chrono::system_clock::now() + std::chrono::milliseconds(ms);
}

// ---- echo, three flavours -------------------------------------------------

class SyncEcho final : public Echo::Service
{
    Status Call(grpc::ServerContext *, const Msg *req, Msg *resp) override
    {
        if (req->delay_ms() > 0)
            usleep(req->delay_ms() * 1000);
        resp->set_payload(req->payload());
        return Status::OK;
    }
};

class CallbackEcho final : public Echo::CallbackService
{
    grpc::ServerUnaryReactor *Call(grpc::CallbackServerContext *ctx, const Msg *req,
                                   Msg *resp) override
    {
        auto *reactor = ctx->DefaultReactor();
        resp->set_payload(req->payload());
        if (req->delay_ms() == 0) {
            reactor->Finish(Status::OK);
            return reactor;
        }
        auto *alarm = new grpc::Alarm;
        alarm->Set(After(req->delay_ms()), [alarm, reactor](bool) {
            reactor->Finish(Status::OK);
            delete alarm;
        });
        return reactor;
    }
};

// One call of the completion-queue server; it is its own tag.
class CqCall
{
  public:
    CqCall(Echo::AsyncService *service, grpc::ServerCompletionQueue *cq)
        : service_(service), cq_(cq), writer_(&ctx_)
    {
        service_->RequestCall(&ctx_, &req_, &writer_, cq_, cq_, this);
    }

    void Proceed(bool ok)
    {
        if (!ok || state_ == kFinish) {
            delete this;
            return;
        }
        if (state_ == kRequest) {
            new CqCall(service_, cq_);
            resp_.set_payload(req_.payload());
            if (req_.delay_ms() > 0) {
                state_ = kDelay;
                alarm_ = std::make_unique<grpc::Alarm>();
                alarm_->Set(cq_, After(req_.delay_ms()), this);
                return;
            }
        }
        state_ = kFinish;
        writer_.Finish(resp_, Status::OK, this);
    }

  private:
    enum State { kRequest, kDelay, kFinish };
    State state_ = kRequest;
    Echo::AsyncService *service_;
    grpc::ServerCompletionQueue *cq_;
    grpc::ServerContext ctx_;
    Msg req_, resp_;
    grpc::ServerAsyncResponseWriter<Msg> writer_;
    std::unique_ptr<grpc::Alarm> alarm_;
};

void CqLoop(grpc::ServerCompletionQueue *cq)
{
    void *tag;
    bool ok;
    while (cq->Next(&tag, &ok))
        static_cast<CqCall *>(tag)->Proceed(ok);
}

// ---- W6 roles ---------------------------------------------------------------

// What a call to the next hop carries: the metadata and, if asked for, the caller's deadline.
std::unique_ptr<grpc::ClientContext> NextContext(const grpc::ServerContext &sctx, bool propagate)
{
    std::unique_ptr<grpc::ClientContext> ctx = propagate
                                                   ? grpc::ClientContext::FromServerContext(sctx)
                                                   : std::make_unique<grpc::ClientContext>();
    for (const char *key : {"x-trace-id", "x-request-id"}) {
        auto it = sctx.client_metadata().find(key);
        if (it != sctx.client_metadata().end())
            ctx->AddMetadata(key, {it->second.data(), it->second.size()});
    }
    return ctx;
}

std::unique_ptr<Echo::Stub> Next(const std::string &addr)
{
    return Echo::NewStub(
        grpc::CreateChannel(GrpcAddr(addr.c_str()), grpc::InsecureChannelCredentials()));
}

// A and B: pass the request on, with or without the caller's deadline.
class Forward final : public Echo::Service
{
  public:
    Forward(const char *next, bool propagate) : propagate_(propagate), stub_(Next(next)) {}

  private:
    Status Call(grpc::ServerContext *sctx, const Msg *req, Msg *resp) override
    {
        auto ctx = NextContext(*sctx, propagate_);
        return stub_->Call(ctx.get(), *req, resp);
    }

    const bool propagate_;
    std::unique_ptr<Echo::Stub> stub_;
};

// A of the tree: passes the request on to all of the next hops at once; the first failure cancels
// the rest.
class Fan final : public Echo::Service
{
  public:
    Fan(const char *next, bool propagate) : propagate_(propagate)
    {
        std::stringstream list(next);
        for (std::string addr; std::getline(list, addr, ',');)
            stubs_.push_back(Next(addr));
    }

  private:
    struct Leg {
        std::unique_ptr<grpc::ClientContext> ctx;
        Msg resp;
        Status status;
        std::unique_ptr<grpc::ClientAsyncResponseReader<Msg>> reader;
    };

    Status Call(grpc::ServerContext *sctx, const Msg *req, Msg *resp) override
    {
        grpc::CompletionQueue cq;
        std::vector<Leg> legs(stubs_.size());
        for (size_t i = 0; i < legs.size(); i++) {
            legs[i].ctx = NextContext(*sctx, propagate_);
            legs[i].reader = stubs_[i]->AsyncCall(legs[i].ctx.get(), *req, &cq);
            legs[i].reader->Finish(&legs[i].resp, &legs[i].status, &legs[i]);
        }
        Status first = Join(&cq, &legs);
        if (first.ok())
            *resp = legs[0].resp;
        return first;
    }

    static Status Join(grpc::CompletionQueue *cq, std::vector<Leg> *legs)
    {
        Status first;
        void *tag;
        bool ok;
        for (size_t ended = 0; ended < legs->size() && cq->Next(&tag, &ok); ended++) {
            const Status &status = static_cast<Leg *>(tag)->status;
            if (status.ok() || !first.ok())
                continue;
            first = status;
            for (Leg &leg : *legs)
                leg.ctx->TryCancel();
        }
        cq->Shutdown();
        return first;
    }

    const bool propagate_;
    std::vector<std::unique_ptr<Echo::Stub>> stubs_;
};

// C: one worker, as a mutex around the burn.  --kind fifo admits waiters in
// order of arrival; the default is std::mutex, which promises no order.
class Burn final : public Echo::Service
{
  public:
    explicit Burn(const opts &o)
        : burn_us_(o.burn_us), fifo_(strcmp(o.kind, "fifo") == 0), stats_(chain_stats_map(o.stats))
    {
    }

  private:
    Status Call(grpc::ServerContext *ctx, const Msg *req, Msg *resp) override
    {
        stat_add(&stats_->arrived, 1);
        if (fifo_) {
            pthread_cond_t turn = PTHREAD_COND_INITIALIZER;
            EnterFifo(&turn);
        } else {
            worker_.lock();
        }
        Status status = Work(ctx, req, resp);
        if (fifo_)
            LeaveFifo();
        else
            worker_.unlock();
        return status;
    }

    Status Work(grpc::ServerContext *ctx, const Msg *req, Msg *resp)
    {
        if (ctx->IsCancelled()) {
            stat_add(&stats_->skipped, 1);
            return Status(grpc::StatusCode::CANCELLED, "gone");
        }
        burn_call(stats_, req->burn_us() > 0 ? (int)req->burn_us() : burn_us_,
                  req->client_deadline());
        resp->set_payload(req->payload());
        return Status::OK;
    }

    void EnterFifo(pthread_cond_t *turn)
    {
        std::unique_lock<std::mutex> l(worker_);
        queue_.push_back(turn);
        while (queue_.front() != turn)
            pthread_cond_wait(turn, worker_.native_handle());
    }

    void LeaveFifo()
    {
        std::lock_guard<std::mutex> l(worker_);
        queue_.pop_front();
        if (!queue_.empty())
            pthread_cond_signal(queue_.front());
    }

    const int burn_us_;
    const bool fifo_;
    chain_stats *stats_;
    std::mutex worker_;
    std::deque<pthread_cond_t *> queue_;
};

} // namespace

int main(int argc, char **argv)
{
    opts o = parse_opts(argc, argv);
    block_signals();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(GrpcAddr(o.addr), grpc::InsecureServerCredentials());
    builder.SetMaxReceiveMessageSize(-1);

    std::unique_ptr<grpc::Service> service;
    std::unique_ptr<Echo::AsyncService> async;
    std::unique_ptr<grpc::ServerCompletionQueue> cq;
    if (strcmp(o.role, "forward") == 0) {
        service = std::make_unique<Forward>(o.next, o.propagate != 0);
    } else if (strcmp(o.role, "fan") == 0) {
        service = std::make_unique<Fan>(o.next, o.propagate != 0);
    } else if (strcmp(o.role, "burn") == 0) {
        service = std::make_unique<Burn>(o);
    } else if (strcmp(o.kind, "sync") == 0) {
        service = std::make_unique<SyncEcho>();
    } else if (strcmp(o.kind, "cq") == 0) {
        async = std::make_unique<Echo::AsyncService>();
        cq = builder.AddCompletionQueue();
    } else {
        service = std::make_unique<CallbackEcho>();
    }
    if (strcmp(o.role, "echo") != 0) {
        // The default pool has no limit, and without propagation it grows by a
        // thread per queued call: this cap keeps the machine usable.
        grpc::ResourceQuota quota("cap");
        quota.SetMaxThreads(4000);
        builder.SetResourceQuota(quota);
    }
    builder.RegisterService(async ? async.get() : service.get());
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        die("BuildAndStart", o.addr);
    std::thread loop;
    if (cq) {
        for (int i = 0; i < 64; i++)
            new CqCall(async.get(), cq.get());
        loop = std::thread(CqLoop, cq.get());
    }
    server_ready();
    wait_for_sigterm();
    _exit(0);
}
